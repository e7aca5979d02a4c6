package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"strconv"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var resumeChecks = []check{
	{"append", false, appends},
	{"resume", false, resumes},
}

func appends(t *T) {
	if !t.caps().Append {
		refusesAt(t, -1)
		return
	}
	t.Run("to a file", func(t *T) {
		fsys := t.fs()
		t.put(fsys, "/f", "old,")
		t.at(fsys, "/f", -1, "new")
		t.holds(fsys, "/f", "old,new")
		t.at(fsys, "/f", -1, "")
		t.holds(fsys, "/f", "old,new")
		t.lists(fsys, "/", "f")
	})
	t.Run("to a missing file", func(t *T) {
		fsys := t.fs()
		t.at(fsys, "/f", -1, "first")
		t.holds(fsys, "/f", "first")
	})
	t.Run("over a part", func(t *T) {
		fsys := t.fs()
		old, more := pattern(t.caps().FirstPart-1), pattern(t.caps().Part+2)
		t.put(fsys, "/f", old)
		t.at(fsys, "/f", -1, more)
		t.holds(fsys, "/f", old+more)
	})
	t.Run("given up", func(t *T) {
		fsys := t.fs()
		t.put(fsys, "/f", "old,")
		t.cutAt(fsys, "/f", -1, "part")
		if t.caps().Abort == KeepsPart {
			t.holds(fsys, "/f", "old,part")
		} else {
			t.holds(fsys, "/f", "old,")
			t.lists(fsys, "/", "f")
		}
		t.cutAt(fsys, "/g", -1, "part")
		if t.caps().Abort == KeepsPart {
			t.holds(fsys, "/g", "part")
		} else {
			t.missing(fsys, "/g")
		}
	})
	t.Run("to a directory", func(t *T) {
		fsys := t.fs()
		t.mkdir(fsys, "/d")
		if f, err := vfs.OpenAt(fsys, "/d", -1); err == nil {
			if err = finish(f, "x"); err == nil {
				t.Errorf("OpenAt of a directory worked")
			}
		}
		t.isDir(fsys, "/d")
	})
}

func resumes(t *T) {
	if !t.caps().Resume {
		refusesAt(t, 3)
		return
	}
	const old = "0123456789"
	for _, off := range []int64{0, 4, 10} {
		t.Run("at "+strconv.FormatInt(off, 10), func(t *T) {
			fsys := t.fs()
			t.put(fsys, "/f", old)
			t.at(fsys, "/f", off, "ab")
			t.holds(fsys, "/f", old[:off]+"ab")
		})
	}
	t.Run("behind the end", func(t *T) {
		fsys := t.fs()
		t.put(fsys, "/f", old)
		_, err := vfs.OpenAt(fsys, "/f", 11)
		t.wants("OpenAt behind the end", err, vfs.ErrBadOffset)
		t.holds(fsys, "/f", old)
	})
	t.Run("a missing file", func(t *T) {
		fsys := t.fs()
		_, err := vfs.OpenAt(fsys, "/f", 3)
		t.wants("OpenAt of a missing file", err, fs.ErrNotExist)
		t.missing(fsys, "/f")
	})
	t.Run("given up", func(t *T) {
		fsys := t.fs()
		t.put(fsys, "/f", old)
		t.cutAt(fsys, "/f", 10, "ab")
		if t.caps().Abort == KeepsPart {
			t.holds(fsys, "/f", old+"ab")
		} else {
			t.holds(fsys, "/f", old)
		}
	})
}

// refusesAt checks that a tree that cannot continue a file says so and leaves the file alone.
func refusesAt(t *T, off int64) {
	fsys := t.fs()
	t.put(fsys, "/f", "0123456789")
	for _, name := range []string{"/f", "/absent"} {
		f, err := vfs.OpenAt(fsys, name, off)
		if err == nil {
			vfs.Abort(f, errors.New("should have been refused"))
		}
		if name == "/f" {
			t.wants("OpenAt of a tree that cannot", err, errors.ErrUnsupported)
		} else {
			t.wants("OpenAt of a tree that cannot", err, errors.ErrUnsupported, fs.ErrNotExist)
		}
	}
	t.holds(fsys, "/f", "0123456789")
	t.missing(fsys, "/absent")
}

// at continues a file and commits it.
func (t *T) at(fsys afero.Fs, name string, off int64, content string) {
	t.t.Helper()
	f, err := vfs.OpenAt(fsys, name, off)
	if err != nil {
		t.Fatalf("OpenAt(%q, %d): %v", name, off, err)
	}
	if err := finish(f, content); err != nil {
		t.Fatalf("continuing %q at %d: %v", name, off, err)
	}
}

// cutAt continues a file and gives it up.
func (t *T) cutAt(fsys afero.Fs, name string, off int64, part string) {
	t.t.Helper()
	f, err := vfs.OpenAt(fsys, name, off)
	if err != nil {
		t.Fatalf("OpenAt(%q, %d): %v", name, off, err)
	}
	if _, err := io.WriteString(f, part); err != nil {
		t.Errorf("Write: %v", err)
	}
	if err := vfs.Abort(f, errCut); err != nil {
		t.Errorf("Abort: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("Close after Abort: %v, want nil", err)
	}
}
