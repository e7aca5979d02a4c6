package integration

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// crowd lets n clients upload body at once, each in a session of its own, and returns their last replies by code. All
// have their data connection before the first byte is sent. A session that breaks is an error of the test.
func crowd(t *testing.T, g *gateway, prefix string, n int, body []byte) map[int]int {
	t.Helper()
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for i := range n {
		ready.Add(1)
		done.Go(func() { // ends with its upload
			var once sync.Once
			here := func() { once.Do(ready.Done) }
			defer here()
			code, err := func() (int, error) {
				c, err := clients.Login(t.Context(), g.target)
				if err != nil {
					return 0, err
				}
				defer c.Close()
				d, err := c.Transfer(t.Context(), fmt.Sprintf("STOR %s%04d.bin", prefix, i))
				if err != nil {
					return 0, err
				}
				here()
				<-start
				_, werr := d.Write(body)
				d.Close()
				r, err := c.ReadReply()
				if err == nil && r.Code == 226 {
					err = werr
				}
				return r.Code, err
			}()
			if err != nil {
				t.Errorf("upload %d: %v", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return codes
}

const many = "limits: {connections: 5000, per_ip: 0, per_user: 0, login_delay: 0s}"

// Test20SlowDownStorm lets the store refuse all writes for four seconds while 500 clients upload: all succeed. One that
// goes on for longer than the time for a commit is 451 for all, leaves nothing, and takes nothing of the gateway with it.
func Test20SlowDownStorm(t *testing.T) {
	const n = 500
	slow := fault.Rule{Status: http.StatusServiceUnavailable, Body: `<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>slow down</Message></Error>`}
	w := newWorld(t, s3Kind)
	g := newGateway(t, w, many, "memory: {upload_budget: 64MiB}")
	body := random(20, 100<<10)
	goroutines := func() float64 {
		v, err := g.metric(t.Context(), "go_goroutines")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	var first atomic.Pointer[time.Time]
	slow.Match = func(r *http.Request) bool {
		if fault.Operation(r) != "PutObject" {
			return false
		}
		now := time.Now()
		first.CompareAndSwap(nil, &now)
		return now.Sub(*first.Load()) < 4*time.Second
	}
	w.proxy.Add(slow)
	if codes := crowd(t, g, "short-", n, body); codes[226] != n {
		t.Errorf("replies %v, want %d times 226", codes, n)
	}
	if puts := w.proxy.Count("PutObject"); puts < 2*n {
		t.Errorf("%d requests for %d uploads: there was no storm", puts, n)
	}
	if got := len(w.files(t, "short-")); got != n {
		t.Errorf("%d objects, want %d", got, n)
	}

	g2 := newGateway(t, w, strings.TrimSuffix(many, "}")+", commit: 3s}", "memory: {upload_budget: 64MiB}")
	g = g2
	before := goroutines()
	w.proxy.Clear()
	slow.Match = fault.Op("PutObject")
	w.proxy.Add(slow)
	if codes := crowd(t, g, "long-", n, body); codes[451] != n {
		t.Errorf("replies %v, want %d times 451", codes, n)
	}
	w.proxy.Clear()
	if got := w.files(t, "long-"); len(got) > 0 {
		t.Errorf("%d objects of uploads that were told 451", len(got))
	}
	w.wantNoUploads(t)
	g.waitNoSessions(t)
	eventually(t, "the goroutines of the storm are gone", func(context.Context) (bool, error) {
		// Idle connections to the store keep two each, and the pool of them is bounded.
		now := goroutines()
		return now <= before+2*n+20, fmt.Errorf("%v goroutines, %v before", now, before)
	})
	c := g.login(t, false)
	if r, err := c.Store(t.Context(), "after.bin", body); err != nil || r.Code != 226 {
		t.Errorf("an upload behind the storm: %q, %v", r.Text, err)
	}
}

// Test12SlowBesideFast lets 20 clients be in the middle of 2 MiB, where each could ask for a whole part, 100 MiB together, and
// stop there or go on with 20 KiB/s. With 64 MiB for all, 500 uploads of 300 KiB at once, 150 MiB, have to
// have their 226 before any of the slow ones has sent its last byte. In the end these are whole as well.
func Test12SlowBesideFast(t *testing.T) {
	for _, tt := range []struct {
		name string
		drip int // bytes in 50 ms
	}{{"stopped", 0}, {"20 KiB per second", 1 << 10}} {
		t.Run(tt.name, func(t *testing.T) { slowBesideFast(t, tt.drip) })
	}
}

func slowBesideFast(t *testing.T, drip int) {
	const slow, fast = 20, 500
	w := newWorld(t, s3Kind)
	g := newGateway(t, w, many, "memory: {upload_budget: 64MiB}")
	body := random(12, 2<<20)
	answered := make(chan struct{}) // all fast ones
	answer := sync.OnceFunc(func() { close(answered) })
	var dripping sync.WaitGroup
	defer dripping.Wait()
	defer answer()
	held := 0
	for i := range slow {
		c := g.login(t, false)
		name := fmt.Sprintf("slow-%02d.bin", i)
		d, err := c.Transfer(t.Context(), "STOR "+name)
		if err != nil {
			t.Fatal(err)
		}
		sent := (20 + 70*i) << 10
		if _, err := d.Write(body[:sent]); err != nil {
			t.Fatal(err)
		}
		held += sent
		dripping.Go(func() { // ends with its upload
			pace := time.NewTicker(50 * time.Millisecond)
			defer pace.Stop()
			for open := true; open && sent < len(body); {
				more := drip
				select {
				case <-answered:
					open, more = false, len(body)-sent
				case <-pace.C:
				}
				more = min(more, len(body)-sent)
				if _, err := d.Write(body[sent : sent+more]); err != nil {
					t.Errorf("slow upload %d: %v", i, err)
					return
				}
				if sent += more; sent == len(body) && open {
					t.Errorf("slow upload %d has sent everything, and fast ones still wait", i)
				}
			}
			d.Close()
			if r, err := c.ReadReply(); err != nil || r.Code != 226 {
				t.Errorf("slow upload %d: %q, %v; want 226", i, r.Text, err)
			}
		})
	}
	eventually(t, "the gateway has what the slow clients have sent", func(ctx context.Context) (bool, error) {
		n, err := g.metric(ctx, "ftp_gateway_upload_memory_used_bytes")
		return n >= float64(held), err
	})
	codes := crowd(t, g, "fast-", fast, random(13, 300<<10))
	if got := w.files(t, "slow-"); len(got) > 0 {
		t.Errorf("%q are there, although their clients have not ended", got)
	}
	answer()
	if codes[226] != fast {
		t.Errorf("replies %v to the fast uploads, want %d times 226", codes, fast)
	}
	dripping.Wait()
	for i := range slow {
		w.wantObject(t, fmt.Sprintf("slow-%02d.bin", i), body)
	}
}

// Test11MemoryOfUploads holds the peak of the gateway's memory against the formula: a base, and for each upload at once
// 40 KiB and the first 256 KiB at most, and the budget.
func Test11MemoryOfUploads(t *testing.T) {
	const base = 90 << 10 // KiB: the program, its garbage and its pools
	for _, tt := range []struct {
		kind     string
		n, size  int
		limit    int // KiB
		sessions int // at once; 0 for all
	}{
		{kind: s3Kind, n: 500, size: 64 << 10, limit: base + 500*(40+64) + 64<<10},
		{kind: s3Kind, n: 500, size: 3 << 20, limit: base + 500*(40+256) + 64<<10},
		{kind: s3Kind, n: 100, size: 20 << 20, limit: base + 100*(40+256) + 64<<10},
		{kind: gcsKind, n: 3000, size: 64 << 10, limit: 200 << 10, sessions: 1000},
	} {
		t.Run(fmt.Sprintf("%s/%d x %d KiB", tt.kind, tt.n, tt.size>>10), func(t *testing.T) {
			w := newWorld(t, tt.kind)
			g := newGateway(t, w, many, "memory: {upload_budget: 64MiB}")
			body := random(11, tt.size)
			at := tt.sessions
			if at == 0 {
				at = tt.n
			}
			for round := range tt.n / at {
				if codes := crowd(t, g, fmt.Sprintf("m%d-", round), at, body); codes[226] != at {
					t.Fatalf("replies %v, want %d times 226", codes, at)
				}
			}
			peak := kib(t, g.PID(), "status", "VmHWM")
			t.Logf("%d uploads of %d KiB to %s, %d at once: peak %d MiB, limit %d MiB", tt.n, tt.size>>10, tt.kind, at, peak>>10, tt.limit>>10)
			if peak > tt.limit {
				t.Errorf("peak %d MiB, want at most %d", peak>>10, tt.limit>>10)
			}
			w.wantNoUploads(t)
		})
	}
}

// Test27ClockSkew lets the store take the gateway's clock for wrong, as its answer's Date shows by how much: the request
// is signed anew with the time that the store has.
func Test27ClockSkew(t *testing.T) {
	w := newWorld(t, s3Kind)
	g := newGateway(t, w)
	ahead := time.Now().Add(20 * time.Minute).UTC()
	var dates atomic.Pointer[string]
	w.proxy.Add(fault.Rule{
		Match: func(r *http.Request) bool {
			if fault.Operation(r) != "PutObject" {
				return false
			}
			d := r.Header.Get("X-Amz-Date")
			dates.Store(&d)
			at, err := time.Parse("20060102T150405Z", d)
			return err == nil && at.Before(ahead.Add(-15*time.Minute))
		},
		Status: http.StatusForbidden,
		Header: http.Header{"Date": {ahead.Format(http.TimeFormat)}},
		Body:   `<?xml version="1.0"?><Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>`,
	})
	// What the gateway signs now, the real store takes for the skewed one.
	w.proxy.Add(fault.Rule{Match: fault.Op("PutObject"), Status: http.StatusOK, Header: http.Header{"Etag": {`"e"`}}})
	c := g.login(t, false)
	r, err := c.Store(t.Context(), "skewed.bin", random(27, 1000))
	if err != nil || r.Code != 226 {
		t.Errorf("%q, %v; want 226", r.Text, err)
	}
	at, err := time.Parse("20060102T150405Z", *dates.Load())
	if err != nil || at.Before(ahead.Add(-time.Minute)) {
		t.Errorf("the last request was signed at %v, want the time of the store, %v", at, ahead)
	}
	if n := w.proxy.Count("PutObject"); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}
