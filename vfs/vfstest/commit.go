package vfstest

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var errCut = errors.New("the client hung up")

var commitChecks = []check{
	{"10 Close commits", false, closeCommits},
	{"10 Abort before Close gives up", false, abortGivesUp},
	{"10 a second Close or Abort does nothing", false, secondEnd},
	{"Abort of an untouched upload", false, abortUntouched},
	{"Abort leaves an old file to readers", false, abortBesideReader},
}

// list1 returns the only entry of dir.
func list1(fsys afero.Fs, dir string) (os.FileInfo, error) {
	var last os.FileInfo
	for fi, err := range vfs.List(fsys, dir) {
		if err != nil {
			return nil, err
		}
		if last != nil {
			return nil, errors.New("more than one entry")
		}
		last = fi
	}
	if last == nil {
		return nil, errors.New("no entry")
	}
	return last, nil
}

// sizesOfCuts: nothing, less than the first part, and more than it.
func (t *T) sizesOfCuts() map[string]int64 {
	return map[string]int64{
		"empty":      0,
		"small":      10,
		"first part": t.caps().FirstPart,
		"more parts": t.caps().FirstPart + t.caps().Part + 1,
	}
}

func closeCommits(t *T) {
	fsys := t.fs()
	t.put(fsys, "/old", "old")
	for _, name := range []string{"/new", "/old"} {
		f, err := create(fsys, name)
		if err != nil {
			t.Fatalf("OpenFile(%q): %v", name, err)
		}
		if _, err := io.WriteString(f, "content"); err != nil {
			t.Fatalf("Write(%q): %v", name, err)
		}
		// What is replaced whole is not seen before the commit.
		if t.caps().Abort == KeepsOld {
			if name == "/new" {
				t.missing(fsys, name)
			} else {
				t.holds(fsys, name, "old")
			}
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close(%q): %v", name, err)
		}
		t.holds(fsys, name, "content")
	}
	t.lists(fsys, "/", "new", "old")
}

func abortGivesUp(t *T) {
	for kind, size := range t.sizesOfCuts() {
		t.Run("new file "+kind, func(t *T) {
			fsys := t.fs()
			part := pattern(size)
			t.cut(fsys, "/f", part)
			switch t.caps().Abort {
			case KeepsPart:
				t.holds(fsys, "/f", part)
			default:
				t.missing(fsys, "/f")
				t.lists(fsys, "/")
			}
		})
		t.Run("old file "+kind, func(t *T) {
			fsys := t.fs()
			t.put(fsys, "/f", "the old content")
			part := pattern(size)
			t.cut(fsys, "/f", part)
			switch t.caps().Abort {
			case KeepsOld:
				t.holds(fsys, "/f", "the old content")
				t.lists(fsys, "/", "f")
			case KeepsPart:
				t.holds(fsys, "/f", part)
			case Discards:
				t.missing(fsys, "/f")
			}
			// The name is free for the next try.
			t.put(fsys, "/f", "second try")
			t.holds(fsys, "/f", "second try")
		})
	}
}

// cut stores a part of a file and gives it up.
func (t *T) cut(fsys afero.Fs, name, part string) {
	t.t.Helper()
	f, err := create(fsys, name)
	if err != nil {
		t.Fatalf("OpenFile(%q): %v", name, err)
	}
	if _, err := io.WriteString(f, part); err != nil {
		t.Errorf("Write(%q): %v", name, err)
	}
	if err := vfs.Abort(f, errCut); err != nil {
		t.Errorf("Abort(%q): %v", name, err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("Close(%q) after Abort: %v, want nil", name, err)
	}
}

func secondEnd(t *T) {
	fsys := t.fs()
	f, err := create(fsys, "/f")
	if err != nil {
		t.Fatalf("OpenFile: %v", err)
	}
	if err := finish(f, "content"); err != nil {
		t.Fatalf("Close: %v", err)
	}
	// Another upload has come to the name; the ends of the first one must not touch it.
	t.put(fsys, "/f", "of another")
	if err := vfs.Abort(f, errCut); err != nil {
		t.Errorf("Abort after Close: %v, want nil", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("second Close: %v, want nil", err)
	}
	t.holds(fsys, "/f", "of another")
	if n, err := f.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("Write after Close: %d, %v; want an error", n, err)
	}

	if f, err = create(fsys, "/g"); err != nil {
		t.Fatalf("OpenFile: %v", err)
	}
	io.WriteString(f, "part")
	if err := vfs.Abort(f, errCut); err != nil {
		t.Errorf("Abort: %v", err)
	}
	t.put(fsys, "/g", "of another")
	for range 2 {
		if err := vfs.Abort(f, errCut); err != nil {
			t.Errorf("second Abort: %v, want nil", err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close after Abort: %v, want nil", err)
		}
	}
	t.holds(fsys, "/g", "of another")
	t.holds(fsys, "/f", "of another")
}

func abortUntouched(t *T) {
	fsys := t.fs()
	f, err := fsys.OpenFile("/f", forNew, 0o666)
	if err != nil {
		t.Fatalf("OpenFile: %v", err)
	}
	if err := vfs.Abort(f, errCut); err != nil {
		t.Errorf("Abort: %v", err)
	}
	if t.caps().Abort != KeepsPart {
		t.missing(fsys, "/f")
	}
}

func abortBesideReader(t *T) {
	fsys := t.fs()
	if t.caps().Abort != KeepsOld {
		// Written in place: what can be said is that the next upload is whole.
		t.cut(fsys, "/f", "part")
		t.put(fsys, "/f", "whole")
		t.holds(fsys, "/f", "whole")
		return
	}
	old := pattern(t.caps().FirstPart + 1)
	t.put(fsys, "/f", old)
	r, err := fsys.Open("/f")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer r.Close()
	head := make([]byte, 10)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatalf("reading: %v", err)
	}
	t.cut(fsys, "/f", "a part of the new content")
	rest, err := io.ReadAll(r)
	if err != nil || string(head)+string(rest) != old {
		t.Errorf("the reader beside an upload that was given up got %d bytes, %v; want %d of the old content", len(head)+len(rest), err, len(old))
	}
}
