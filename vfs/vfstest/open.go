package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var openChecks = []check{
	{"open missing", false, openMissing},
	{"store and read", false, storeAndRead},
	{"store replaces", false, storeReplaces},
	{"exclusive create", false, exclusiveCreate},
	{"store in a missing directory", false, storeInMissing},
	{"read from an offset", false, readFromOffset},
	{"wrong direction", false, wrongDirection},
	{"open a directory", false, openDirectory},
	{"below a file", false, belowAFile},
	{"root", false, rootIsADirectory},
	{"errors carry the name", false, errorsCarryTheName},
}

func openMissing(t *T) {
	fsys := t.fs()
	t.missing(fsys, "/absent")
	t.missing(fsys, "/no/such/file")
	_, err := vfs.StatFile(fsys, "/absent")
	t.wants(`StatFile("/absent")`, err, fs.ErrNotExist)
	_, err = vfs.StatDir(fsys, "/absent")
	t.wants(`StatDir("/absent")`, err, fs.ErrNotExist)
	_, err = vfs.Lstat(fsys, "/absent")
	t.wants(`Lstat("/absent")`, err, fs.ErrNotExist)
}

func storeAndRead(t *T) {
	fsys := t.fs()
	before := time.Now()
	f, err := create(fsys, "/f.txt")
	if err != nil {
		t.Fatalf("OpenFile for writing: %v", err)
	}
	if f.Name() != "/f.txt" {
		t.Errorf("Name() = %q, want %q", f.Name(), "/f.txt")
	}
	for _, s := range []string{"one ", "", "two ", "three"} {
		if n, err := io.WriteString(f, s); n != len(s) || err != nil {
			t.Fatalf("writing %q: %d, %v", s, n, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	t.holds(fsys, "/f.txt", "one two three")
	t.lists(fsys, "/", "f.txt")

	for what, stat := range map[string]func() (os.FileInfo, error){
		"Stat":     func() (os.FileInfo, error) { return fsys.Stat("/f.txt") },
		"StatFile": func() (os.FileInfo, error) { return vfs.StatFile(fsys, "/f.txt") },
		"Lstat":    func() (os.FileInfo, error) { return vfs.Lstat(fsys, "/f.txt") },
		"File.Stat": func() (os.FileInfo, error) {
			f, err := fsys.Open("/f.txt")
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return f.Stat()
		},
	} {
		fi, err := stat()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if fi.Name() != "f.txt" || fi.Size() != 13 || fi.IsDir() || !fi.Mode().IsRegular() {
			t.Errorf("%s = %q, %d bytes, mode %v; want f.txt, 13, a regular file", what, fi.Name(), fi.Size(), fi.Mode())
		}
		// Stores have clocks of their own and whole seconds.
		if d := fi.ModTime().Sub(before); d < -time.Minute || d > time.Hour {
			t.Errorf("%s: ModTime %v is %v away from the time of writing", what, fi.ModTime(), d)
		}
	}
}

func storeReplaces(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "the long old content")
	t.put(fsys, "/f", "new")
	t.holds(fsys, "/f", "new")
	f, err := fsys.Create("/f")
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if err := finish(f, "newer"); err != nil {
		t.Fatalf("after Create: %v", err)
	}
	t.holds(fsys, "/f", "newer")
	t.lists(fsys, "/", "f")
}

// exclusiveCreate: a store may notice only at the commit that the name is taken.
func exclusiveCreate(t *T) {
	fsys := t.fs()
	f, err := fsys.OpenFile("/new", forNew, 0o666)
	if err != nil {
		t.Fatalf("O_EXCL on a free name: %v", err)
	}
	if err := finish(f, "first"); err != nil {
		t.Fatalf("O_EXCL on a free name: %v", err)
	}
	t.holds(fsys, "/new", "first")
	f, err = fsys.OpenFile("/new", forNew, 0o666)
	if err == nil {
		err = finish(f, "second")
	}
	t.wants("O_EXCL on a taken name", err, fs.ErrExist)
	t.holds(fsys, "/new", "first")
}

func storeInMissing(t *T) {
	fsys := t.fs()
	err := store(fsys, "/no/such/f", "x")
	if t.caps().ImplicitDirs {
		if err != nil {
			t.Fatalf("storing in a missing directory: %v", err)
		}
		t.holds(fsys, "/no/such/f", "x")
		t.isDir(fsys, "/no/such")
		t.isDir(fsys, "/no")
		return
	}
	t.wants("storing in a missing directory", err, fs.ErrNotExist)
	t.missing(fsys, "/no")
}

func readFromOffset(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "0123456789")
	for _, c := range []struct {
		off    int64
		whence int
		at     int64
		want   string
	}{
		{0, io.SeekStart, 0, "0123456789"},
		{4, io.SeekStart, 4, "456789"},
		{10, io.SeekStart, 10, ""},
		{-3, io.SeekEnd, 7, "789"},
		{2, io.SeekCurrent, 2, "23456789"},
	} {
		f, err := fsys.Open("/f")
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		at, err := f.Seek(c.off, c.whence)
		if at != c.at || err != nil {
			t.Errorf("Seek(%d, %d) = %d, %v; want %d", c.off, c.whence, at, err, c.at)
		}
		b, err := io.ReadAll(f)
		if string(b) != c.want || err != nil {
			t.Errorf("reading after Seek(%d, %d): %q, %v; want %q", c.off, c.whence, b, err, c.want)
		}
		if n, err := f.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("reading at the end: %d, %v; want 0, io.EOF", n, err)
		}
		if at, err = f.Seek(1, io.SeekStart); at != 1 || err != nil {
			t.Errorf("seeking back: %d, %v", at, err)
		}
		one := make([]byte, 1)
		if _, err := io.ReadFull(f, one); err != nil || one[0] != '1' {
			t.Errorf("reading after seeking back: %q, %v; want %q", one, err, "1")
		}
		p := make([]byte, 3)
		if n, err := f.ReadAt(p, 5); !errors.Is(err, errors.ErrUnsupported) && (err != nil || string(p[:n]) != "567") {
			t.Errorf("ReadAt(5) = %q, %v; want %q or errors.ErrUnsupported", p[:n], err, "567")
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func wrongDirection(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "content")
	r, err := fsys.Open("/f")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if n, err := r.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("writing to a file opened for reading: %d, %v; want an error", n, err)
	}
	r.Close()
	w, err := create(fsys, "/g")
	if err != nil {
		t.Fatalf("OpenFile: %v", err)
	}
	if n, err := w.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("reading from a file opened for writing: %d, %v; want an error", n, err)
	}
	vfs.Abort(w, errors.New("end of the test"))
	t.holds(fsys, "/f", "content")
}

func openDirectory(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/d/f", "x")
	if got, err := load(fsys, "/d"); err == nil {
		t.Errorf("reading a directory gave %q, want an error", got)
	}
	_, err := vfs.StatFile(fsys, "/d")
	t.wants("StatFile of a directory", err, vfs.ErrIsDir, fs.ErrNotExist)
	_, err = vfs.StatDir(fsys, "/d/f")
	t.wants("StatDir of a file", err, vfs.ErrNotDir, fs.ErrNotExist)
	_, err = list(fsys, "/d/f")
	t.wants("List of a file", err, vfs.ErrNotDir)
}

func belowAFile(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "x")
	_, err := fsys.Stat("/f/below")
	t.wants("Stat below a file", err, fs.ErrNotExist, vfs.ErrNotDir)
	_, err = fsys.Open("/f/below")
	t.wants("Open below a file", err, fs.ErrNotExist, vfs.ErrNotDir)
	_, err = list(fsys, "/f/below")
	t.wants("List below a file", err, fs.ErrNotExist, vfs.ErrNotDir)
	t.holds(fsys, "/f", "x")
}

func rootIsADirectory(t *T) {
	fsys := t.fs()
	t.isDir(fsys, "/")
	t.lists(fsys, "/")
	if err := fsys.Mkdir("/", 0o777); !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrPermission) {
		t.Errorf(`Mkdir("/"): %v, want fs.ErrExist or fs.ErrPermission`, err)
	}
	for what, err := range map[string]error{
		"Remove":     fsys.Remove("/"),
		"RemoveDir":  vfs.RemoveDir(fsys, "/"),
		"RemoveFile": vfs.RemoveFile(fsys, "/"),
		"Rename":     fsys.Rename("/", "/moved"),
		"store":      store(fsys, "/", "x"),
	} {
		if err == nil {
			t.Errorf("%s of the root worked", what)
		}
	}
	t.isDir(fsys, "/")
	t.lists(fsys, "/")
}

func errorsCarryTheName(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	const name = "/d/no file"
	for what, f := range map[string]func() error{
		"Stat":       func() error { _, err := fsys.Stat(name); return err },
		"StatFile":   func() error { _, err := vfs.StatFile(fsys, name); return err },
		"StatDir":    func() error { _, err := vfs.StatDir(fsys, name); return err },
		"List":       func() error { _, err := list(fsys, name); return err },
		"read":       func() error { _, err := load(fsys, name); return err },
		"Remove":     func() error { return fsys.Remove(name) },
		"RemoveFile": func() error { return vfs.RemoveFile(fsys, name) },
		"RemoveDir":  func() error { return vfs.RemoveDir(fsys, name) },
		"Rename":     func() error { return fsys.Rename(name, "/d/other") },
		"Mkdir":      func() error { return fsys.Mkdir("/d", 0o777) },
	} {
		want := name
		if what == "Mkdir" {
			want = "/d"
		}
		err := f()
		var pe *fs.PathError
		var le *os.LinkError
		switch {
		case errors.As(err, &pe) && pe.Path == want:
		case errors.As(err, &le) && le.Old == want:
		default:
			t.Errorf("%s: %v (%T), want an fs.PathError or os.LinkError of %q", what, err, err, want)
		}
	}
}
