package object_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// paced is a Store whose connections deliver rate bytes per second each, the
// first after a latency. It runs in a bubble, where the time costs nothing.
type paced struct {
	*object.Mem
	latency time.Duration
	rate    int // 0: at once
	open    atomic.Int32
	most    atomic.Int32
	pinned  atomic.Int32
	before  func(n int) // called before the nth request
	asked   atomic.Int32
}

func (p *paced) GetRange(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, object.Attrs, error) {
	if p.before != nil {
		p.before(int(p.asked.Add(1)))
	}
	if etag != "" {
		p.pinned.Add(1)
	}
	time.Sleep(p.latency)
	body, a, err := p.Mem.GetRange(ctx, key, etag, off, n)
	if err != nil {
		return nil, a, err
	}
	now := p.open.Add(1)
	p.most.Store(max(p.most.Load(), now))
	return &pacedBody{body, p, false}, a, nil
}

type pacedBody struct {
	io.ReadCloser
	p      *paced
	closed bool
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), 32<<10)])
	if b.p.rate > 0 {
		time.Sleep(time.Second * time.Duration(n) / time.Duration(b.p.rate))
	}
	return n, err
}

func (b *pacedBody) Close() error {
	if !b.closed {
		b.closed = true
		b.p.open.Add(-1)
	}
	return b.ReadCloser.Close()
}

func long(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>16) ^ byte(i*7)
	}
	return b
}

// downloads returns a tree over a paced store with the object "f".
func downloads(t *testing.T, size int, budget *object.Budget) (*paced, *object.FS, []byte) {
	t.Helper()
	p := &paced{Mem: object.NewMem(budget, 5<<20)}
	data := long(size)
	p.Set("f", data)
	tree, err := object.New(p, object.Options{Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	return p, tree, data
}

// settled wants all memory back and all bodies closed.
func settled(t *testing.T, p *paced, b *object.Budget) {
	t.Helper()
	if b.InUse() != 0 || b.Reserved() != 0 || b.ReadingAhead() != 0 || p.open.Load() != 0 {
		t.Errorf("%d bytes in use, %d reserved, %d read ahead, %d bodies open; want none", b.InUse(), b.Reserved(), b.ReadingAhead(), p.open.Load())
	}
}

// A small file is exactly one request; a large one is one for each range, all but the first pinned.
func TestDownloadRequests(t *testing.T) {
	const r = 8 << 20
	for _, c := range []struct {
		size, from, want int
	}{{0, 0, 1}, {1, 0, 1}, {r, 0, 1}, {r + 1, 0, 2}, {5*r + 17, 0, 6}, {5 * r, 3*r + 5, 2}, {r, r, 1}} {
		b := object.NewBudget(256 << 20)
		p, tree, data := downloads(t, c.size, b)
		f, err := tree.OpenFrom("/f", int64(c.from))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(got, data[c.from:]) {
			t.Errorf("%d bytes from %d: got %d, %v", c.size, c.from, len(got), err)
		}
		f.Close()
		if n := p.Requests()["get"]; n != c.want || p.Requests()["head"] != 0 {
			t.Errorf("%d bytes from %d: requests %v, want %d", c.size, c.from, p.Requests(), c.want)
		}
		if n := int(p.pinned.Load()); n != c.want-1 {
			t.Errorf("%d bytes from %d: %d requests were pinned, want %d", c.size, c.from, n, c.want-1)
		}
		settled(t, p, b)
	}
}

// A client that is faster than one connection gets up to eight of them; the
// store here gives 40 MB/s to each after 30 ms.
func TestDownloadFastClient(t *testing.T) {
	run := func(b *object.Budget) (took time.Duration, most int) {
		synctest.Test(t, func(t *testing.T) {
			own := b
			if own == nil {
				own = object.NewBudget(64 << 20)
			}
			p, _, data := downloads(t, 128<<20, own)
			p.latency, p.rate = 30*time.Millisecond, 40_000_000
			tree, err := object.New(p, object.Options{Budget: b})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			f, err := tree.Open("/f")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			buf := make([]byte, 64<<10)
			for at := 0; ; {
				n, err := f.Read(buf)
				if !bytes.Equal(buf[:n], data[at:at+n]) {
					t.Fatalf("other bytes at %d", at)
				}
				at += n
				if err == io.EOF {
					if at != len(data) {
						t.Fatalf("%d bytes", at)
					}
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			took, most = time.Since(start), int(p.most.Load())
			f.Close()
			settled(t, p, own)
		})
		return took, most
	}
	single, most := run(nil)
	if most != 1 {
		t.Errorf("without a budget: %d requests at a time, want 1", most)
	}
	window, most := run(object.NewBudget(256 << 20))
	if most < 6 || most > 8 { // a range that has arrived and waits for the client is one of the eight
		t.Errorf("%d requests at a time, want six to eight", most)
	}
	// Time is virtual: the ratio is the same on every machine.
	if window*3 > single {
		t.Errorf("window took %s, a single connection %s: want at least three times as fast", window, single)
	}
	t.Logf("128 MiB at 40 MB/s per connection and 30 ms: one connection %s, window %s (%.1f times as fast)", single, window, float64(single)/float64(window))
}

// A client that is slower than one connection has one, and no memory.
func TestDownloadSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := object.NewBudget(256 << 20)
		p, tree, _ := downloads(t, 40<<20, b)
		p.latency, p.rate = 30*time.Millisecond, 40_000_000
		f, err := tree.Open("/f")
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64<<10)
		for {
			_, err := f.Read(buf)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(60 * time.Millisecond) // about 1 MB/s
			if n := b.ReadingAhead(); n > 0 {
				t.Fatalf("%d bytes are read ahead", n)
			}
		}
		if n := p.most.Load(); n != 1 {
			t.Errorf("%d requests at a time, want 1", n)
		}
		f.Close()
		settled(t, p, b)
	})
}

// Memory that was used for reading ahead goes to an upload that needs it, and
// the download goes on with the same bytes.
func TestDownloadGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := object.NewBudget(64 << 20)
		p, tree, data := downloads(t, 100<<20, b)
		p.rate = 10_000_000
		f, err := tree.Open("/f")
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := io.CopyN(&got, f, 20<<20); err != nil {
			t.Fatal(err)
		}
		if n := b.ReadingAhead(); n == 0 || n > 32<<20 {
			t.Fatalf("%d bytes are read ahead, want some and at most half of the budget", n)
		}
		// Thirteen parts of 5 MiB do not fit beside it.
		var ups []object.Upload
		for i := range 13 {
			u, err := p.Put(t.Context(), strings.Repeat("x", i+1), object.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			ups = append(ups, u)
		}
		done := make(chan error, len(ups))
		start := time.Now()
		for _, u := range ups {
			go func() {
				_, err := u.Write(make([]byte, 5<<20))
				done <- err
			}()
		}
		for range ups[:11] { // the budget has room for twelve parts, one of them is kept aside
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("the uploads waited %s for a download that nobody reads", d)
		}
		time.Sleep(time.Second) // for the blocks that were being filled
		if n := b.ReadingAhead(); n != 0 {
			t.Errorf("%d bytes are still read ahead", n)
		}
		for _, u := range ups {
			u.Abort(t.Context())
		}
		if _, err := io.Copy(&got, f); err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("%d bytes, %v; want the %d of the object", got.Len(), err, len(data))
		}
		f.Close()
		synctest.Wait()
		settled(t, p, b)
	})
}

// The object is replaced, or deleted, in the middle: an error, never a mix.
func TestDownloadChanged(t *testing.T) {
	for what, change := range map[string]func(p *paced){
		"replaced": func(p *paced) { p.Set("f", bytes.Repeat([]byte("new"), 30<<20)) },
		"deleted":  func(p *paced) { p.Delete(context.Background(), "f", "") },
		"shorter":  func(p *paced) { p.Set("f", []byte("new")) },
	} {
		t.Run(what, func(t *testing.T) {
			b := object.NewBudget(64 << 20)
			p, tree, data := downloads(t, 60<<20, b)
			p.before = func(n int) {
				if n == 4 {
					change(p)
				}
			}
			f, err := tree.Open("/f")
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(f)
			if !errors.Is(err, vfs.ErrBusy) || len(got) >= len(data) || !bytes.Equal(got, data[:len(got)]) {
				t.Errorf("%d bytes, %v; want a part of the old object and vfs.ErrBusy", len(got), err)
			}
			f.Close()
			settled(t, p, b)
		})
	}
}

// A client that goes away in the middle leaves no request and no memory.
func TestDownloadAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := object.NewBudget(256 << 20)
		p, tree, _ := downloads(t, 200<<20, b)
		p.rate = 10_000_000
		for _, n := range []int64{0, 100 << 10, 9 << 20, 50 << 20} {
			f, err := tree.Open("/f")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, f, n); err != nil {
				t.Fatal(err)
			}
			f.Close()
			settled(t, p, b)
		}
	})
}
