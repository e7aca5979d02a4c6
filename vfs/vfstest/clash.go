package vfstest

import (
	"slices"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Sentence 39: other programs can give a file and a directory one name. Both
// stay reachable.
var clashChecks = []check{
	{"39 same name as file and directory", true, clash},
}

func clash(t *T) {
	fsys := t.fs()
	t.raw(fsys, "d/x", "below")
	t.raw(fsys, "d", "the file")
	t.raw(fsys, "d-y", "beside")

	t.holds(fsys, "/d", "the file")
	t.holds(fsys, "/d/x", "below")
	if fi, err := fsys.Stat("/d"); err != nil || fi.IsDir() || fi.Size() != 8 {
		t.Errorf(`Stat("/d") = %v, %v; want the file`, fi, err)
	}
	t.isDir(fsys, "/d")
	t.lists(fsys, "/d", "x")
	names, err := list(fsys, "/")
	if err != nil {
		t.Errorf(`List("/"): %v`, err)
	}
	if !slices.Contains(names, "d") && !slices.Contains(names, "d/") {
		t.Errorf(`List("/") = %q, want d`, names)
	}

	t.wants("RemoveDir of the directory", vfs.RemoveDir(fsys, "/d"), vfs.ErrNotEmpty)
	t.holds(fsys, "/d", "the file")
	if err := vfs.RemoveFile(fsys, "/d"); err != nil {
		t.Errorf("RemoveFile of the file: %v", err)
	}
	t.isDir(fsys, "/d")
	t.lists(fsys, "/", "d/", "d-y")
	t.holds(fsys, "/d/x", "below")
	if fi, err := fsys.Stat("/d"); err != nil || !fi.IsDir() {
		t.Errorf(`Stat("/d") without the file = %v, %v; want the directory`, fi, err)
	}
}
