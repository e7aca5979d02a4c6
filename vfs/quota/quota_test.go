package quota_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/quota"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// home is a directory with a limit, and its name for the system.
func home(t testing.TB, o local.Options, limit quota.Limit) (*quota.FS, string) {
	t.Helper()
	o.Root = t.TempDir()
	l, err := local.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	q, err := (&quota.Book{}).Open(t.Context(), "disk:/", l, limit)
	if err != nil {
		t.Fatal(err)
	}
	return q, o.Root
}

func TestConforms(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) afero.Fs {
		q, _ := home(t, local.Options{}, quota.Limit{Bytes: 1 << 40, Files: 1 << 40})
		return q
	}, vfstest.Caps{
		Append: true, Resume: true, Abort: vfstest.KeepsPart, RenameDir: true,
		Chtimes: true, Chmod: true, Symlinks: true, Space: runtime.GOOS != "windows",
		Refuses: []string{"long segment"},
	})
}

func write(fsys afero.Fs, name string, n int) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(strings.Repeat("x", n))); err != nil {
		vfs.Abort(f, err)
		return err
	}
	return f.Close()
}

func wantLeft(t *testing.T, what string, q *quota.FS, want int64) {
	t.Helper()
	if got, err := q.Allowance("/"); err != nil || got != want {
		t.Errorf("%s: %d bytes are left, %v; want %d", what, got, err, want)
	}
}

func wantQuota(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, vfs.ErrQuota) {
		t.Errorf("%s: %v, want ErrQuota", what, err)
	}
}

func wantNil(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestBytes goes through all that changes how much is in a home, in both ways of writing.
func TestBytes(t *testing.T) {
	for _, atomic := range []bool{false, true} {
		t.Run(fmt.Sprintf("atomic=%v", atomic), func(t *testing.T) {
			q, dir := home(t, local.Options{Atomic: atomic}, quota.Limit{Bytes: 100})
			wantNil(t, "write", write(q, "/a", 60))
			wantLeft(t, "after 60", q, 40)
			wantQuota(t, "one too many", write(q, "/b", 41))
			if _, err := os.Lstat(filepath.Join(dir, "b")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file that did not fit is there (%v)", err)
			}
			wantLeft(t, "after a refusal", q, 40)
			wantNil(t, "what fits exactly", write(q, "/b", 40))
			wantLeft(t, "full", q, 0)
			wantNil(t, "replaced by less", write(q, "/a", 50))
			wantLeft(t, "after a replacement", q, 10)
			f, err := vfs.OpenAt(q, "/a", -1)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Write(make([]byte, 10))
			wantNil(t, "append", err)
			_, err = f.Write(make([]byte, 1))
			wantQuota(t, "append beyond", err)
			wantNil(t, "giving up", vfs.Abort(f, err))
			wantLeft(t, "after an append that was given up", q, 10)
			if f, err = vfs.OpenAt(q, "/a", 20); err != nil {
				t.Fatal(err)
			}
			wantNil(t, "closing a file that was cut short", f.Close())
			wantLeft(t, "after REST", q, 40)
			wantQuota(t, "copy of 40", errors.Join(vfs.Copy(q, "/b", "/c"), vfs.Copy(q, "/b", "/d")))
			wantLeft(t, "after a copy", q, 0)
			wantNil(t, "rename over", q.Rename("/c", "/b"))
			wantLeft(t, "after a rename", q, 40)
			wantNil(t, "remove", vfs.RemoveFile(q, "/a"))
			wantLeft(t, "after a removal", q, 60)
			wantNil(t, "mkdir", q.MkdirAll("/dir/deep", 0o777))
			wantNil(t, "write", write(q, "/dir/deep/f", 60))
			wantLeft(t, "in a directory", q, 0)
			wantNil(t, "rename of a directory", q.Rename("/dir", "/other"))
			wantLeft(t, "after it", q, 0)
			wantNil(t, "remove all", q.RemoveAll("/other"))
			wantLeft(t, "after it", q, 60)
		})
	}
}

func TestFiles(t *testing.T) {
	q, _ := home(t, local.Options{}, quota.Limit{Files: 2})
	wantNil(t, "first", write(q, "/a", 1))
	wantNil(t, "second", write(q, "/b", 1))
	wantQuota(t, "third", write(q, "/c", 1))
	wantNil(t, "replaced", write(q, "/b", 9))
	wantNil(t, "rename", q.Rename("/b", "/c"))
	wantQuota(t, "third", write(q, "/b", 1))
	wantNil(t, "rename over", q.Rename("/c", "/a"))
	wantNil(t, "second", write(q, "/b", 1))
	if _, err := q.Allowance("/"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("bytes without a limit: %v, want ErrUnsupported", err)
	}
}

// TestMany lets uploads at once fight for room for half of them.
func TestMany(t *testing.T) {
	q, dir := home(t, local.Options{Cut: local.CutDiscard}, quota.Limit{Bytes: 1000})
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			f, err := q.Create(fmt.Sprintf("/f%d", i))
			if err != nil {
				t.Error(err)
				return
			}
			for range 10 {
				if _, err := f.Write(make([]byte, 10)); err != nil {
					vfs.Abort(f, err)
					return
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	sum := stored(t, dir)
	if sum > 1000 {
		t.Errorf("%d bytes are stored, 1000 are allowed", sum)
	}
	wantLeft(t, "in the end", q, 1000-sum)
}

// TestSharedAndCounted: who comes later finds what was there, and one ledger for all.
func TestSharedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "old"), make([]byte, 70), 0o666); err != nil {
			t.Fatal(err)
		}
		l, err := local.New(local.Options{Root: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var book quota.Book
		open := func() *quota.FS {
			q, err := book.Open(context.Background(), "disk:/", l, quota.Limit{Bytes: 100})
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		one, two := open(), open()
		wantNil(t, "write", write(one, "/a", 20))
		wantLeft(t, "the other's view", two, 10)
		// Somebody removes a file past the server.
		if err := os.Remove(filepath.Join(dir, "old")); err != nil {
			t.Fatal(err)
		}
		wantQuota(t, "at once", write(two, "/b", 50))
		time.Sleep(quota.Doubt)
		wantNil(t, "when in doubt", write(two, "/b", 50))
		// Somebody adds one.
		if err := os.WriteFile(filepath.Join(dir, "new"), make([]byte, 30), 0o666); err != nil {
			t.Fatal(err)
		}
		time.Sleep(quota.Recount)
		wantLeft(t, "at the next login", open(), 0)
	})
}

// TestRenamedWhileWritten: files that get another name while they are written are counted all the same,
// whatever was counted meanwhile.
func TestRenamedWhileWritten(t *testing.T) {
	q, dir := home(t, local.Options{Cut: local.CutDiscard}, quota.Limit{Bytes: 100})
	var open []afero.File
	for i := range 4 {
		f, err := q.Create(fmt.Sprintf("/a%d", i))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write([]byte("x"))
		wantNil(t, "first byte", err)
		open = append(open, f)
	}
	for i := range open {
		wantNil(t, "rename", q.Rename(fmt.Sprintf("/a%d", i), fmt.Sprintf("/b%d", i)))
	}
	wantNil(t, "another file, before which all are counted", write(q, "/c", 1))
	for _, f := range open {
		if _, err := f.Write(make([]byte, 80)); err != nil {
			vfs.Abort(f, err)
			continue
		}
		wantNil(t, "close", f.Close())
	}
	sum := stored(t, dir)
	if sum > 100 {
		t.Errorf("%d bytes are stored, 100 are allowed", sum)
	}
	wantLeft(t, "in the end", q, 100-sum)
}

// stored returns how many bytes the files of a directory have.
func stored(t *testing.T, dir string) (sum int64) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range files {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sum += fi.Size()
	}
	return sum
}
