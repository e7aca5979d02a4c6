package vfstest

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var attributeChecks = []check{
	{"times", false, times},
	{"modes", false, modes},
	{"symbolic links", false, symlinks},
	{"digests", false, digests},
}

func times(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "x")
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	err := fsys.Chtimes("/f", when, when)
	if !t.caps().Chtimes {
		t.wants("Chtimes", err, errors.ErrUnsupported)
		t.holds(fsys, "/f", "x")
		return
	}
	if err != nil {
		t.Fatalf("Chtimes: %v", err)
	}
	fi, err := fsys.Stat("/f")
	if err != nil || !fi.ModTime().Equal(when) {
		t.Errorf("Stat after Chtimes: %v, %v; want time %v", fi, err, when)
	}
	t.holds(fsys, "/f", "x")
	t.wants("Chtimes of a missing file", fsys.Chtimes("/absent", when, when), fs.ErrNotExist)
}

func modes(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "x")
	err := fsys.Chmod("/f", 0o640)
	if !t.caps().Chmod {
		t.wants("Chmod", err, errors.ErrUnsupported)
		t.holds(fsys, "/f", "x")
		return
	}
	if err != nil {
		t.Fatalf("Chmod: %v", err)
	}
	fi, err := fsys.Stat("/f")
	if err != nil || fi.Mode() != os.FileMode(0o640) {
		t.Errorf("Stat after Chmod: %v, %v; want mode 0640", fi, err)
	}
	t.wants("Chmod of a missing file", fsys.Chmod("/absent", 0o640), fs.ErrNotExist)
}

func symlinks(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/d/f", "content")
	err := vfs.Symlink(fsys, "f", "/d/link")
	if !t.caps().Symlinks {
		t.wants("Symlink", err, errors.ErrUnsupported)
		t.lists(fsys, "/d", "f")
		return
	}
	if err != nil {
		t.Fatalf("Symlink: %v", err)
	}
	t.holds(fsys, "/d/link", "content")
	if got, err := vfs.Readlink(fsys, "/d/link"); err != nil || got != "f" {
		t.Errorf("Readlink = %q, %v; want %q", got, err, "f")
	}
	if fi, err := vfs.Lstat(fsys, "/d/link"); err != nil || fi.Mode()&os.ModeSymlink == 0 {
		t.Errorf("Lstat of a link: %v, %v; want a link", fi, err)
	}
	if fi, err := fsys.Stat("/d/link"); err != nil || !fi.Mode().IsRegular() {
		t.Errorf("Stat of a link: %v, %v; want the file", fi, err)
	}
	if err := vfs.RemoveFile(fsys, "/d/link"); err != nil {
		t.Errorf("RemoveFile of a link: %v", err)
	}
	t.holds(fsys, "/d/f", "content")
	t.lists(fsys, "/d", "f")
}

func digests(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "x")
	// MD5 of "x" is the one digest that nearly every store knows without reading.
	const want = "\x9d\xd4\xe4\x61\x26\x8c\x80\x34\xf5\xc8\x56\x4e\x15\x5c\x67\xa6"
	if sum, err := vfs.Hash(fsys, "/f", "MD5"); err == nil && string(sum) != want {
		t.Errorf("Hash(MD5) = %x, want %x", sum, want)
	} else if err != nil {
		t.wants("Hash(MD5)", err, errors.ErrUnsupported)
	}
	_, err := vfs.Hash(fsys, "/f", "NO-SUCH-DIGEST")
	t.wants("Hash of an unknown digest", err, errors.ErrUnsupported)
}
