package integration

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/listing"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// Test42MillionKeys lists a million objects of a bucket that only counts their names out: no store that can
// be started here holds so many in a time that a test has.
func Test42MillionKeys(t *testing.T) {
	const count, limit = 1_000_000, 20 << 10 // KiB
	var pages atomic.Int64
	var gate atomic.Pointer[chan struct{}] // of the listing under way: holds the second page back
	b := &listing.Bucket{Name: bucket, Prefix: "big/", Count: count, BeforePage: func(r *http.Request, n int) {
		pages.Add(1)
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
	c := g.login(t, false)
	if _, err := c.Expect(250, "CWD /big"); err != nil {
		t.Fatal(err)
	}
	begin := func() (*clients.Data, *bufio.Reader) {
		open := make(chan struct{})
		gate.Store(&open)
		d, err := c.Transfer(t.Context(), "LIST")
		if err != nil {
			t.Fatal(err)
		}
		d.SetReadDeadline(time.Now().Add(clients.Patience))
		r := bufio.NewReader(d)
		line, err := r.ReadString('\n')
		if err != nil || !strings.Contains(line, "f00000001.jpg") {
			t.Fatalf("first line %q, %v; it has to come before page 2 has been delivered", line, err)
		}
		close(open)
		return d, r
	}

	// A client that goes away stops the paging.
	d, _ := begin()
	d.Reset()
	if r, err := c.ReadReply(); err != nil || r.Code != 426 {
		t.Errorf("after the client has gone: %q, %v; want 426", r.Text, err)
	}
	// What the sockets between took before the reset was seen, and the page ahead: far from all.
	at := pages.Load()
	if at > count/1000/4 {
		t.Errorf("%d pages were asked for", at)
	}
	expect(t, c, "257 PWD")
	if now := pages.Load(); now > at+1 {
		t.Errorf("%d pages, %d when the transfer had ended: the paging goes on", now, at)
	}

	forgetPeak(t, g.PID())
	idle := kib(t, g.PID(), "status", "VmRSS")
	d, r := begin()
	defer d.Close()
	d.SetReadDeadline(time.Time{})
	lines := 1
	for {
		_, err := r.ReadSlice('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		lines++
	}
	if r, err := c.ReadReply(); err != nil || r.Code != 226 || lines != count {
		t.Errorf("%d lines, %q, %v; want %d and 226", lines, r.Text, err, count)
	}
	over := kib(t, g.PID(), "status", "VmHWM") - idle
	t.Logf("LIST of %d objects: %d KiB over idle", count, over)
	if over > limit {
		t.Errorf("%d KiB over idle, want at most %d", over, limit)
	}
}
