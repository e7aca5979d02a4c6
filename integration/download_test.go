package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// TestRETRWithTheBodyCutEvery3MB reads a large file over connections that break
// again and again: it arrives byte-equal, and each request but the first is
// pinned to the object. When the object is replaced in the middle the reply is
// 451 (or 426), and what has arrived is a part of the old one.
func TestRETRWithTheBodyCutEvery3MB(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w)
			data := random(3, 40<<20+12345)
			if err := w.store.Put(t.Context(), "big.bin", data); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var gets, pinned int
			get := func(r *http.Request) bool {
				if op := fault.Operation(r); op != "GetObject" && op != "objects.media" {
					return false
				}
				mu.Lock()
				defer mu.Unlock()
				gets++
				if r.Header.Get("If-Match") != "" || r.URL.Query().Has("generation") {
					pinned++
				}
				return true
			}
			w.proxy.Clear()
			w.proxy.Add(fault.Rule{Match: get, ReplyAfter: 3_000_000})
			c := g.login(t, false)
			if _, err := c.Expect(200, "TYPE I"); err != nil {
				t.Fatal(err)
			}
			got, err := c.Retrieve(t.Context(), "big.bin")
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
			}
			mu.Lock()
			if gets < len(data)/3_000_000 || pinned != gets-1 {
				t.Errorf("%d requests, %d of them pinned; want at least %d, all but the first", gets, pinned, len(data)/3_000_000)
			}
			mu.Unlock()

			// More than what is read ahead and all buffers on the way hold.
			data = random(4, 120<<20)
			if err := w.store.Put(t.Context(), "huge.bin", data); err != nil {
				t.Fatal(err)
			}
			d, err := c.Transfer(t.Context(), "RETR huge.bin")
			if err != nil {
				t.Fatal(err)
			}
			head := make([]byte, 1<<20)
			if _, err := io.ReadFull(d, head); err != nil {
				t.Fatal(err)
			}
			if err := w.store.Put(t.Context(), "huge.bin", random(5, len(data))); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(d)
			d.Close()
			r, err := c.ReadReply()
			if err != nil || r.Code != 451 && r.Code != 426 {
				t.Errorf("replaced in the middle: %v, %v; want 451 or 426", r, err)
			}
			if all := append(head, rest...); len(all) >= len(data) || !bytes.Equal(all, data[:len(all)]) {
				t.Errorf("replaced in the middle: %d bytes that are no part of the old object", len(all))
			}
		})
	}
}

// TestRETRAndABORAThousandTimes reads 100 KiB of a large file and calls it off, as
// devices do that look at the head of a file: no request and no connection is left.
func TestRETRAndABORAThousandTimes(t *testing.T) {
	w := newWorld(t, s3Kind)
	g := newGateway(t, w)
	if err := w.store.Put(t.Context(), "big.bin", random(5, 64<<20)); err != nil {
		t.Fatal(err)
	}
	fds := func() int {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.PID()))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	c := g.login(t, false)
	if _, err := c.Expect(200, "TYPE I"); err != nil {
		t.Fatal(err)
	}
	once := func() {
		d, err := c.Transfer(t.Context(), "RETR big.bin")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, d, 100<<10); err != nil {
			t.Fatal(err)
		}
		if err := c.Send("ABOR"); err != nil {
			t.Fatal(err)
		}
		d.Close()
		for _, want := range []int{426, 226} {
			if r, err := c.ReadReply(); err != nil || r.Code != want {
				t.Fatalf("%v, %v; want %d", r, err, want)
			}
		}
	}
	once()
	before := fds()
	for range 1000 {
		once()
	}
	eventually(t, "all requests have ended", func(context.Context) (bool, error) {
		n := w.proxy.Active()
		return n == 0, fmt.Errorf("%d are under way", n)
	})
	eventually(t, "no connection is left", func(context.Context) (bool, error) {
		n := fds()
		return n <= before+3, fmt.Errorf("%d descriptors, %d before", n, before)
	})
}
