package object_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

const part = 64 << 10 // of newTree

func store(fsys afero.Fs, name string, content []byte) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		vfs.Abort(f, err)
		return err
	}
	return f.Close()
}

func load(fsys afero.Fs, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func ls(fsys afero.Fs, dir string) (names []string, err error) {
	for fi, err := range vfs.List(fsys, dir) {
		if err != nil {
			return names, err
		}
		n := fi.Name()
		if fi.IsDir() {
			n += "/"
		}
		names = append(names, n)
	}
	return names, nil
}

// Each FTP command costs the requests that it has to.
func TestRequests(t *testing.T) {
	type counts = map[string]int
	for _, c := range []struct {
		name string
		do   func(f *object.FS) error
		want counts
	}{
		{"CWD", func(f *object.FS) error { _, err := vfs.StatDir(f, "/d"); return err }, counts{"list": 1}},
		{"CWD twice", func(f *object.FS) error {
			vfs.StatDir(f, "/d")
			_, err := vfs.StatDir(f.WithContext(t.Context()), "/d/")
			return err
		}, counts{"list": 1}},
		{"CWD and LIST", func(f *object.FS) error {
			vfs.StatDir(f, "/d")
			_, err := ls(f, "/d")
			return err
		}, counts{"list": 2}},
		{"LIST of the root", func(f *object.FS) error { _, err := ls(f, "/"); return err }, counts{"list": 1}},
		{"SIZE", func(f *object.FS) error { _, err := vfs.StatFile(f, "/d/f"); return err }, counts{"head": 1}},
		{"MLST of a directory", func(f *object.FS) error { _, err := f.Stat("/d"); return err }, counts{"head": 1, "list": 1}},
		{"RETR", func(f *object.FS) error {
			r, err := f.Open("/d/f")
			if err != nil {
				return err
			}
			defer r.Close()
			if fi, err := r.Stat(); err != nil || fi.Size() != 7 {
				return fmt.Errorf("Stat: %v, %v", fi, err)
			}
			r.Seek(0, io.SeekStart)
			_, err = io.ReadAll(r)
			return err
		}, counts{"get": 1}},
		{"REST and RETR", func(f *object.FS) error {
			b, err := readFrom(vfs.NewSub(f, "/d"), "/f", 3)
			if b != "tent" {
				return fmt.Errorf("got %q, %v", b, err)
			}
			return err
		}, counts{"get": 1}},
		{"REST and RETR through a mount", func(f *object.FS) error {
			m, err := vfs.NewMount(f, map[string]afero.Fs{"/m": vfs.NewSub(f, "/d")})
			if err != nil {
				return err
			}
			b, err := readFrom(m, "/m/f", 7)
			if b != "" {
				return fmt.Errorf("got %q at the end, %v", b, err)
			}
			return err
		}, counts{"get": 1}},
		{"REST behind the end and RETR", func(f *object.FS) error {
			_, err := readFrom(f, "/d/f", 8)
			if !errors.Is(err, vfs.ErrBadOffset) {
				return fmt.Errorf("got %v, want ErrBadOffset", err)
			}
			return nil
		}, counts{"get": 1}},
		{"open and seek", func(f *object.FS) error {
			r, err := f.Open("/d/f")
			if err != nil {
				return err
			}
			defer r.Close()
			r.Seek(3, io.SeekStart)
			b, err := io.ReadAll(r)
			if string(b) != "tent" {
				return fmt.Errorf("got %q", b)
			}
			return err
		}, counts{"get": 2}},
		{"STOR small", func(f *object.FS) error { return store(f, "/d/new", []byte("x")) }, counts{"single": 1}},
		{"STOR large", func(f *object.FS) error { return store(f, "/d/new", make([]byte, 2*part+1)) },
			counts{"begin": 1, "part": 3, "complete": 1}},
		{"CWD and STOR", func(f *object.FS) error {
			vfs.StatDir(f, "/d")
			return store(f, "/d/new", []byte("x"))
		}, counts{"list": 1, "single": 1}},
		{"DELE", func(f *object.FS) error { return vfs.RemoveFile(f, "/d/f") }, counts{"head": 1, "delete": 1}},
		{"MKD", func(f *object.FS) error { return f.Mkdir("/new", 0) }, counts{"list": 1, "head": 1, "single": 1}},
		{"RMD", func(f *object.FS) error { return vfs.RemoveDir(f, "/empty") }, counts{"list": 1, "delete": 1}},
		{"RNFR and RNTO", func(f *object.FS) error {
			f.Stat("/d/f")
			return f.Rename("/d/f", "/d/g")
		}, counts{"head": 1, "list": 1, "copy": 1, "delete": 1}},
		{"ABOR of a small STOR", func(f *object.FS) error {
			w, _ := f.Create("/d/new")
			w.Write([]byte("x"))
			return vfs.Abort(w, errors.New("ABOR"))
		}, counts{}},
		{"names that cannot be", func(f *object.FS) error {
			for _, name := range []string{"/\xff", "/" + strings.Repeat("x", 1025)} {
				if _, err := f.Stat(name); !errors.Is(err, vfs.ErrBadName) {
					return fmt.Errorf("Stat(%q): %v", name, err)
				}
			}
			return nil
		}, counts{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, m := newTree(t, object.Options{})
			m.Set("d/f", []byte("content"))
			m.Set("empty/", nil)
			if err := c.do(f.Session()); err != nil {
				t.Fatal(err)
			}
			if got := m.Requests(); !maps.Equal(got, c.want) {
				t.Errorf("requests %v, want %v", got, c.want)
			}
		})
	}
}

func TestContentType(t *testing.T) {
	f, m := newTree(t, object.Options{})
	for name, want := range map[string]string{"/a.jpg": "image/jpeg", "/b.html": "text/html; charset=utf-8", "/noext": "", "/c.MP4": "video/mp4", "/log.csv": "text/csv"} {
		if err := store(f, name, nil); err != nil {
			t.Fatal(err)
		}
		if got := m.ContentType(name[1:]); got != want {
			t.Errorf("content type of %s: %q, want %q", name, got, want)
		}
	}
}

// What fails leaves no object, no upload and no memory (newTree looks at the
// last two), and the old object where it was.
func TestFaults(t *testing.T) {
	broken := errors.New("503 SlowDown")
	for _, c := range []struct {
		op   string
		n    int
		size int
	}{
		{"single", 1, 10}, {"begin", 1, 3 * part}, {"part", 1, 3 * part}, {"part", 3, 3*part + 1}, {"complete", 1, 3 * part},
	} {
		t.Run(fmt.Sprint(c.op, c.n), func(t *testing.T) {
			f, m := newTree(t, object.Options{})
			m.Set("f", []byte("old"))
			m.Fault = object.FailNth(c.op, c.n, broken)
			err := store(f.Session(), "/f", make([]byte, c.size))
			if !errors.Is(err, broken) {
				t.Errorf("storing: %v, want the store's error", err)
			}
			var pe *fs.PathError
			if !errors.As(err, &pe) || pe.Path != "/f" {
				t.Errorf("storing: %v, want a PathError of /f", err)
			}
			if got, _ := m.Object("f"); string(got) != "old" {
				t.Errorf("the object is %.20q, want the old one", got)
			}
		})
	}
	for _, op := range []string{"list", "head", "single"} {
		t.Run("mkdir "+op, func(t *testing.T) {
			f, m := newTree(t, object.Options{})
			m.Fault = object.FailNth(op, 1, broken)
			if err := f.Mkdir("/d", 0); !errors.Is(err, broken) || len(m.Keys()) > 0 {
				t.Errorf("Mkdir: %v, keys %q", err, m.Keys())
			}
		})
	}
	for _, op := range []string{"list", "copy", "delete"} {
		t.Run("rename "+op, func(t *testing.T) {
			f, m := newTree(t, object.Options{})
			m.Set("f", []byte("content"))
			m.Fault = object.FailNth(op, 1, broken)
			if err := f.Rename("/f", "/g"); !errors.Is(err, broken) {
				t.Errorf("Rename: %v", err)
			}
			if got, ok := m.Object("f"); !ok || string(got) != "content" {
				t.Error("the source is gone")
			}
			// A repetition is safe.
			if err := f.Rename("/f", "/g"); err != nil || fmt.Sprint(m.Keys()) != "[g]" {
				t.Errorf("again: %v, keys %q", err, m.Keys())
			}
		})
	}
	t.Run("list page 2", func(t *testing.T) {
		f, m := newTree(t, object.Options{})
		for i := range 1500 {
			m.Set(fmt.Sprintf("%04d", i), nil)
		}
		m.Fault = object.FailNth("list", 2, broken)
		names, err := ls(f, "/")
		if !errors.Is(err, broken) || len(names) != 1000 {
			t.Errorf("List: %d entries, %v, want 1000 and the error", len(names), err)
		}
	})
}

// What hangs is called off by the context of the command, save a commit, which
// has a limit of its own.
func TestHang(t *testing.T) {
	stop := errors.New("ABOR")
	for op, do := range map[string]func(fsys afero.Fs) error{
		"head": func(fsys afero.Fs) error { _, err := vfs.StatFile(fsys, "/f"); return err },
		"get":  func(fsys afero.Fs) error { _, err := load(fsys, "/f"); return err },
		"list": func(fsys afero.Fs) error { _, err := ls(fsys, "/"); return err },
		"copy": func(fsys afero.Fs) error { return fsys.Rename("/f", "/g") },
	} {
		synctest.Test(t, func(t *testing.T) {
			f, m := newTree(t, object.Options{})
			m.Set("f", []byte("content"))
			m.Fault = object.Hang(op, 1)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Minute, func() { cancel(stop) })
			if err := do(f.WithContext(ctx)); !errors.Is(err, stop) {
				t.Errorf("%s hangs: %v, want the cause", op, err)
			}
		})
	}
	for op, size := range map[string]int{"single": 1, "begin": part + 1, "part": part + 1, "complete": part + 1} {
		synctest.Test(t, func(t *testing.T) {
			f, m := newTree(t, object.Options{CommitTimeout: time.Minute})
			m.Set("f", []byte("old"))
			m.Fault = object.Hang(op, 1)
			start := time.Now()
			ctx, cancel := context.WithCancelCause(t.Context())
			w, err := f.WithContext(ctx).Create("/f")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			cancel(stop)
			if err := w.Close(); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
				t.Errorf("%s hangs: Close after %v: %v, want the limit of a minute", op, time.Since(start), err)
			}
			if got, _ := m.Object("f"); string(got) != "old" {
				t.Errorf("%s hangs: the object is %.20q, want the old one", op, got)
			}
		})
	}
}

// A Close after a failed Write commits nothing.
func TestCloseAfterFailedWrite(t *testing.T) {
	f, m := newTree(t, object.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	w, err := f.WithContext(ctx).Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("half"))
	gone := errors.New("control connection lost")
	cancel(gone)
	if _, err := w.Write([]byte("more")); !errors.Is(err, gone) {
		t.Errorf("Write: %v, want the cause", err)
	}
	if err := w.Close(); !errors.Is(err, gone) || len(m.Keys()) > 0 {
		t.Errorf("Close: %v, keys %q, want the cause and nothing", err, m.Keys())
	}
}

// The object is replaced while it is read: never a mix of both.
func TestReadReplaced(t *testing.T) {
	f, m := newTree(t, object.Options{})
	m.Set("f", []byte("old content"))
	r, err := f.Open("/f")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	io.ReadFull(r, make([]byte, 4))
	m.Set("f", []byte("new content"))
	r.Seek(6, io.SeekStart)
	if b, err := io.ReadAll(r); !errors.Is(err, vfs.ErrBusy) || len(b) > 0 {
		t.Errorf("reading on after a seek: %q, %v, want vfs.ErrBusy", b, err)
	}
	r.Seek(100, io.SeekStart)
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("reading behind the end: %v, want vfs.ErrBadOffset", err)
	}
}

// A session keeps what it has seen; another one does not know it.
func TestSession(t *testing.T) {
	f, m := newTree(t, object.Options{})
	m.Set("d/f", nil)
	one, two := f.Session(), f.Session()
	if _, err := vfs.StatDir(one, "/d"); err != nil {
		t.Fatal(err)
	}
	m.Delete(t.Context(), "d/f", "")
	if _, err := vfs.StatDir(one, "/d"); err != nil {
		t.Errorf("the session that has seen the directory: %v", err)
	}
	if names, err := ls(one, "/d"); err != nil || len(names) > 0 {
		t.Errorf("listing it: %q, %v", names, err)
	}
	if _, err := vfs.StatDir(two, "/d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another session: %v, want fs.ErrNotExist", err)
	}
	if err := one.Mkdir("/d", 0); err != nil || fmt.Sprint(m.Keys()) != "[d/]" {
		t.Errorf("making it last: %v, keys %q", err, m.Keys())
	}
	// What a session remembers is bounded.
	for i := range 5000 {
		if err := store(one, fmt.Sprintf("/x/%d/f", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := object.StickyDirs(one); n > 1024 {
		t.Errorf("the session remembers %d directories", n)
	}
}

// pages is a Store with a directory of n entries, whose later pages wait.
type pages struct {
	object.Store
	n       int
	release chan struct{} // one page each, nil: at once
}

func (p *pages) Get(context.Context, string, int64) (io.ReadCloser, object.Attrs, error) {
	return nil, object.Attrs{}, fs.ErrNotExist
}

func (p *pages) GetRange(context.Context, string, string, int64, int64) (io.ReadCloser, object.Attrs, error) {
	return nil, object.Attrs{}, fs.ErrNotExist
}

func (p *pages) List(ctx context.Context, prefix, token string, max int) (object.Page, error) {
	if token != "" && p.release != nil {
		select {
		case <-p.release:
		case <-ctx.Done():
			return object.Page{}, context.Cause(ctx)
		}
	}
	first := 0
	fmt.Sscan(token, &first)
	end := min(first+max, p.n)
	var out object.Page
	for i := first; i < end; i++ {
		out.Objects = append(out.Objects, object.Attrs{Key: fmt.Sprintf("%s%08d.jpg", prefix, i), Size: int64(i)})
	}
	if end < p.n {
		out.Next = fmt.Sprint(end)
	}
	return out, nil
}

// The first entries are there before the second page is, and memory does not
// grow with the directory.
func TestListLarge(t *testing.T) {
	const n = 100_000
	s := &pages{n: n, release: make(chan struct{})}
	f, err := object.New(s, object.Options{})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for fi, err := range vfs.List(f, "/d") {
		if err != nil {
			t.Fatal(err)
		}
		if fi.Size() != int64(i) {
			t.Fatalf("entry %d has the number %d", i, fi.Size())
		}
		if i++; i == 1000 { // all of the first page, and no other has been delivered
			close(s.release)
		}
		if i%20000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
				t.Errorf("after %d entries the heap has grown by %d bytes", i, grown)
			}
		}
	}
	if i != n {
		t.Errorf("%d entries, want %d", i, n)
	}
}

// Who closes a listing ends its requests.
func TestListClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails on a goroutine that is left
		s := &pages{n: 5000, release: make(chan struct{})}
		f, _ := object.New(s, object.Options{})
		for _, err := range vfs.List(f, "/d") {
			if err != nil {
				t.Error(err)
			}
			break
		}
	})
}

func TestListSizes(t *testing.T) {
	for _, n := range []int{0, 1, 999, 1000, 1001, 2001} {
		f, m := newTree(t, object.Options{})
		m.Set("d/", nil)
		for i := range n {
			key := fmt.Sprintf("d/%05d", i)
			if i%7 == 0 {
				key += "/below"
			}
			m.Set(key, nil)
		}
		for _, key := range []string{"d//x", "d/./x", "d/../x", "d/a\nb", "d/zz_$folder$", "d/\xff"} {
			m.Set(key, nil)
		}
		names, err := ls(f, "/d")
		if err != nil || len(names) != n {
			t.Errorf("%d entries: listed %d, %v", n, len(names), err)
		}
		for i, name := range names {
			want := fmt.Sprintf("%05d", i)
			if i%7 == 0 {
				want += "/"
			}
			if name != want {
				t.Fatalf("entry %d is %q, want %q", i, name, want)
			}
		}
	}
}

func TestStrictClash(t *testing.T) {
	f, m := newTree(t, object.Options{StrictClash: true})
	m.Set("d/f", []byte("x"))
	if err := store(f.Session(), "/d", nil); !errors.Is(err, vfs.ErrIsDir) {
		t.Errorf("storing over a directory: %v, want vfs.ErrIsDir", err)
	}
	if err := store(f.Session(), "/d/f/below", nil); !errors.Is(err, vfs.ErrNotDir) {
		t.Errorf("storing below a file: %v, want vfs.ErrNotDir", err)
	}
	if err := store(f.Session(), "/d/g", nil); err != nil {
		t.Errorf("storing beside: %v", err)
	}
}

func TestPrefix(t *testing.T) {
	for _, bad := range []string{"a//b", "a/../b", "./a", "a\x00", "\xff", strings.Repeat("x", 1024)} {
		if _, err := object.New(nil, object.Options{Prefix: bad}); err == nil {
			t.Errorf("New with prefix %q: no error", bad)
		}
	}
	f, m := newTree(t, object.Options{Prefix: "a/b"})
	m.Set("a/bc", []byte("secret"))
	m.Set("a/bc/d", []byte("secret"))
	for _, name := range []string{"/../bc", "/..", "c", "/c", "../bc/d"} {
		if b, err := load(f, name); err == nil && bytes.Contains(b, []byte("secret")) {
			t.Errorf("%q leads out of the prefix", name)
		}
	}
	if err := store(f, "/../x", nil); err != nil || fmt.Sprint(m.Keys()) != "[a/b/x a/bc a/bc/d]" {
		t.Errorf("storing ../x: %v, keys %q", err, m.Keys())
	}
}

func BenchmarkList(b *testing.B) {
	f, _ := object.New(&pages{n: 100_000}, object.Options{})
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range vfs.List(f, "/d") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100_000 {
			b.Fatal(n)
		}
	}
}

// readFrom reads a file of 7 bytes as RETR does after REST.
func readFrom(fsys afero.Fs, name string, offset int64) (string, error) {
	r, err := vfs.OpenFrom(fsys, name, offset)
	if err != nil {
		return "", err
	}
	defer r.Close()
	if fi, err := r.Stat(); err != nil || fi.Size() != 7 {
		return "", fmt.Errorf("Stat: %v, %v", fi, err)
	}
	b, err := io.ReadAll(r)
	return string(b), err
}
