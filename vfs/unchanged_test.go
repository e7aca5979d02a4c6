package vfs_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// A file is another one when it was replaced, written to, or given another time.
func TestUnchanged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	look := func() os.FileInfo {
		fi, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return fi
	}
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1e9, 0)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(name, "text")
	was := look()
	if !vfs.Unchanged(was, look()) {
		t.Error("nothing has happened")
	}
	write(name, "longer")
	if vfs.Unchanged(was, look()) {
		t.Error("another size")
	}
	write(name, "text")
	if err := os.Chtimes(name, time.Now(), time.Unix(2e9, 0)); err != nil {
		t.Fatal(err)
	}
	if vfs.Unchanged(was, look()) {
		t.Error("another time")
	}
	write(name+".new", "text")
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
	if _, numbered := vfs.ID(was); numbered && vfs.Unchanged(was, look()) {
		t.Error("another file of the same size and time")
	}
}
