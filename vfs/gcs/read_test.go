package gcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func TestHead(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	o := f.set("d/a b#c.txt", []byte("hello"))
	a, err := s.Head(t.Context(), "d/a b#c.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := object.Attrs{Key: "d/a b#c.txt", Size: 5, ModTime: o.created, ETag: fmt.Sprint(o.gen), Sys: checksum(crc32.Checksum(o.data, castagnoli))}
	if !a.ModTime.Equal(want.ModTime) {
		t.Errorf("ModTime %v, want %v", a.ModTime, want.ModTime)
	}
	if !a.Stored.Equal(o.created) {
		t.Errorf("Stored %v, want %v", a.Stored, o.created)
	}
	a.ModTime, a.Stored = want.ModTime, time.Time{}
	if a != want {
		t.Errorf("Head = %+v, want %+v", a, want)
	}
	if _, err := s.Head(t.Context(), "d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Head of a missing key: %v, want fs.ErrNotExist", err)
	}
}

func TestGet(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	data := content(100_000)
	o := f.set("a", data)
	f.set("empty", nil)
	for _, tc := range []struct {
		key  string
		off  int64
		want []byte
	}{
		{"a", 0, data}, {"a", 1, data[1:]}, {"a", 99_999, data[99_999:]}, {"a", 100_000, nil}, {"empty", 0, nil},
	} {
		r, a, err := s.Get(t.Context(), tc.key, tc.off)
		if err != nil {
			t.Errorf("Get %q from %d: %v", tc.key, tc.off, err)
			continue
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, tc.want) {
			t.Errorf("Get %q from %d: %d bytes, %v; want %d", tc.key, tc.off, len(got), err, len(tc.want))
		}
		if tc.key == "a" && (a.Size != 100_000 || a.ETag != fmt.Sprint(o.gen)) {
			t.Errorf("Get %q from %d: attributes %+v", tc.key, tc.off, a)
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for _, tc := range []struct {
		key string
		off int64
		err error
	}{
		{"a", 100_001, vfs.ErrBadOffset}, {"a", -1, vfs.ErrBadOffset}, {"empty", 1, vfs.ErrBadOffset},
		{"none", 0, fs.ErrNotExist}, {"none", 5, fs.ErrNotExist},
	} {
		if _, _, err := s.Get(t.Context(), tc.key, tc.off); !errors.Is(err, tc.err) {
			t.Errorf("Get %q from %d: got %v, want %v", tc.key, tc.off, err, tc.err)
		}
	}
}

// The time comes with the body, or else from one more request for the same generation.
func TestGetTime(t *testing.T) {
	for _, missing := range []bool{false, true} {
		f := newFake(t)
		f.noTime = missing
		s := f.store(quick)
		o := f.set("a", []byte("data"))
		r, a, err := s.Get(t.Context(), "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if !a.ModTime.Equal(o.created) || a.Size != 4 || a.ETag != fmt.Sprint(o.gen) {
			t.Errorf("header missing %v: attributes %+v", missing, a)
		}
		if got := f.count("head"); got != 0 != missing {
			t.Errorf("header missing %v: %d requests for attributes", missing, got)
		}
	}
}

// TestGetBroken: the body is cut again and again; the stream goes on where it broke.
func TestGetBroken(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	data := content(300_000)
	f.set("a", data)
	f.cut = func(int) int { return 30_000 }
	r, _, err := s.Get(t.Context(), "a", 11)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data[11:]) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(data)-11)
	}
	if f.downloads < 10 {
		t.Errorf("%d requests: nothing was cut", f.downloads)
	}
}

// An object that was stored compressed arrives as it is stored, from any offset, also after breaks.
func TestGetStoredGzip(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	data := content(100_000)
	f.set("a.gz", data).gzip = true
	for _, cut := range []int{1 << 30, 30_000} {
		f.cut = func(int) int { return cut }
		for _, off := range []int64{0, 77} {
			r, a, err := s.Get(t.Context(), "a.gz", off)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil || !bytes.Equal(got, data[off:]) || a.Size != 100_000 {
				t.Errorf("from %d, cut at %d: %d bytes, size %d, %v", off, cut, len(got), a.Size, err)
			}
		}
	}
}

// TestGetReplaced: an object that was replaced during the download never mixes into the stream.
func TestGetReplaced(t *testing.T) {
	for _, kept := range []bool{false, true} {
		f := newFake(t)
		s := f.store(quick)
		data := content(200_000)
		first := f.set("a", data)
		f.cut = func(n int) int {
			if n > 1 {
				return 1 << 30
			}
			return 50_000
		}
		r, _, err := s.Get(t.Context(), "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		if kept { // a bucket with versions still has the old one
			f.old = map[string]*stored{fmt.Sprint("a#", first.gen): first}
		}
		f.set("a", bytes.Repeat([]byte("x"), 200_000))
		got, err := io.ReadAll(r)
		r.Close()
		if !bytes.HasPrefix(data, got) {
			t.Fatalf("kept %v: bytes of another object in the stream", kept)
		}
		if kept && (err != nil || len(got) != len(data)) {
			t.Errorf("with versions: %d bytes, %v", len(got), err)
		}
		if !kept && !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("without versions: got %v, want vfs.ErrBusy", err)
		}
	}
}

// A store whose bodies never bring a byte is given up.
func TestGetBarren(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.set("a", content(1000))
	f.cut = func(int) int { return 0 }
	r, _, err := s.Get(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err == nil || len(got) > 0 {
		t.Errorf("%d bytes, error %v; want none and an error", len(got), err)
	}
	if f.downloads != quick.attempts {
		t.Errorf("%d requests, want %d", f.downloads, quick.attempts)
	}
}

// A body that stops without breaking is noticed; and the time in which nobody reads does not count.
func TestGetStalled(t *testing.T) {
	f := newFake(t)
	l := quick
	l.stall = 50 * time.Millisecond
	s := f.store(l)
	data := content(500_000)
	f.set("a", data)
	stall := true
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if op != "media" || !stall {
			return false
		}
		stall = false
		w.Header().Set("Content-Length", "500000")
		w.Header().Set("X-Goog-Generation", fmt.Sprint(f.get("a").gen))
		w.Write(data[:1000])
		w.(http.Flusher).Flush()
		f.silent(r)
		return true
	})
	r, _, err := s.Get(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v; want all", len(got), err)
	}
	if n := f.count("media"); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestGetCalledOff(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.set("a", content(5<<20))
	ctx, cancel := context.WithCancelCause(t.Context())
	r, _, err := s.Get(ctx, "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	why := errors.New("aborted by the client")
	cancel(why)
	if _, err := io.ReadAll(r); !errors.Is(err, why) {
		t.Errorf("got %v, want the context's cause", err)
	}
}

func TestList(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	var keys []string
	for i := range 7 {
		keys = append(keys, fmt.Sprintf("d/f%d", i))
		f.set(keys[i], []byte("x"))
		f.set(fmt.Sprintf("d/sub%d/deep", i), nil)
		f.set(fmt.Sprintf("d/sub%d/deeper", i), nil)
	}
	f.set("d/", nil)
	f.set("other", nil)
	var objects, prefixes []string
	pages := 0
	for token := ""; ; {
		p, err := s.List(t.Context(), "d/", token, 4)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(p.Objects) + len(p.Prefixes); n > 4 {
			t.Errorf("page of %d, want at most 4", n)
		}
		for _, o := range p.Objects {
			objects = append(objects, o.Key)
			if o.Key == "d/f3" && (o.Size != 1 || o.ModTime.IsZero() || o.ETag == "0") {
				t.Errorf("attributes %+v", o)
			}
		}
		prefixes = append(prefixes, p.Prefixes...)
		pages++
		if token = p.Next; token == "" {
			break
		}
	}
	if want := append([]string{"d/"}, keys...); !slices.Equal(objects, want) {
		t.Errorf("objects %q, want %q", objects, want)
	}
	if want := strings.Fields("d/sub0/ d/sub1/ d/sub2/ d/sub3/ d/sub4/ d/sub5/ d/sub6/"); !slices.Equal(prefixes, want) {
		t.Errorf("prefixes %q, want %q", prefixes, want)
	}
	if n := f.count("list"); n != pages || pages != 4 {
		t.Errorf("%d requests for %d pages, want 4", n, pages)
	}
	p, err := s.List(t.Context(), "none/", "", 1)
	if err != nil || len(p.Objects)+len(p.Prefixes) > 0 || p.Next != "" {
		t.Errorf("List of nothing = %+v, %v", p, err)
	}
}

func TestCopy(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	for _, size := range []int{3, 1000} { // the fake needs two steps for the second
		src := f.set("a", content(size))
		src.ctype, src.meta = "image/png", map[string]string{"mtime": "1"}
		if err := s.Copy(t.Context(), "b/c d", object.Attrs{Key: "a"}, object.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		o := f.get("b/c d")
		if o == nil || !bytes.Equal(o.data, src.data) || o.ctype != "image/png" || o.meta["mtime"] != "1" {
			t.Errorf("copy is %+v", o)
		}
	}
	if err := s.Copy(t.Context(), "b", object.Attrs{Key: "none"}, object.CopyOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Copy of a missing key: %v, want fs.ErrNotExist", err)
	}
}

func TestDelete(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.set("a", nil)
	for range 2 {
		if err := s.Delete(t.Context(), "a", ""); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if f.get("a") != nil {
		t.Error("still there")
	}
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		fail(w, 403, "retentionPolicyNotMet", "Object is subject to bucket's retention policy")
		return true
	})
	if err := s.Delete(t.Context(), "a", ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("held object: %v, want fs.ErrPermission", err)
	}
	f.setBefore(noBucket)
	if err := s.Delete(t.Context(), "a", ""); !errors.Is(err, ErrNoSuchBucket) {
		t.Errorf("no bucket: %v, want ErrNoSuchBucket", err)
	}
}

func TestCheck(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("empty bucket: %v", err)
	}
	f.set("a", nil)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("bucket with an object: %v", err)
	}
	f.setBefore(noBucket)
	if err := s.Check(t.Context()); !errors.Is(err, ErrNoSuchBucket) || !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("no bucket: %v, want ErrNoSuchBucket", err)
	}
	for code, want := range map[int]error{403: fs.ErrPermission, 503: vfs.ErrUnavailable, 401: vfs.ErrUnavailable} {
		f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
			fail(w, code, "x", "no")
			return true
		})
		if err := s.Check(t.Context()); !errors.Is(err, want) || errors.Is(err, ErrNoSuchBucket) {
			t.Errorf("%d: got %v, want %v", code, err, want)
		}
	}
	f.srv.Close()
	if err := s.Check(t.Context()); !errors.Is(err, vfs.ErrUnavailable) || errors.Is(err, ErrNoSuchBucket) {
		t.Errorf("nobody there: got %v, want vfs.ErrUnavailable", err)
	}
}

// Each method survives some seconds of a store that says "later".
func TestReadsRetry(t *testing.T) {
	for name, call := range map[string]func(*Store) error{
		"head": func(s *Store) error { _, err := s.Head(context.Background(), "a"); return err },
		"list": func(s *Store) error { _, err := s.List(context.Background(), "", "", 10); return err },
		"copy": func(s *Store) error {
			return s.Copy(context.Background(), "b", object.Attrs{Key: "a"}, object.CopyOptions{})
		},
		"delete": func(s *Store) error { return s.Delete(context.Background(), "a", "") },
		"get": func(s *Store) error {
			r, _, err := s.Get(context.Background(), "a", 0)
			if err == nil {
				r.Close()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s := f.store(quick)
			f.set("a", []byte("data"))
			left := 6
			f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
				if left--; left < 0 {
					return false
				}
				if left%2 == 0 {
					breakOff(w)
				} else {
					fail(w, 503, "backendError", "try later")
				}
				return true
			})
			if err := call(s); err != nil {
				t.Errorf("after six failures: %v", err)
			}
			left = 1000
			if err := call(s); !errors.Is(err, vfs.ErrUnavailable) {
				t.Errorf("for ever: got %v, want vfs.ErrUnavailable", err)
			}
		})
	}
}

func TestBadKeys(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	ctx := t.Context()
	for _, key := range []string{"", ".", "..", "a\nb", "a\rb", "a\x00", "a\xff", strings.Repeat("x", 1025), ".well-known/acme-challenge/x"} {
		_, herr := s.Head(ctx, key)
		_, _, gerr := s.Get(ctx, key, 0)
		_, perr := s.Put(ctx, key, object.PutOptions{})
		for op, err := range map[string]error{
			"head": herr, "get": gerr, "put": perr, "delete": s.Delete(ctx, key, ""), "copy": s.Copy(ctx, "a", object.Attrs{Key: key}, object.CopyOptions{}), "copy to": s.Copy(ctx, key, object.Attrs{Key: "a"}, object.CopyOptions{}),
		} {
			if !errors.Is(err, vfs.ErrBadName) {
				t.Errorf("%s %.20q: got %v, want vfs.ErrBadName", op, key, err)
			}
		}
	}
	if n := f.count(""); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if err := upload(ctx, s, strings.Repeat("x", 1024), nil, object.PutOptions{}); err != nil {
		t.Errorf("key of 1024 bytes: %v", err)
	}
}
