package local_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// Of many that rename or copy their files to one new name at the same time, one gets it, and the others keep theirs.
func TestNewNameIsForOne(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system cannot rename to a new name in one step")
	}
	const rounds, crowd = 200, 4
	for name, do := range map[string]func(afero.Fs, string, string) error{"RenameNew": vfs.RenameNew, "CopyNew": vfs.CopyNew} {
		l := open(t, local.Options{})
		for range rounds {
			var wg sync.WaitGroup
			var errs [crowd]error
			begin := make(chan struct{})
			for i := range crowd {
				if err := afero.WriteFile(l, "/"+string(rune('a'+i)), []byte{byte(i)}, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			for i := range crowd {
				wg.Go(func() { // ends with the rename
					<-begin
					errs[i] = do(l, "/"+string(rune('a'+i)), "/new")
				})
			}
			close(begin)
			wg.Wait()
			won := -1
			for i, err := range errs {
				switch {
				case err == nil && won >= 0:
					t.Fatalf("%s: two have got the name", name)
				case err == nil:
					won = i
				case !errors.Is(err, fs.ErrExist):
					t.Fatalf("%s: %v, want fs.ErrExist", name, err)
				}
			}
			if got, err := afero.ReadFile(l, "/new"); err != nil || won < 0 || got[0] != byte(won) {
				t.Fatalf("%s: the file is %v, %v; %d has the name", name, got, err, won)
			}
			if err := l.Remove("/new"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRenameNewEnds(t *testing.T) {
	root := t.TempDir()
	l := open(t, local.Options{Root: root})
	for _, dir := range []string{"/d/sub", "/e"} {
		if err := l.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := afero.WriteFile(l, "/d/f", []byte("f"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := l.SymlinkIfPossible("d", "/link"); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "out")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"/d/f", "/e", fs.ErrExist},
		{"/e", "/d/f", fs.ErrExist},
		{"/none", "/x", fs.ErrNotExist},
		{"/d/f", "/none/x", fs.ErrNotExist},
		{"/d", "/d/sub/x", vfs.ErrBadName},
		{"/d/f", "/link", fs.ErrExist},
		{"/d/f", "/out/f", fs.ErrPermission},
		{"/link/f", "/link/g", nil}, // a link above the name is followed
		{"/d/g", "/d/f", nil},
		{"/e", "/x", nil},
		{"/link", "/other", nil}, // the link itself
		{"/other/f", "/f", nil},
	} {
		if err := vfs.RenameNew(l, c.from, c.to); !errors.Is(err, c.want) {
			t.Errorf("RenameNew(%q, %q): %v, want %v", c.from, c.to, err, c.want)
		}
	}
	if fi, err := vfs.Lstat(l, "/other"); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", fi, err)
	}
	if got, err := afero.ReadFile(l, "/f"); string(got) != "f" {
		t.Errorf("the file: %q, %v", got, err)
	}
}
