package s3

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"net/http"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// pattern returns n bytes that do not repeat at a part's border.
func pattern(seed, n int) []byte {
	b := make([]byte, n)
	x := uint32(seed)<<8 | 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// keptHeaders are what an object is stored with and has to keep.
var keptHeaders = http.Header{
	"Cache-Control":                               {"max-age=60"},
	"Content-Disposition":                         {"attachment"},
	"Content-Encoding":                            {"identity"},
	"Content-Language":                            {"de"},
	"Expires":                                     {"Thu, 01 Jan 2032 00:00:00 GMT"},
	"X-Amz-Meta-Site":                             {"north gate"},
	"X-Amz-Storage-Class":                         {"STANDARD_IA"},
	"X-Amz-Website-Redirect-Location":             {"/other"},
	"X-Amz-Server-Side-Encryption":                {"aws:kms"},
	"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": {"key-1"},
}

const keptTags = "camera=7&kind=a+b"

// old puts an object there that has all that an object can have.
func (f *fake) old(key string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := newObject(data, "image/x-camera")
	o.header, o.tags = keptHeaders, keptTags
	f.objects[key] = o
}

// wantKept wants an object with those bytes and all that old gives.
func (f *fake) wantKept(t *testing.T, key string, want []byte) {
	t.Helper()
	o, ok := f.object(key)
	if !ok || !bytes.Equal(o.data, want) {
		t.Errorf("%q: %d bytes, %v; want %d", key, len(o.data), ok, len(want))
	}
	if o.contentType != "image/x-camera" {
		t.Errorf("%q has the type %q", key, o.contentType)
	}
	if o.tags != keptTags {
		t.Errorf("%q has the tags %q, want %q", key, o.tags, keptTags)
	}
	for name := range keptHeaders {
		if got, want := o.header.Get(name), keptHeaders.Get(name); got != want {
			t.Errorf("%q has %s %q, want %q", key, name, got, want)
		}
	}
}

// appendTo appends and commits.
func appendTo(t *testing.T, s *Store, key string, n int64, more []byte) error {
	t.Helper()
	u, at, err := s.Append(t.Context(), key, n, ".scratch")
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

// 34. APPE to an object of 0 bytes, 100 B, 5 MiB-1, 5 MiB, 5 MiB+1 and more than one copy can hold (with the
// limit lowered to 6 MiB): every byte, and all that the object had beside them, is kept.
func Test34Append(t *testing.T) {
	for _, c := range []struct {
		profile string
		copies  bool // the server copies parts
	}{{"aws", true}, {"minio", true}, {"generic", true}, {"gcs", false}, {"r2", true}} {
		sizes, least := []int{0, 100, minPart - 1, minPart, minPart + 1, 20*mib + 1}, minPart
		if c.profile == "r2" {
			sizes, least = append(sizes, uniform-1, uniform, uniform+1, 3*uniform+7), uniform
		}
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s/%d", c.profile, size), func(t *testing.T) {
				f := newFake(t)
				f.minio, f.alike = c.profile == "minio", c.profile == "r2"
				s, _ := f.open(func(o *Options) { o.PathStyle = true; o.Profile = "generic" })
				if c.copies {
					s, _ = f.open(func(o *Options) { o.PathStyle = true; o.Profile = c.profile })
				}
				s.profile.partCopy = c.copies
				s.o.CopyPart = 6 * mib
				want := pattern(1, size)
				for _, n := range []int{1, minPart + 3, 0} {
					f.old("f", want)
					more := pattern(n+2, n)
					if err := appendTo(t, s, "f", -1, more); err != nil {
						t.Fatal(err)
					}
					want = append(want[:len(want):len(want)], more...)
					f.wantKept(t, "f", want)
				}
				if n := f.pending(); n > 0 {
					t.Errorf("%d uploads are left", n)
				}
				if got := f.count("part copy"); (got > 0) != (c.copies && size+1 >= least) {
					t.Errorf("%d parts were copied", got)
				}
			})
		}
	}
}

// REST n and STOR behind, at and before the end of an object: the file ends where the writing ends.
func TestRestartInObject(t *testing.T) {
	size := 40 * mib
	old := pattern(3, size)
	for _, profile := range []string{"aws", "r2"} {
		for _, n := range []int{0, 1, minPart - 1, minPart, 7*mib + 5, uniform - 1, uniform, uniform + 1, size - 1, size} {
			t.Run(fmt.Sprint(profile, " ", n), func(t *testing.T) {
				f := newFake(t)
				f.alike = profile == "r2"
				s, _ := f.open(func(o *Options) { o.Profile = profile; o.PathStyle = true })
				s.o.CopyPart = 5 * mib
				for _, more := range [][]byte{[]byte("new"), nil, pattern(7, 2*uniform+1)} {
					f.old("f", old)
					if err := appendTo(t, s, "f", int64(n), more); err != nil {
						t.Fatal(err)
					}
					f.wantKept(t, "f", append(old[:n:n], more...))
				}
			})
		}
	}
	f := newFake(t)
	s, _ := f.open(nil)
	f.old("f", old)
	for _, n := range []int64{int64(size) + 1, 1 << 40} {
		if err := appendTo(t, s, "f", n, []byte("x")); !errors.Is(err, vfs.ErrBadOffset) {
			t.Errorf("Append at %d of %d: %v, want vfs.ErrBadOffset", n, size, err)
		}
	}
	f.old("small", old[:10])
	if err := appendTo(t, s, "small", 11, []byte("x")); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("Append at 11 of 10: %v, want vfs.ErrBadOffset", err)
	}
	if err := appendTo(t, s, "absent", -1, []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Append to nothing: %v, want fs.ErrNotExist", err)
	}
	f.wantKept(t, "f", old)
	f.wantKept(t, "small", old[:10])
}

// 34. A concurrent change while something is appended gives vfs.ErrBusy, and the other writer's data is intact.
func Test34ConcurrentChange(t *testing.T) {
	for _, profile := range []string{"aws", "minio", "generic"} {
		for _, size := range []int{0, 100, minPart + 1} {
			for _, gone := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/gone=%v", profile, size, gone), func(t *testing.T) {
					f := newFake(t)
					f.minio = profile == "minio"
					s, _ := f.open(func(o *Options) { o.Profile = profile; o.PathStyle = true })
					f.old("f", pattern(1, size))
					u, _, err := s.Append(t.Context(), "f", -1, "")
					if err != nil {
						t.Fatal(err)
					}
					if _, err := u.Write([]byte("mine")); err != nil {
						t.Fatal(err)
					}
					theirs := pattern(9, size+1)
					if gone {
						if err := s.Delete(t.Context(), "f", ""); err != nil {
							t.Fatal(err)
						}
					} else {
						f.old("f", theirs)
					}
					if err := u.Commit(t.Context()); !errors.Is(err, vfs.ErrBusy) {
						t.Errorf("Commit: %v, want vfs.ErrBusy", err)
					}
					if o, ok := f.object("f"); ok == gone || !gone && !bytes.Equal(o.data, theirs) {
						t.Errorf("the other's object: %v, %d bytes, want %d", ok, len(o.data), len(theirs))
					}
					if n := f.pending(); n > 0 {
						t.Errorf("%d uploads are left", n)
					}
				})
			}
		}
	}
}

// 18. The whole-object CRC32 that the server is told is that of the file, also when its
// beginning was copied inside the server.
func Test18ChecksumAfterAppend(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(func(o *Options) { o.Profile = "aws"; o.PathStyle = true })
	s.o.CopyPart = 5 * mib
	old, more := pattern(1, 11*mib), pattern(2, 6*mib)
	f.old("f", old)
	if err := appendTo(t, s, "f", -1, more); err != nil {
		t.Fatal(err)
	}
	sum := crc32.Update(crc32.ChecksumIEEE(old), crc32.IEEETable, more)
	last := f.sent("complete")[0]
	if got := last.Get("X-Amz-Checksum-Crc32"); got != *crc(sum) {
		t.Errorf("Complete tells CRC32 %q, want %q", got, *crc(sum))
	}
	// The bytes are damaged where nobody but the server can see it: it refuses, and nothing is published.
	f.old("f", old)
	f.setBefore(func(op string, n int, _ http.ResponseWriter, _ *http.Request) bool {
		if op == "complete" && n == 2 {
			f.mu.Lock()
			for _, u := range f.uploads {
				p := u.parts[1]
				p.data = bytes.Clone(p.data)
				p.data[7] ^= 1
				u.parts[1] = p
			}
			f.mu.Unlock()
		}
		return false
	})
	if err := appendTo(t, s, "f", -1, more); err == nil {
		t.Error("a damaged part was published")
	}
	f.wantKept(t, "f", old)
	if n := f.pending(); n > 0 {
		t.Errorf("%d uploads are left", n)
	}
}

// The requests of an APPE are the least that it takes.
func TestAppendRequests(t *testing.T) {
	for _, c := range []struct {
		size, more int
		want       map[string]int
	}{
		{100, 10, map[string]int{"get": 1, "put": 1}},
		{minPart, 10, map[string]int{"get": 1, "begin": 1, "part copy": 1, "part": 1, "complete": 1}},
		{16 * mib, 10 * mib, map[string]int{"get": 1, "begin": 1, "part copy": 2, "part": 2, "complete": 1}},
		{16 * mib, 0, map[string]int{"get": 1}},
	} {
		t.Run(fmt.Sprintf("%d+%d", c.size, c.more), func(t *testing.T) {
			f := newFake(t)
			s, _ := f.open(func(o *Options) { o.Profile = "aws"; o.PathStyle = true })
			s.o.CopyPart = 10 * mib
			f.set("f", pattern(1, c.size))
			if err := appendTo(t, s, "f", -1, pattern(2, c.more)); err != nil {
				t.Fatal(err)
			}
			for op, n := range f.counts {
				if n != c.want[op] {
					t.Errorf("%d requests %q, want %d", n, op, c.want[op])
				}
			}
		})
	}
}

// Given up in the middle of copying and behind it, an append leaves the object as it was, and no upload.
func TestAppendGivenUp(t *testing.T) {
	for _, op := range []string{"begin", "part copy", "part", "complete"} {
		t.Run(op, func(t *testing.T) {
			f := newFake(t)
			s, _ := f.open(func(o *Options) { o.Profile = "aws"; o.PathStyle = true })
			s.o.CopyPart = 5 * mib
			old := pattern(1, 16*mib)
			f.old("f", old)
			f.setBefore(func(o string, n int, w http.ResponseWriter, _ *http.Request) bool {
				if o != op || op == "part copy" && n != 2 {
					return false
				}
				refuse(w, 403, "AccessDenied")
				return true
			})
			if err := appendTo(t, s, "f", -1, pattern(2, 6*mib)); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("append: %v, want fs.ErrPermission", err)
			}
			f.wantKept(t, "f", old)
			if n := f.pending(); n > 0 {
				t.Errorf("%d uploads are left", n)
			}
		})
	}
}

// A new content has a time of change of its own.
func TestAppendForgetsTime(t *testing.T) {
	for _, size := range []int{10, minPart} {
		f := newFake(t)
		s, _ := f.open(nil)
		f.old("f", pattern(1, size))
		f.mu.Lock()
		o := f.objects["f"]
		o.header = maps.Clone(o.header)
		o.header.Set("X-Amz-Meta-Mtime", "1700000000.5")
		f.objects["f"] = o
		f.mu.Unlock()
		if err := appendTo(t, s, "f", -1, []byte("more")); err != nil {
			t.Fatal(err)
		}
		if o, _ := f.object("f"); o.header.Get("X-Amz-Meta-Mtime") != "" || o.header.Get("X-Amz-Meta-Site") == "" {
			t.Errorf("%d bytes: headers %v", size, o.header)
		}
	}
}

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		n, most int64
		want    string
	}{
		{0, 1 << 40, "[]"},
		{leastPart, 5 << 30, "[{0 5242880}]"},
		{10<<30 + 1, 5 << 30, "[{0 5368709120} {5368709120 10732175360} {10732175360 10737418241}]"},
		{11 << 20, 10 << 20, "[{0 5242880} {5242880 11534336}]"},
		{11 << 20, 6 << 20, "[{0 6291456} {6291456 11534336}]"},
		{8 << 20, 6 << 20, "[{0 8388608}]"},
	} {
		if got := fmt.Sprint(spans(c.n, leastPart, c.most)); got != c.want {
			t.Errorf("spans(%d, %d) = %s, want %s", c.n, c.most, got, c.want)
		}
	}
}

var _ object.Appender = (*Store)(nil)
