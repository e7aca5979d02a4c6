package local_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// A directory opened by Below is a tree of its own: nothing leads out, and its Release closes nothing else.
func TestBelow(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "home"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	root, err := local.New(local.Options{Name: "disk", Root: dir, Cut: local.CutDiscard})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	home, err := root.Below("/a/home")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Below("/a/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of what is missing: %v", err)
	}
	if _, err := root.Below("/secret"); err == nil {
		t.Error("a file was opened as a directory")
	}
	if err := os.Symlink("../../secret", filepath.Join(dir, "a", "home", "link")); err == nil {
		if b, err := afero.ReadFile(home, "/link"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a link led out: %q, %v", b, err)
		}
	}
	f, err := home.OpenFile("/new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err == nil {
		_, err = f.WriteString("four")
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, want := vfs.StoredAs(f), (vfs.Stored{Backend: "disk", Key: filepath.Join(dir, "a", "home", "new"), Size: 4}); got != want {
		t.Errorf("stored as %v, want %v", got, want)
	}
	vfs.Release(home)
	vfs.Release(root)
	if _, err := home.Stat("/new"); err == nil {
		t.Error("the directory is still open")
	}
	if _, err := root.Stat("/a/home/new"); err != nil {
		t.Errorf("the tree above was closed with it: %v", err)
	}
}
