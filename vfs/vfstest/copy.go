package vfstest

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var copyChecks = []check{
	{"copy a file", false, copyFile},
	{"copy onto a file", false, copyOntoFile},
	{"copy onto itself", false, copyOntoItself},
	{"copy what cannot be copied", false, copyRefused},
	{"copy with a context that is done", false, copyContext},
	{"replace a file", false, replaceFile},
	{"space", false, space},
}

func copyFile(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/f", "content")
	t.put(fsys, "/empty", "")
	big := pattern(t.caps().FirstPart + t.caps().Part + 1)
	t.put(fsys, "/big", big)
	for _, c := range []struct{ from, to, content string }{
		{"/f", "/g", "content"}, {"/f", "/d/f", "content"}, {"/empty", "/d/empty", ""}, {"/big", "/d/big", big},
	} {
		if err := vfs.Copy(fsys, c.from, c.to); err != nil {
			t.Errorf("Copy(%q, %q): %v", c.from, c.to, err)
		}
		t.holds(fsys, c.to, c.content)
		t.holds(fsys, c.from, c.content)
	}
	t.lists(fsys, "/", "big", "d/", "empty", "f", "g")
	t.lists(fsys, "/d", "big", "empty", "f")
	// The two are different files.
	t.put(fsys, "/f", "changed")
	t.holds(fsys, "/g", "content")

	err := vfs.Copy(fsys, "/f", "/no/such/f")
	if t.caps().ImplicitDirs {
		if err != nil {
			t.Errorf("Copy into a missing directory: %v", err)
		}
		t.holds(fsys, "/no/such/f", "changed")
	} else {
		t.wants("Copy into a missing directory", err, fs.ErrNotExist)
		t.missing(fsys, "/no")
	}
}

func copyOntoFile(t *T) {
	fsys := t.fs()
	t.put(fsys, "/new", "new")
	t.put(fsys, "/old", "the old, longer content")
	if err := vfs.Copy(fsys, "/new", "/old"); err != nil {
		t.Fatalf("Copy onto a file: %v", err)
	}
	t.holds(fsys, "/old", "new")
	t.holds(fsys, "/new", "new")
	t.lists(fsys, "/", "new", "old")
}

// copyOntoItself: to open it for writing would be its end.
func copyOntoItself(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "content")
	t.wants("Copy onto itself", vfs.Copy(fsys, "/f", "/f"), fs.ErrExist)
	t.holds(fsys, "/f", "content")
	if t.caps().Symlinks {
		if err := vfs.Symlink(fsys, "f", "/link"); err != nil {
			t.Fatalf("Symlink: %v", err)
		}
		t.wants("Copy onto a link to itself", vfs.Copy(fsys, "/f", "/link"), fs.ErrExist)
		t.holds(fsys, "/f", "content")
	}
}

func copyRefused(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/f", "content")
	t.wants("Copy of a missing file", vfs.Copy(fsys, "/absent", "/g"), fs.ErrNotExist)
	t.wants("Copy of a missing file onto a file", vfs.Copy(fsys, "/absent", "/f"), fs.ErrNotExist)
	t.wants("Copy of a directory", vfs.Copy(fsys, "/d", "/g"), vfs.ErrIsDir, fs.ErrNotExist)
	t.wants("Copy of a directory onto a file", vfs.Copy(fsys, "/d", "/f"), vfs.ErrIsDir, fs.ErrNotExist)
	t.wants("Copy onto a directory", vfs.Copy(fsys, "/f", "/d"), vfs.ErrIsDir, fs.ErrExist)
	t.wants("Copy of the root", vfs.Copy(fsys, "/", "/g"), vfs.ErrIsDir, fs.ErrNotExist)
	t.wants("Copy onto the root", vfs.Copy(fsys, "/f", "/"), vfs.ErrIsDir, fs.ErrExist, fs.ErrPermission)
	t.missing(fsys, "/g")
	t.holds(fsys, "/f", "content")
	t.isDir(fsys, "/d")
	t.lists(fsys, "/", "d/", "f")
}

func copyContext(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "content")
	t.put(fsys, "/old", "old")
	ctx, cancel := context.WithCancelCause(t.t.Context())
	bound := vfs.WithContext(ctx, fsys)
	cancel(errCalledOff)
	t.wants("Copy", vfs.Copy(bound, "/f", "/old"), errCalledOff)
	t.wants("Copy to a new name", vfs.Copy(bound, "/f", "/g"), errCalledOff)
	t.holds(fsys, "/old", "old")
	t.missing(fsys, "/g")
	t.lists(fsys, "/", "f", "old")
}

func replaceFile(t *T) {
	fsys := t.fs()
	for _, size := range t.sizesOfCuts() {
		t.put(fsys, "/f", "old")
		for _, name := range []string{"/f", "/g"} {
			f, err := vfs.Replace(fsys, name)
			if err != nil {
				t.Fatalf("Replace(%q): %v", name, err)
			}
			if _, err := io.WriteString(f, pattern(size)); err != nil {
				t.Errorf("Write: %v", err)
			}
			if err := vfs.Abort(f, errors.New("given up by the test")); err != nil {
				t.Errorf("Abort: %v", err)
			}
		}
		t.holds(fsys, "/f", "old")
		t.missing(fsys, "/g")
		t.lists(fsys, "/", "f")
		f, err := vfs.Replace(fsys, "/f")
		if err != nil {
			t.Fatalf("Replace: %v", err)
		}
		if _, err := io.WriteString(f, pattern(size)); err != nil {
			t.Errorf("Write: %v", err)
		}
		t.holds(fsys, "/f", "old")
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		t.holds(fsys, "/f", pattern(size))
	}
	t.mkdir(fsys, "/d")
	if f, err := vfs.Replace(fsys, "/d"); err == nil {
		err = f.Close()
		t.wants("Replace of a directory", err, vfs.ErrIsDir, fs.ErrExist)
	} else {
		t.wants("Replace of a directory", err, vfs.ErrIsDir, fs.ErrExist)
	}
	t.isDir(fsys, "/d")
}

func space(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/d/f", "x")
	for _, name := range []string{"/", "/d", "/d/f"} {
		free, err := vfs.Space(fsys, name)
		switch {
		case !t.caps().Space:
			t.wants("Space", err, errors.ErrUnsupported)
		case err != nil || free <= 0:
			t.Errorf("Space(%q) = %d, %v; want more than nothing", name, free, err)
		}
	}
	if t.caps().Space {
		_, err := vfs.Space(fsys, "/absent")
		t.wants("Space of a missing directory", err, fs.ErrNotExist)
	}
}
