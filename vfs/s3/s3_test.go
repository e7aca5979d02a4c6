package s3

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
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

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

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
