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

// TestIdleSessions measures what a session costs that does nothing.
func TestIdleSessions(t *testing.T) {
	const n, limit = 1000, 15
	w := newWorld(t, localKind)
	g := newGateway(t, w, "limits: {connections: 3000}")
	hold := func(n int) []*clients.Conn {
		list := make([]*clients.Conn, n)
		for i := range list {
			list[i] = g.login(t, false)
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
	list := hold(n)
	// They have all been served: each answers once more, then the garbage is left to the runtime.
	for _, c := range list {
		if _, err := c.Expect(257, "PWD"); err != nil {
			t.Fatal(err)
		}
	}
	each := float64(pss()-base) / n
	t.Logf("an idle session costs %.1f KiB over a base of %d KiB", each, base)
	if each > limit {
		t.Errorf("an idle session costs %.1f KiB, want at most %d", each, limit)
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
