package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// A bit flips on the way: the server refuses, the part is sent again from memory.
func TestDamagedOnTheWay(t *testing.T) {
	for _, size := range []int{1000, 2*minPart + 1} {
		f := newFake(t)
		f.setBefore(func(op string, n int, _ http.ResponseWriter, r *http.Request) bool {
			if (op == "put" || op == "part") && n == 1 {
				b, _ := io.ReadAll(r.Body)
				b[len(b)/2] ^= 1
				r.Body = io.NopCloser(bytes.NewReader(b))
			}
			return false
		})
		s, _ := f.open(nil)
		if err := put(s, t.Context(), "f", random(size), object.PutOptions{}); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		f.holds("f", random(size))
	}
}

// Damaged again and again, as by a broken memory: the bytes are sent twice, and nothing is published.
func TestDamagedTwice(t *testing.T) {
	for _, op := range []string{"put", "part", "complete"} {
		for _, code := range []string{"BadDigest", "XAmzContentChecksumMismatch"} {
			f := newFake(t)
			f.set("f", []byte("old"))
			f.setBefore(func(o string, _ int, w http.ResponseWriter, r *http.Request) bool {
				if o != op {
					return false
				}
				io.Copy(io.Discard, r.Body)
				refuse(w, 400, code)
				return true
			})
			s, _ := f.open(nil)
			size := 1000
			if op != "put" {
				size = minPart + 1
			}
			if op == "part" {
				s.o.Parallel = 1
			}
			if err := put(s, t.Context(), "f", random(size), object.PutOptions{}); !errors.Is(err, vfs.ErrUnavailable) {
				t.Errorf("%s answered with %s: %v, want vfs.ErrUnavailable", op, code, err)
			}
			f.holds("f", []byte("old"))
			if n := f.count(op); n != 2 {
				t.Errorf("%s answered with %s: sent %d times, want 2", op, code, n)
			}
		}
	}
}

// An answer is lost after the server has done it.
func TestLostAnswers(t *testing.T) {
	for _, absent := range []bool{false, true} {
		for _, op := range []string{"put", "begin", "part", "complete"} {
			for _, profile := range []string{"minio", "generic"} {
				t.Run(fmt.Sprint(profile, " ", op, " ", absent), func(t *testing.T) {
					t.Parallel() // they wait for their second attempt
					lostAnswer(t, profile, op, absent)
				})
			}
		}
	}
}

func lostAnswer(t *testing.T, profile, op string, absent bool) {
	f := newFake(t)
	f.setAfter(func(o string, n int) bool { return o == op && n == 1 })
	s, _ := f.open(func(o *Options) { o.Profile = profile })
	size := minPart + 1
	if op == "put" {
		size = 100
	}
	if err := put(s, t.Context(), "f", random(size), object.PutOptions{IfAbsent: absent}); err != nil {
		t.Error(err)
	}
	if op == "begin" {
		// The first upload has no name that we know; that is the janitor's.
		if n, err := s.AbortStale(t.Context(), "", -time.Hour, nil); n != 1 || err != nil {
			t.Errorf("AbortStale: %d, %v, want 1", n, err)
		}
	}
	f.holds("f", random(size))
}

// The upload has vanished, and what is there is not it.
func TestCompleteVanished(t *testing.T) {
	f := newFake(t)
	f.set("f", []byte("old"))
	f.setBefore(func(op string, _ int, _ http.ResponseWriter, _ *http.Request) bool {
		if op == "complete" {
			f.mu.Lock()
			clear(f.uploads)
			f.mu.Unlock()
		}
		return false
	})
	s, _ := f.open(nil)
	if err := put(s, t.Context(), "f", random(minPart+1), object.PutOptions{}); !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("got %v, want vfs.ErrUnavailable", err)
	}
	f.holds("f", []byte("old"))
}

// For a while the server says 503 SlowDown to everybody. The SDK's own quota of
// retries would fail nearly all uploads.
func TestSlowDown(t *testing.T) {
	f := newFake(t)
	var refused atomic.Int32
	f.setBefore(func(op string, _ int, w http.ResponseWriter, r *http.Request) bool {
		if op == "put" && refused.Add(1) <= 600 {
			io.Copy(io.Discard, r.Body)
			refuse(w, 503, "SlowDown")
			return true
		}
		return false
	})
	s, _ := f.open(nil)
	const uploads = 250
	var failed atomic.Int32
	var wg sync.WaitGroup
	for i := range uploads {
		wg.Go(func() {
			if err := put(s, t.Context(), fmt.Sprint(i), random(1000+i), object.PutOptions{}); err != nil {
				failed.Add(1)
				t.Logf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d uploads failed", n, uploads)
	}
	for i := range uploads {
		f.holds(fmt.Sprint(i), random(1000+i))
	}
}

// A part is refused for good: the others end, the upload is aborted, the old object stays.
func TestPartRefused(t *testing.T) {
	f := newFake(t)
	f.set("f", []byte("old"))
	f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
		if op == "part" && r.URL.Query().Get("partNumber") == "3" {
			io.Copy(io.Discard, r.Body)
			refuse(w, 403, "AccessDenied")
			return true
		}
		return false
	})
	s, _ := f.open(nil)
	if err := put(s, t.Context(), "f", random(5*minPart), object.PutOptions{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want fs.ErrPermission", err)
	}
	f.holds("f", []byte("old"))
	if f.count("abort") == 0 || f.count("complete") != 0 {
		t.Errorf("requests %v, want an abort", f.counts)
	}
}

// A part lands after the upload was aborted: aborted once more.
func TestAbortAgain(t *testing.T) {
	f := newFake(t)
	var kept *fakeUpload
	var id string
	f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if op == "abort" && n == 1 {
			id = r.URL.Query().Get("uploadId")
			kept = f.uploads[id]
		}
		if op == "list parts" && n == 1 {
			f.uploads[id] = kept
		}
		return false
	})
	s, _ := f.open(nil)
	ctx, cancel := context.WithCancel(t.Context())
	u, _ := s.Put(ctx, "f", object.PutOptions{})
	if _, err := u.Write(random(2*minPart + 1)); err != nil {
		t.Fatal(err)
	}
	f.waitPart()
	cancel()
	if err := u.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	f.holds("f", nil)
	if f.count("abort") != 2 {
		t.Errorf("%d aborts, want 2", f.count("abort"))
	}
}

// A server that takes no bytes, or gives none, does not hold a request for ever.
func TestBlackHole(t *testing.T) {
	for _, op := range []string{"put", "part", "complete", "head", "get body"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel() // they wait
			blackHole(t, op)
		})
	}
}

func blackHole(t *testing.T, op string) {
	f := newFake(t)
	f.set("g", random(1<<20))
	var hung atomic.Int32
	over := make(chan struct{})
	f.setBefore(func(o string, n int, w http.ResponseWriter, r *http.Request) bool {
		if op == "get body" && o == "get" && n == 1 {
			w.Header().Set("Content-Length", fmt.Sprint(1<<20))
			w.Header().Set("ETag", newObject(random(1<<20), "").etag)
			w.Write(random(1 << 20)[:1000])
			w.(http.Flusher).Flush()
		} else if o != op || n > 1 {
			return false
		}
		hung.Add(1)
		<-over // nothing is read, nothing said
		panic(http.ErrAbortHandler)
	})
	s, _ := f.open(func(o *Options) { o.StallTimeout = 2 * time.Second; o.HeaderTimeout = 2 * time.Second })
	s.sizes = s.profile.sizes(s.o) // more than the buffers of sockets hold
	var err error
	switch op {
	case "head":
		_, err = s.Head(t.Context(), "g")
	case "get body":
		var b []byte
		b, _, err = get(s, t.Context(), "g", 0)
		if !bytes.Equal(b, random(1<<20)) {
			t.Errorf("got %d bytes that differ", len(b))
		}
	case "put":
		err = put(s, t.Context(), "f", random(4<<20), object.PutOptions{})
	default:
		err = put(s, t.Context(), "f", random(2*leastPart), object.PutOptions{})
	}
	close(over)
	if err != nil || hung.Load() != 1 {
		t.Errorf("%s: %v, hung %d times, want success after one", op, err, hung.Load())
	}
	if n := f.pending(); n > 0 {
		t.Errorf("%s: %d uploads are left", op, n)
	}
}

// A body that breaks off again and again is read to its end, by ranges of one object.
func TestGetBroken(t *testing.T) {
	f := newFake(t)
	data := random(10<<20 + 17)
	f.set("f", data)
	f.cut = 3 << 20
	s, _ := f.open(nil)
	for _, off := range []int{0, 1, 5 << 20, len(data) - 1, len(data)} {
		got, a, err := get(s, t.Context(), "f", int64(off))
		if err != nil || !bytes.Equal(got, data[off:]) || a.Size != int64(len(data)) {
			t.Errorf("from %d: %d bytes of %d, %v", off, len(got), a.Size, err)
		}
	}
	if _, _, err := get(s, t.Context(), "f", int64(len(data)+1)); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("behind the end: %v, want vfs.ErrBadOffset", err)
	}

	// Replaced in the middle: never a mix.
	r, _, err := s.Get(t.Context(), "f", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	io.ReadFull(r, make([]byte, 1<<20))
	f.set("f", random(10<<20+16))
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, vfs.ErrBusy) || n > 2<<20 {
		t.Errorf("replaced in the middle: %d bytes, %v, want vfs.ErrBusy", n, err)
	}
}

func TestGetCalledOff(t *testing.T) {
	f := newFake(t)
	f.set("f", random(10<<20))
	s, _ := f.open(nil)
	stop := errors.New("ABOR")
	ctx, cancel := context.WithCancelCause(t.Context())
	r, _, err := s.Get(ctx, "f", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel(stop)
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, stop) {
		t.Errorf("got %v, want the cause", err)
	}
}
