package vfstest

import (
	"io/fs"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var renameChecks = []check{
	{"rename a file", false, renameFile},
	{"rename onto a file", false, renameOntoFile},
	{"rename onto itself", false, renameOntoItself},
	{"rename a missing file", false, renameMissing},
	{"rename onto a directory", false, renameOntoDir},
	{"rename a directory", false, renameDir},
}

func renameFile(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/f.tmp", "content")
	if err := fsys.Rename("/f.tmp", "/f"); err != nil {
		t.Fatalf("Rename: %v", err)
	}
	t.missing(fsys, "/f.tmp")
	t.holds(fsys, "/f", "content")
	if err := fsys.Rename("/f", "/d/g"); err != nil {
		t.Fatalf("Rename into a directory: %v", err)
	}
	t.holds(fsys, "/d/g", "content")
	t.lists(fsys, "/", "d/")
	big := pattern(t.caps().FirstPart + t.caps().Part + 1)
	t.put(fsys, "/big", big)
	if err := fsys.Rename("/big", "/d/big"); err != nil {
		t.Fatalf("Rename: %v", err)
	}
	t.holds(fsys, "/d/big", big)
	t.lists(fsys, "/d", "big", "g")

	t.put(fsys, "/h", "x")
	err := fsys.Rename("/h", "/no/such/h")
	if t.caps().ImplicitDirs {
		if err != nil {
			t.Errorf("Rename into a missing directory: %v", err)
		}
		t.holds(fsys, "/no/such/h", "x")
	} else {
		t.wants("Rename into a missing directory", err, fs.ErrNotExist)
		t.holds(fsys, "/h", "x")
	}
}

func renameOntoFile(t *T) {
	fsys := t.fs()
	t.put(fsys, "/new", "new content")
	t.put(fsys, "/old", "old")
	if err := fsys.Rename("/new", "/old"); err != nil {
		t.Fatalf("Rename onto a file: %v", err)
	}
	t.holds(fsys, "/old", "new content")
	t.lists(fsys, "/", "old")
}

// renameOntoItself: copy and delete would lose the file.
func renameOntoItself(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "content")
	if err := fsys.Rename("/f", "/f"); err != nil {
		t.wants("Rename onto itself", err, fs.ErrExist)
	}
	t.holds(fsys, "/f", "content")
	t.lists(fsys, "/", "f")
}

func renameMissing(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "content")
	t.wants("Rename of a missing file", fsys.Rename("/absent", "/g"), fs.ErrNotExist)
	t.wants("Rename of a missing file onto a file", fsys.Rename("/absent", "/f"), fs.ErrNotExist)
	t.missing(fsys, "/g")
	t.holds(fsys, "/f", "content")
	t.lists(fsys, "/", "f")
}

func renameOntoDir(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/f", "content")
	t.wants("Rename of a file onto a directory", fsys.Rename("/f", "/d"), fs.ErrExist, vfs.ErrIsDir)
	t.holds(fsys, "/f", "content")
	t.isDir(fsys, "/d")
	t.lists(fsys, "/", "d/", "f")
}

func renameDir(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.mkdir(fsys, "/d/sub")
	t.put(fsys, "/d/sub/f", "content")
	t.put(fsys, "/d-1", "beside")
	t.put(fsys, "/file", "x")
	err := fsys.Rename("/d", "/e")
	if t.caps().RenameDir {
		if err != nil {
			t.Fatalf("Rename of a directory: %v", err)
		}
		t.missing(fsys, "/d")
		t.holds(fsys, "/e/sub/f", "content")
		t.lists(fsys, "/", "d-1", "e/", "file")
		if err := fsys.Rename("/e", "/d"); err != nil {
			t.Fatalf("Rename back: %v", err)
		}
	} else if err == nil {
		t.Errorf("Rename of a directory worked, want a refusal")
	}
	if fsys.Rename("/d", "/d/sub/below") == nil {
		t.Errorf("Rename of a directory into itself worked")
	}
	if fsys.Rename("/d", "/file") == nil {
		t.Errorf("Rename of a directory onto a file worked")
	}
	t.holds(fsys, "/d/sub/f", "content")
	t.holds(fsys, "/file", "x")
	t.lists(fsys, "/", "d-1", "d/", "file")
}
