package vfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// keepTrees are the two kinds of trees that a Keep stands before.
func keepTrees(t *testing.T, do func(t *testing.T, inner afero.Fs)) {
	t.Run("disk", func(t *testing.T) { do(t, disk(t)) })
	t.Run("bucket", func(t *testing.T) {
		tree, err := object.New(object.NewMem(object.NewBudget(16<<20), 64<<10), object.Options{})
		if err != nil {
			t.Fatal(err)
		}
		do(t, tree)
	})
}

// stor is what STOR does. It returns the name under which the file was stored.
func stor(fsys afero.Fs, name, content string) (string, error) {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return "", err
	}
	if _, err := f.Write([]byte(content)); err != nil {
		return "", errors.Join(err, vfs.Abort(f, err))
	}
	return f.Name(), f.Close()
}

func holds(t *testing.T, fsys afero.Fs, name, want string) {
	t.Helper()
	if b, err := afero.ReadFile(fsys, name); err != nil || string(b) != want {
		t.Errorf("%s holds %q, %v; want %q", name, b, err, want)
	}
}

func TestKeepRefuses(t *testing.T) {
	keepTrees(t, func(t *testing.T, inner afero.Fs) {
		k := vfs.NewKeep(inner, false)
		for _, name := range []string{"/f", "/g"} {
			if _, err := stor(k, name, "old "+name); err != nil {
				t.Fatal(err)
			}
		}
		_, err := stor(k, "/f", "new")
		wantExist := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s: %v, want fs.ErrExist", what, err)
			}
		}
		wantExist("STOR", err)
		for _, off := range []int64{-1, 0, 3} {
			_, err = vfs.OpenAt(k, "/f", off)
			wantExist(fmt.Sprint("OpenAt ", off), err)
		}
		_, err = vfs.Replace(k, "/f")
		wantExist("Replace", err)
		wantExist("Rename", k.Rename("/f", "/g"))
		wantExist("Copy", vfs.Copy(k, "/f", "/g"))
		holds(t, inner, "/f", "old /f")
		holds(t, inner, "/g", "old /g")
		if names := names(t, inner, "/"); names != "f g" {
			t.Errorf("names %q", names)
		}
		if f, err := vfs.OpenAt(k, "/new", -1); err != nil {
			t.Errorf("APPE to a new name: %v", err)
		} else if err := f.Close(); err != nil {
			t.Errorf("APPE to a new name: %v", err)
		}
		if err := k.Rename("/f", "/h"); err != nil {
			t.Errorf("Rename to a new name: %v", err)
		}
		holds(t, inner, "/h", "old /f")
	})
}

func TestKeepNumbers(t *testing.T) {
	keepTrees(t, func(t *testing.T, inner afero.Fs) {
		k := vfs.NewKeep(inner, true)
		for i := range 12 {
			want := "/a.jpg"
			if i > 0 {
				want = fmt.Sprintf("/a-%d.jpg", i)
			}
			if got, err := stor(k, "/a.jpg", want); err != nil || got != want {
				t.Fatalf("STOR %d: %q, %v; want %q", i, got, err, want)
			}
			holds(t, inner, want, want)
		}
		// A gap that somebody has made is no reason to overwrite.
		if err := inner.Remove("/a-4.jpg"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := stor(k, "/a.jpg", "more"); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range []int{1, 2, 3, 5, 6, 7, 11} {
			holds(t, inner, fmt.Sprintf("/a-%d.jpg", i), fmt.Sprintf("/a-%d.jpg", i))
		}
		if _, err := stor(k, "/x.tmp", "renamed"); err != nil {
			t.Fatal(err)
		}
		if _, err := stor(k, "/.hidden", "1"); err != nil {
			t.Fatal(err)
		}
		if got, err := stor(k, "/.hidden", "2"); err != nil || got != "/.hidden-1" {
			t.Errorf("a name that is all extension: %q, %v", got, err)
		}
		stor(k, "/x", "first")
		if err := k.Rename("/x.tmp", "/x"); err != nil {
			t.Fatal(err)
		}
		holds(t, inner, "/x", "first")
		holds(t, inner, "/x-1", "renamed")
	})
}

// Who was slower is told so, and the other one's file stays.
func TestKeepRace(t *testing.T) {
	keepTrees(t, func(t *testing.T, inner afero.Fs) {
		for _, rename := range []bool{false, true} {
			k := vfs.NewKeep(inner, rename)
			name := fmt.Sprintf("/f%t", rename)
			var mu sync.Mutex
			var stored []string
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					got, err := stor(k, name, fmt.Sprint(i))
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						stored = append(stored, got+" "+fmt.Sprint(i))
					case rename && !errors.Is(err, vfs.ErrBusy):
						t.Errorf("a lost race for a number: %v, want vfs.ErrBusy", err)
					case !rename && !errors.Is(err, fs.ErrExist):
						t.Errorf("a lost race: %v, want fs.ErrExist", err)
					}
				})
			}
			wg.Wait()
			if len(stored) == 0 || !rename && len(stored) != 1 {
				t.Errorf("rename %t: stored %q", rename, stored)
			}
			for _, s := range stored {
				var file, content string
				fmt.Sscan(s, &file, &content)
				holds(t, inner, file, content)
			}
		}
	})
}
