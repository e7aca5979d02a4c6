package gcs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

const scratch = ".scratch/one"

// setOld puts an object there that has all that an object can have.
func (f *fake) setOld(key string, data []byte) {
	o := f.set(key, data)
	f.mu.Lock()
	defer f.mu.Unlock()
	o.ctype, o.attrs = "image/x-camera", keptAttrs
}

var keptAttrs = resourceAttrs{
	ContentEncoding: "identity", ContentLanguage: "de", ContentDisposition: "attachment", CacheControl: "no-store",
	StorageClass: "NEARLINE", CustomTime: "2030-01-02T03:04:05Z", Metadata: map[string]string{"site": "north", "other": "x y"},
}

// wantKept wants an object with those bytes and all that setOld gives, and nothing else in the bucket.
func (f *fake) wantKept(t *testing.T, key string, want []byte) {
	t.Helper()
	o := f.get(key)
	if o == nil || !bytes.Equal(o.data, want) {
		t.Fatalf("%q is not the %d bytes wanted: %v", key, len(want), o != nil)
	}
	if o.ctype != "image/x-camera" || !reflect.DeepEqual(o.attrs, keptAttrs) {
		t.Errorf("%q has type %q and %+v", key, o.ctype, o.attrs)
	}
	f.wantNoScratch(t)
}

func (f *fake) wantNoScratch(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.objects {
		if strings.HasPrefix(key, ".scratch/") {
			t.Errorf("%q is left", key)
		}
	}
	for _, s := range f.sessions {
		if s.done == nil {
			t.Errorf("a session for %q is left", s.key)
		}
	}
}

func appendTo(t *testing.T, s *Store, key string, n int64, more []byte) error {
	t.Helper()
	u, at, err := s.Append(t.Context(), key, n, scratch)
	if err != nil {
		return err
	}
	if n >= 0 && at != n {
		t.Errorf("Append(%d) begins at %d", n, at)
	}
	if _, err := u.Write(more); err != nil {
		return errors.Join(err, u.Abort(t.Context()))
	}
	return u.Commit(t.Context())
}

// 34. APPE and REST n + STOR, with the object's attributes kept, for sizes around the borders of parts.
func Test34Append(t *testing.T) {
	for _, size := range []int{0, 1, 100, chunkUnit - 1, chunkUnit, chunkUnit + 1, 5*chunkUnit + 3} {
		for _, more := range []int{0, 1, chunkUnit, 3*chunkUnit + 5} {
			t.Run(fmt.Sprintf("%d+%d", size, more), func(t *testing.T) {
				f := newFake(t)
				s := f.store(quick)
				old, tail := content(size), content(more)
				for _, n := range []int{-1, size, size / 2, 0} {
					f.setOld("f", old)
					if err := appendTo(t, s, "f", int64(n), tail); err != nil {
						t.Fatalf("Append(%d): %v", n, err)
					}
					if n < 0 {
						n = size
					}
					f.wantKept(t, "f", append(old[:n:n], tail...))
				}
			})
		}
	}
	f := newFake(t)
	s := f.store(quick)
	f.setOld("f", []byte("0123456789"))
	if err := appendTo(t, s, "f", 11, []byte("x")); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("Append behind the end: %v", err)
	}
	if err := appendTo(t, s, "absent", -1, []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Append to nothing: %v", err)
	}
	s.through = 5
	if err := appendTo(t, s, "f", 6, []byte("x")); !errors.Is(err, vfs.ErrTooLarge) {
		t.Errorf("Append through the program beyond the limit: %v", err)
	}
	f.wantKept(t, "f", []byte("0123456789"))
}

// 35. Append by compose keeps generation preconditions: a concurrent change gives vfs.ErrBusy, and the other's
// data is intact. The scratch object is gone after success and failure.
func Test35AppendPreconditions(t *testing.T) {
	for _, n := range []int64{-1, 4, 0} {
		for _, gone := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/gone=%v", n, gone), func(t *testing.T) {
				f := newFake(t)
				s := f.store(quick)
				f.setOld("f", []byte("0123456789"))
				u, _, err := s.Append(t.Context(), "f", n, scratch)
				if err != nil {
					t.Fatal(err)
				}
				if n != 4 { // then the head is read first, and has to find what it wants
					if _, err := u.Write([]byte("mine")); err != nil {
						t.Fatal(err)
					}
				}
				if gone {
					if err := s.Delete(t.Context(), "f", ""); err != nil {
						t.Fatal(err)
					}
				} else {
					f.setOld("f", []byte("theirs"))
				}
				if err := u.Commit(t.Context()); !errors.Is(err, vfs.ErrBusy) {
					t.Errorf("Commit: %v, want vfs.ErrBusy", err)
				}
				if gone {
					if f.get("f") != nil {
						t.Error("what was removed is back")
					}
					f.wantNoScratch(t)
					return
				}
				f.wantKept(t, "f", []byte("theirs"))
			})
		}
	}
	for op, code := range map[string]int{"insert": 403, "compose": 403, "head": 403} {
		t.Run("refused "+op, func(t *testing.T) {
			f := newFake(t)
			s := f.store(quick)
			f.setOld("f", []byte("0123456789"))
			f.setBefore(func(o string, w http.ResponseWriter, _ *http.Request) bool {
				if o == op {
					fail(w, code, "forbidden", "no")
				}
				return o == op
			})
			if err := appendTo(t, s, "f", -1, []byte("more")); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("append: %v", err)
			}
			f.setBefore(nil)
			f.wantKept(t, "f", []byte("0123456789"))
		})
	}
}

// The answer to the compose is lost: the repetition is refused, and the object itself tells that it is done.
func Test35AppendAnswerLost(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.setOld("f", []byte("0123456789"))
	f.setLose(func(op string, _ *http.Request) bool { return op == "compose" && f.count("compose") == 1 })
	if err := appendTo(t, s, "f", -1, []byte("more")); err != nil {
		t.Fatal(err)
	}
	f.wantKept(t, "f", []byte("0123456789more"))
}

// 18. What is damaged between the client and the service is not joined.
func Test18ComposeChecksum(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.setOld("f", []byte("0123456789"))
	f.setBefore(func(op string, _ http.ResponseWriter, _ *http.Request) bool {
		if op == "compose" {
			f.mu.Lock()
			f.objects[scratch].data[1] ^= 1
			f.mu.Unlock()
		}
		return false
	})
	if err := appendTo(t, s, "f", -1, []byte("more")); err == nil {
		t.Error("damaged bytes were joined")
	}
	f.wantKept(t, "f", []byte("0123456789"))
}

// A new content has a time of change of its own.
func TestAppendForgetsTime(t *testing.T) {
	for _, n := range []int64{-1, 4} {
		f := newFake(t)
		s := f.store(quick)
		f.setOld("f", []byte("0123456789"))
		f.mu.Lock()
		f.objects["f"].attrs.Metadata = map[string]string{"goog-reserved-file-mtime": "1700000000", "site": "north"}
		f.mu.Unlock()
		if err := appendTo(t, s, "f", n, []byte("more")); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(f.get("f").attrs.Metadata); got != "map[site:north]" {
			t.Errorf("Append(%d): metadata %s", n, got)
		}
	}
}

// The requests of an APPE are the least that it takes.
func TestAppendRequests(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.setOld("f", []byte("0123456789"))
	if err := appendTo(t, s, "f", -1, []byte("more")); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(f.ops()), "[head insert compose delete]"; got != want {
		t.Errorf("requests %s, want %s", got, want)
	}
}
