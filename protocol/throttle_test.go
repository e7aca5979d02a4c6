package protocol

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// endless is a connection that takes and gives at once whatever is asked.
type endless struct{ net.Conn }

func (endless) Read(b []byte) (int, error)  { return len(b), nil }
func (endless) Write(b []byte) (int, error) { return len(b), nil }

// slowed is a new transfer's connection.
func slowed(t *testing.T, srv *Server, a *auth.Account, upload bool) *throttled {
	t.Helper()
	meters, release := srv.throttle.meters(srv, a, upload)
	t.Cleanup(release)
	c := &dataConn{Conn: endless{}}
	c.slowDown(t.Context(), meters)
	return c.Conn.(*throttled)
}

// within wants a duration to be right to a hundredth.
func within(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if math.Abs(float64(got-want)) > float64(want)/100 {
		t.Errorf("%s took %v, want %v", what, got, want)
	}
}

// TestThrottleIsAccurate moves ten seconds' worth of bytes in either direction, on a clock of its own.
func TestThrottleIsAccurate(t *testing.T) {
	for _, c := range []struct {
		name string
		rate int64
		by   func(*Server, *auth.Account, int64)
	}{
		{"connection, 30 KiB/s", 30 << 10, func(s *Server, _ *auth.Account, r int64) { s.Upload, s.Download = r, r }},
		{"connection, 50 MiB/s", 50 << 20, func(s *Server, _ *auth.Account, r int64) { s.Upload, s.Download = r, r }},
		{"user, 30 KiB/s", 30 << 10, func(_ *Server, a *auth.Account, r int64) { a.Limits.Upload, a.Limits.Download = r, r }},
		{"user, 50 MiB/s", 50 << 20, func(_ *Server, a *auth.Account, r int64) { a.Limits.Upload, a.Limits.Download = r, r }},
		{"total, 30 KiB/s", 30 << 10, func(s *Server, _ *auth.Account, r int64) { s.TotalUpload, s.TotalDownload = r, r }},
		{"total, 50 MiB/s", 50 << 20, func(s *Server, _ *auth.Account, r int64) { s.TotalUpload, s.TotalDownload = r, r }},
		{"the least of all", 30 << 10, func(s *Server, a *auth.Account, r int64) {
			s.TotalUpload, s.TotalDownload, a.Limits.Upload, a.Limits.Download, s.Upload, s.Download = 50<<20, 50<<20, 1<<20, 1<<20, r, r
		}},
		{"1 byte/s", 1, func(s *Server, _ *auth.Account, r int64) { s.Upload, s.Download = r, r }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, a := &Server{}, &auth.Account{Name: "joe"}
				c.by(srv, a, c.rate)
				b := make([]byte, 64<<10)
				total := 10 * c.rate
				up := slowed(t, srv, a, true)
				begin := time.Now()
				if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(up, total), b); n != total || err != nil {
					t.Fatalf("%d bytes, %v", n, err)
				}
				within(t, "upload", time.Since(begin), 10*time.Second)
				down := slowed(t, srv, a, false)
				begin = time.Now()
				for left := total; left > 0; {
					n, err := down.Write(b[:min(left, int64(len(b)))])
					if err != nil {
						t.Fatal(err)
					}
					left -= int64(n)
				}
				within(t, "download", time.Since(begin), 10*time.Second)
			})
		})
	}
}

// TestThrottleIsShared lets transfers of several users share what there is: each gets as much as the others, unless its
// own limit is less, and then the others get the rest.
func TestThrottleIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &Server{TotalDownload: 3 << 20}
		slow := &auth.Account{Name: "slow", Limits: auth.Limits{Download: 512 << 10}}
		joe := &auth.Account{Name: "joe"}
		conns := []*throttled{slowed(t, srv, slow, false), slowed(t, srv, slow, false), slowed(t, srv, joe, false), slowed(t, srv, joe, false)}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		moved := make([]int64, len(conns))
		var all sync.WaitGroup
		for i, c := range conns {
			c.ctx = ctx
			all.Go(func() {
				b := make([]byte, 16<<10)
				for {
					n, err := c.Write(b)
					moved[i] += int64(n)
					if err != nil {
						return
					}
				}
			})
		}
		all.Wait()
		for i, want := range []float64{256 << 10, 256 << 10, 1.25 * (1 << 20), 1.25 * (1 << 20)} {
			if got := float64(moved[i]) / 20; math.Abs(got-want) > want/20 {
				t.Errorf("transfer %d got %.0f bytes/s, want %.0f", i, got, want)
			}
		}
	})
}

// crumbs is a connection that gives little at a time, as TLS and MODE Z do.
type crumbs struct{ endless }

func (crumbs) Read(b []byte) (int, error) { return min(len(b), 4<<10), nil }

// writes counts what is written to a connection, and how often.
type writes struct {
	endless
	n, bytes int
}

func (w *writes) Write(b []byte) (int, error) {
	w.n++
	w.bytes += len(b)
	return len(b), nil
}

// TestThrottleIsSharedByTurns: who moves little at a time gets as much as the others.
func TestThrottleIsSharedByTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, a := &Server{TotalUpload: 2 << 20}, &auth.Account{Name: "joe"}
		whole, small := slowed(t, srv, a, true), slowed(t, srv, a, true)
		small.Conn = crumbs{}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var moved [2]int64
		var all sync.WaitGroup
		for i, c := range []*throttled{whole, small} {
			c.ctx = ctx
			all.Go(func() {
				b := make([]byte, 64<<10)
				for {
					n, err := c.Read(b)
					moved[i] += int64(n)
					if err != nil {
						return
					}
				}
			})
		}
		all.Wait()
		for i, n := range moved {
			if got, want := float64(n)/20, float64(1<<20); math.Abs(got-want) > want/20 {
				t.Errorf("transfer %d got %.0f bytes/s, want %.0f", i, got, want)
			}
		}
	})
}

// TestModeZWritesInLargePieces: what compresses does not cost a system call, and a turn at the meters, for each few hundred bytes.
func TestModeZWritesInLargePieces(t *testing.T) {
	w := &writes{}
	c := &dataConn{Conn: w}
	c.deflate(&Server{}, defaultLevel)
	defer c.z.release()
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := c.z.finish(); err != nil {
		t.Fatal(err)
	}
	if w.bytes < len(b) || w.n > 2+w.bytes/bufferSize {
		t.Errorf("%d bytes went out in %d pieces", w.bytes, w.n)
	}
}

// TestThrottleForgets sees the meters of users go with their last transfer.
func TestThrottleForgets(t *testing.T) {
	srv, a := &Server{}, &auth.Account{Name: "joe", Limits: auth.Limits{Upload: 1}}
	_, one := srv.throttle.meters(srv, a, true)
	_, two := srv.throttle.meters(srv, a, true)
	one()
	if n := len(srv.throttle.users); n != 1 {
		t.Errorf("%d meters beside a transfer, want 1", n)
	}
	two()
	if n := len(srv.throttle.users); n != 0 {
		t.Errorf("%d meters without transfers, want none", n)
	}
}
