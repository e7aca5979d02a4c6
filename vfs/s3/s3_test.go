package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

func put(s *Store, ctx context.Context, key string, data []byte, o object.PutOptions) error {
	u, err := s.Put(ctx, key, o)
	if err != nil {
		return err
	}
	for c := range slices.Chunk(data, 32<<10) {
		if _, err := u.Write(c); err != nil {
			u.Abort(context.WithoutCancel(ctx))
			return err
		}
	}
	return u.Commit(ctx)
}

func get(s *Store, ctx context.Context, key string, off int64) ([]byte, object.Attrs, error) {
	r, a, err := s.Get(ctx, key, off)
	if err != nil {
		return nil, a, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return b, a, err
}

// holds checks an object of the fake and that no upload is left.
func (f *fake) holds(key string, want []byte) {
	f.t.Helper()
	o, ok := f.object(key)
	switch {
	case want == nil && ok:
		f.t.Errorf("%s exists, with %d bytes", key, len(o.data))
	case want != nil && !bytes.Equal(o.data, want):
		f.t.Errorf("%s has %d bytes (exists: %v), want the %d that were sent", key, len(o.data), ok, len(want))
	}
	if n := f.pending(); n > 0 {
		f.t.Errorf("%d uploads are left", n)
	}
}

// waitPart waits until a part has been stored.
func (f *fake) waitPart() {
	f.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		n := 0
		for _, u := range f.uploads {
			n += len(u.parts)
		}
		f.mu.Unlock()
		if n > 0 {
			return
		}
	}
	f.t.Fatal("no part arrives")
}

func TestCombine(t *testing.T) {
	data := random(300_001)
	for _, n := range []int{0, 1, 2, 3, 1000, 65536, 299_999, 300_001} {
		got := combine(crc32.ChecksumIEEE(data[:n]), crc32.ChecksumIEEE(data[n:]), int64(len(data)-n))
		if want := crc32.ChecksumIEEE(data); got != want {
			t.Errorf("cut at %d: %08x, want %08x", n, got, want)
		}
	}
}

// What goes over the wire: the checksum in a header, the body unsigned and
// as it is, and as many requests as needed.
func TestWire(t *testing.T) {
	for _, size := range []int{0, 100, minPart, minPart + 1, 2*minPart + 12345} {
		f := newFake(t)
		s, _ := f.open(nil)
		data := random(size)
		if err := put(s, t.Context(), "a b/c+d.jpg", data, object.PutOptions{ContentType: "image/jpeg"}); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		f.holds("a b/c+d.jpg", data)
		if o, _ := f.object("a b/c+d.jpg"); o.contentType != "image/jpeg" {
			t.Errorf("content type %q", o.contentType)
		}
		op, want := "put", 1
		if size > minPart {
			op, want = "part", (size+minPart-1)/minPart
			if f.count("begin") != 1 || f.count("complete") != 1 {
				t.Errorf("%d bytes: requests %v", size, f.counts)
			}
		}
		if f.count(op) != want {
			t.Errorf("%d bytes: %d requests of %q, want %d", size, f.count(op), op, want)
		}
		for _, h := range f.sent(op) {
			if h.Get("X-Amz-Content-Sha256") != "UNSIGNED-PAYLOAD" || h.Get("X-Amz-Checksum-Crc32") == "" ||
				h.Get("Content-Encoding") != "" || h.Get("X-Amz-Trailer") != "" {
				t.Errorf("%d bytes: headers %v", size, h)
			}
		}
	}
}

// A server of which nothing is known gets a Content-MD5 and no other checksum.
func TestWireGeneric(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(func(o *Options) { o.Profile = "" })
	for _, size := range []int{5, minPart + 1} {
		if err := put(s, t.Context(), "f", random(size), object.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		f.holds("f", random(size))
	}
	for op, hs := range f.headers {
		for _, h := range hs {
			if (op == "put" || op == "part") && h.Get("Content-Md5") == "" {
				t.Errorf("%s without Content-MD5: %v", op, h)
			}
			for k := range h {
				if strings.HasPrefix(k, "X-Amz-Checksum") || strings.HasPrefix(k, "X-Amz-Sdk-Checksum") {
					t.Errorf("%s has %s", op, k)
				}
			}
		}
	}
}

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

// An object that is there is not taken for ours.
func TestIfAbsent(t *testing.T) {
	for _, size := range []int{100, minPart + 1} {
		f := newFake(t)
		f.set("f", []byte("old"))
		f.setAfter(func(op string, n int) bool { return (op == "put" || op == "complete") && n == 1 })
		s, _ := f.open(nil)
		if err := put(s, t.Context(), "f", random(size), object.PutOptions{IfAbsent: true}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%d bytes: %v, want fs.ErrExist", size, err)
		}
		f.holds("f", []byte("old"))
	}
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

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   error
	}{
		{404, "NoSuchKey", fs.ErrNotExist},
		{404, "NoSuchBucket", ErrNoSuchBucket},
		{403, "AccessDenied", fs.ErrPermission},
		{403, "ObjectLocked", vfs.ErrLocked},
		{405, "MethodNotAllowed", fs.ErrPermission},
		{403, "InvalidToken", vfs.ErrUnavailable},
		{400, "AuthorizationHeaderMalformed", vfs.ErrUnavailable},
		{400, "TooManyParts", vfs.ErrTooLarge},
		{413, "", vfs.ErrTooLarge},
		{400, "XMinioAdminBucketQuotaExceeded", vfs.ErrQuota},
		{400, "KeyTooLong", vfs.ErrBadName},
		{400, "XMinioInvalidObjectName", vfs.ErrBadName},
		{403, "InvalidAccessKeyId", vfs.ErrUnavailable},
		{403, "SignatureDoesNotMatch", vfs.ErrUnavailable},
		{400, "ExpiredToken", vfs.ErrUnavailable},
		{403, "InvalidObjectState", vfs.ErrArchived},
		{412, "PreconditionFailed", vfs.ErrBusy},
		{301, "PermanentRedirect", vfs.ErrUnavailable},
		{400, "EntityTooLarge", vfs.ErrTooLarge},
		{403, "QuotaExceeded", vfs.ErrQuota},
		{507, "XMinioStorageFull", vfs.ErrFull},
		{507, "", vfs.ErrFull},
		{400, "KeyTooLongError", vfs.ErrBadName},
		{409, "ExistingObjectIsDirectory", vfs.ErrIsDir},
		{400, "ObjectParentIsFile", vfs.ErrNotDir},
		{418, "NeverHeardOf", vfs.ErrUnavailable},
	} {
		f := newFake(t)
		f.setBefore(func(_ string, _ int, w http.ResponseWriter, r *http.Request) bool {
			io.Copy(io.Discard, r.Body)
			refuse(w, c.status, c.code)
			return true
		})
		s, _ := f.open(nil)
		for op, err := range map[string]error{
			"put":  put(s, t.Context(), "f", []byte("x"), object.PutOptions{}),
			"get":  func() error { _, _, err := get(s, t.Context(), "f", 0); return err }(),
			"copy": s.Copy(t.Context(), "g", object.Attrs{Key: "f", ETag: `"1"`}, object.CopyOptions{}),
		} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s answered with %d %s: %v, want %v", op, c.status, c.code, err, c.want)
			}
			if !strings.Contains(err.Error(), "s3: "+op) {
				t.Errorf("%s: text %q", op, err)
			}
		}
	}
}

// A limit of time ends the tries, between two of them or in the middle of one: what the server said before that is told.
func TestLastAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s, _ := f.open(nil)
	f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		if n == 1 {
			refuse(w, 409, "OperationAborted")
		} else {
			<-r.Context().Done()
		}
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	err := put(s, ctx, "f", random(10), object.PutOptions{})
	if !errors.Is(err, vfs.ErrBusy) || !strings.Contains(err.Error(), "OperationAborted") || !strings.Contains(err.Error(), "r1") {
		t.Errorf("got %v, want vfs.ErrBusy with the store's word", err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		status int
		want   error
	}{{200, nil}, {404, ErrNoSuchBucket}, {403, fs.ErrPermission}, {503, vfs.ErrUnavailable}} {
		f := newFake(t)
		f.setBefore(func(_ string, _ int, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(c.status)
			return true
		})
		s, _ := f.open(nil)
		err := s.Check(t.Context())
		if !errors.Is(err, c.want) || errors.Is(err, ErrNoSuchBucket) != (c.status == 404) {
			t.Errorf("HeadBucket answers %d: %v, want %v", c.status, err, c.want)
		}
	}
}

// Only old uploads below the prefix are aborted, and none that is under way here.
func TestAbortStale(t *testing.T) {
	f := newFake(t)
	old := time.Now().Add(-48 * time.Hour)
	f.uploads["ours-old"] = &fakeUpload{key: "site-1/a.jpg", at: old}
	f.uploads["ours-new"] = &fakeUpload{key: "site-1/b.jpg", at: time.Now()}
	f.uploads["other"] = &fakeUpload{key: "site-2/a.jpg", at: old}
	s, _ := f.open(nil)
	u, _ := s.Put(t.Context(), "site-1/c.jpg", object.PutOptions{})
	if _, err := u.Write(random(minPart + 1)); err != nil {
		t.Fatal(err)
	}
	f.waitPart()
	f.mu.Lock()
	for _, up := range f.uploads {
		if up.key == "site-1/c.jpg" {
			up.at = old // it takes its time
		}
	}
	f.mu.Unlock()
	if n, err := s.AbortStale(t.Context(), "site-1/", 24*time.Hour, nil); n != 1 || err != nil {
		t.Errorf("AbortStale: %d, %v, want 1", n, err)
	}
	if f.uploads["ours-new"] == nil || f.uploads["other"] == nil || f.uploads["ours-old"] != nil {
		t.Errorf("left: %v", f.uploads)
	}
	if err := u.Commit(t.Context()); err != nil {
		t.Errorf("Commit of the one under way: %v", err)
	}
}

// Connections are kept: many uploads dial no more often than they are at once.
func TestConnections(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(nil)
	var dials atomic.Int32
	dial := s.http.DialContext
	s.http.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, addr)
	}
	const workers = 50
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range 20 {
				if err := put(s, t.Context(), fmt.Sprint(w, "/", i), []byte("x"), object.PutOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	// A connection that becomes free while another is dialled is used instead of
	// it, and both stay: twice as many is the most.
	if n := dials.Load(); n > 2*workers {
		t.Errorf("%d dials for %d writers", n, workers)
	}
}

func TestRoundTripper(t *testing.T) {
	f := newFake(t)
	var mu sync.Mutex
	var ops []string
	s, _ := f.open(func(o *Options) {
		o.RoundTripper = func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				ops = append(ops, Operation(r))
				mu.Unlock()
				return next.RoundTrip(r)
			})
		}
	})
	put(s, t.Context(), "f", nil, object.PutOptions{})
	s.Delete(t.Context(), "f", "")
	if want := []string{"PutObject", "DeleteObject"}; !slices.Equal(ops, want) {
		t.Errorf("operations %q, want %q", ops, want)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOptions(t *testing.T) {
	b := object.NewBudget(64 << 20)
	good := Options{Bucket: "b", Region: "eu-west-1", AccessKey: "a", SecretKey: "s", Budget: b}
	if _, err := New(t.Context(), good); err != nil {
		t.Errorf("good options: %v", err)
	}
	for name, change := range map[string]func(*Options){
		"no bucket":        func(o *Options) { o.Bucket = "" },
		"no budget":        func(o *Options) { o.Budget = nil },
		"budget too small": func(o *Options) { o.Budget = object.NewBudget(leastPart - 1) },
		"bad profile":      func(o *Options) { o.Profile = "azure" },
		"bad endpoint":     func(o *Options) { o.Endpoint = "minio:9000" },
		"small part":       func(o *Options) { o.MaxPartSize = 1 << 20 },
	} {
		o := good
		change(&o)
		if _, err := New(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TLS with a certificate of the user's own authority.
func TestRootCAs(t *testing.T) {
	f := newFake(t)
	tls := httptest.NewTLSServer(f)
	defer tls.Close()
	s, _ := f.open(func(o *Options) { o.Endpoint = tls.URL })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Check(ctx); err == nil {
		t.Error("an unknown authority was trusted")
	}
	s, _ = f.open(func(o *Options) {
		o.Endpoint = tls.URL
		o.RootCAs = tls.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})
	if err := put(s, t.Context(), "f", random(minPart+1), object.PutOptions{}); err != nil {
		t.Error(err)
	}
	f.holds("f", random(minPart+1))
}

func BenchmarkPutSmall(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer srv.Close()
	s, err := New(b.Context(), Options{Bucket: "b", Endpoint: srv.URL, Profile: "minio", AccessKey: "a", SecretKey: "s", Budget: object.NewBudget(64 << 20)})
	if err != nil {
		b.Fatal(err)
	}
	data := random(64 << 10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := put(s, b.Context(), "f", data, object.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutLarge(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch operation(r, "k") {
		case "begin":
			fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case "complete":
			fmt.Fprint(w, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
		}
	}))
	defer srv.Close()
	s, err := New(b.Context(), Options{Bucket: "b", Endpoint: srv.URL, Profile: "minio", AccessKey: "a", SecretKey: "s", Budget: object.NewBudget(64 << 20)})
	if err != nil {
		b.Fatal(err)
	}
	data := random(128 << 20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := put(s, b.Context(), "f", data, object.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// Servers with directories underneath answer 400, without a code, to a HEAD of a name that no file can have: there is no
// such object. To any other key it is the server's trouble.
func TestHeadOfANameTooLongForAFile(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(nil)
	f.setBefore(func(op string, _ int, w http.ResponseWriter, _ *http.Request) bool {
		if op == "head" {
			w.WriteHeader(http.StatusBadRequest)
		}
		return op == "head"
	})
	for key, want := range map[string]error{"d/" + strings.Repeat("n", 256): fs.ErrNotExist, "d/" + strings.Repeat("n", 255): vfs.ErrUnavailable} {
		if _, err := s.Head(t.Context(), key); !errors.Is(err, want) {
			t.Errorf("Head of a segment of %d bytes: %v, want %v", len(key)-2, err, want)
		}
	}
}
