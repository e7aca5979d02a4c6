package integration

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/listing"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// Test300Uploads lets 300 clients upload at the same time while all uploads
// together may use 64 MiB. None may fail, and the process stays small.
func Test300Uploads(t *testing.T) {
	const n, size = 300, 1 << 20
	w := newWorld(t, s3Kind)
	g := newGateway(t, w, "memory: {upload_budget: 64MiB}")
	body := random(3, size)

	// All are logged in and have their data connection before the first byte is sent.
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		ready.Add(1)
		done.Add(1)
		go func() { // ends with its upload
			defer done.Done()
			errs <- func() error {
				c, err := clients.Login(t.Context(), g.target)
				if err != nil {
					ready.Done()
					return err
				}
				defer c.Close()
				d, err := c.Transfer(t.Context(), fmt.Sprintf("STOR load-%03d.bin", i))
				ready.Done()
				if err != nil {
					return err
				}
				<-start
				_, err = d.Write(body)
				d.Close()
				if err != nil {
					return err
				}
				r, err := c.ReadReply()
				if err != nil || r.Code != 226 {
					return fmt.Errorf("upload %d: %q, %v; want 226", i, r.Text, err)
				}
				return c.Quit()
			}()
		}()
	}
	ready.Wait()
	before := time.Now()
	close(start)
	done.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	peak := kib(t, g.PID(), "status", "VmHWM")
	t.Logf("300 uploads of 1 MiB in %s; peak memory of the gateway %d MiB", time.Since(before).Round(time.Millisecond), peak>>10)
	if peak > 200<<10 {
		t.Errorf("peak memory %d MiB, want less than 200", peak>>10)
	}
	for i := range n {
		w.wantObject(t, fmt.Sprintf("load-%03d.bin", i), body)
	}
	w.wantNoUploads(t)
}

// TestIdleSessions measures what each of 10,000 sessions costs that do nothing.
func TestIdleSessions(t *testing.T) {
	const limit = 12 // KiB
	n := openFiles(t, 10_000, 1000)
	w := newWorld(t, localKind)
	// What is measured is what sessions hold, and not the garbage of 10,000 logins that the collector has not seen yet.
	w.env = append(w.env, "GOGC=25")
	g := newGateway(t, w, fmt.Sprintf("limits: {connections: %d}", n+100))
	hold := func(n int) []*clients.Conn {
		list := make([]*clients.Conn, n)
		var next atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { // ends when all are logged in
				for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
					c, err := clients.Login(t.Context(), g.target)
					if err != nil {
						t.Error(err)
						return
					}
					t.Cleanup(func() { c.Close() })
					// It has been served: it answers once more, then the garbage is left to the runtime.
					if _, err := c.Expect(257, "PWD"); err != nil {
						t.Error(err)
					}
					list[i] = c
				}
			})
		}
		if wg.Wait(); t.Failed() {
			t.FailNow()
		}
		return list
	}
	pss := func() int { return kib(t, g.PID(), "smaps_rollup", "Pss") }
	// The first sessions pay for what all share: code that is paged in, heap that is begun.
	for _, c := range hold(100) {
		if err := c.Quit(); err != nil {
			t.Fatal(err)
		}
	}
	g.waitNoSessions(t)
	base := pss()
	hold(n)
	if got, err := g.metric(t.Context(), "ftp_gateway_sessions"); err != nil || got != float64(n) {
		t.Fatalf("%v sessions, %v; want %d", got, err, n)
	}
	each := float64(pss()-base) / float64(n)
	t.Logf("each of %d idle sessions costs %.1f KiB over a base of %d KiB", n, each, base)
	if each > limit {
		t.Errorf("each of %d idle sessions costs %.1f KiB, want at most %d", n, each, limit)
	}
}

// openFiles sees to it that this process and those that it starts may have n files open, and some more. It returns how many
// of the n the machine allows.
func openFiles(t *testing.T, n, more int) int {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	want := uint64(n + more)
	if l.Cur >= want {
		return n
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: max(want, l.Max)}); err != nil {
		n = int(l.Cur) - more
		t.Logf("this machine allows %d open files (%v): %d instead of %d", l.Cur, err, n, int(want)-more)
	}
	return n
}

// TestDescriptorsWarned starts the gateway where fewer files may be open than its sessions can need: it says so with the numbers,
// and serves.
func TestDescriptorsWarned(t *testing.T) {
	for _, tt := range []struct {
		files int
		want  bool
	}{{500, true}, {700, false}} {
		w := newWorld(t, localKind)
		g := prepareGateway(t, w, "limits: {connections: 200}")
		// Both limits: Go raises the soft one to the hard one.
		g.options.Wrap = []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, tt.files)}
		g.start(t, t)
		if r, err := g.login(t, false).Store(t.Context(), "a.bin", random(1, 1000)); err != nil || r.Code != 226 {
			t.Errorf("%d files: %q, %v; want 226", tt.files, r.Text, err)
		}
		said := strings.Contains(g.Log(), "200 sessions that transfer need 700 open files, and the system allows 500")
		if said != tt.want || strings.Contains(g.Log(), "open files") != tt.want {
			t.Errorf("%d files: warned: %t, want %t\n%s", tt.files, said, tt.want, g.Log())
		}
	}
}

// TestLongListing lists a directory of 100,000 objects. The first line has to arrive while
// the store still keeps the second page back, and the listing must not be collected in memory.
func TestLongListing(t *testing.T) {
	const count, limit = 100_000, 20 << 10
	var gate atomic.Pointer[chan struct{}] // the one of the listing under way
	b := &listing.Bucket{Name: bucket, Prefix: "big/", Count: count, BeforePage: func(r *http.Request, n int) {
		if n >= 2 {
			select {
			case <-*gate.Load():
			case <-r.Context().Done():
			}
		}
	}}
	fake := httptest.NewServer(b)
	defer fake.Close()
	w := newWorld(t, localKind) // for its certificates; the back end is replaced
	w.yaml = fmt.Sprintf("{type: s3, bucket: %s, region: %s, endpoint: %q, path_style: true}", bucket, servers.S3Region, fake.URL)
	w.env = servers.Environment("")
	g := newGateway(t, w)

	for _, cmd := range []string{"LIST", "MLSD", "NLST"} {
		t.Run(cmd, func(t *testing.T) {
			open := make(chan struct{})
			gate.Store(&open)
			c := g.login(t, false)
			if _, err := c.Expect(250, "CWD /big"); err != nil {
				t.Fatal(err)
			}
			forgetPeak(t, g.PID())
			idle := kib(t, g.PID(), "status", "VmRSS")
			d, err := c.Transfer(t.Context(), cmd)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			d.SetReadDeadline(time.Now().Add(clients.Patience))
			if cmd == "NLST" {
				// A page of bare names is smaller than the buffer of the data connection, so only the
				// memory and the end of it can be seen.
				close(open)
			}
			r := bufio.NewReader(d)
			line, err := r.ReadString('\n')
			if cmd == "MLSD" { // the directory and its parent come first
				for range 2 {
					if err == nil && strings.HasPrefix(line, "type=") && !strings.HasPrefix(line, "type=file") {
						line, err = r.ReadString('\n')
					}
				}
			}
			if err != nil || !strings.Contains(line, "f00000001.jpg") {
				t.Fatalf("first line %q, %v; it has to come before the second page", line, err)
			}
			if cmd != "NLST" {
				close(open)
			}
			lines, last := 1, line
			for {
				line, err := r.ReadString('\n')
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				lines, last = lines+1, line
			}
			if lines != count || !strings.Contains(last, fmt.Sprintf("f%08d.jpg", count)) {
				t.Errorf("%d lines, the last %q; want %d", lines, last, count)
			}
			if r, err := c.ReadReply(); err != nil || r.Code != 226 {
				t.Errorf("%q, %v; want 226", r.Text, err)
			}
			over := kib(t, g.PID(), "status", "VmHWM") - idle
			t.Logf("%s of %d objects: %d KiB over idle", cmd, count, over)
			if over > limit {
				t.Errorf("%d KiB over idle, want at most %d", over, limit)
			}
			if err := c.Quit(); err != nil {
				t.Error(err)
			}
		})
	}
}
