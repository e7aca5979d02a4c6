package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// hidden returns the names of the hidden files below dir.
func hidden(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".ftp-gateway-") {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestHiddenFile(t *testing.T) {
	root := t.TempDir()
	l := open(t, local.Options{Root: root, Atomic: true})
	f, err := l.Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := f.Stat(); err != nil || fi.Name() != "f" {
		t.Errorf("Stat of the open file: %v, %v; want the name f", fi, err)
	}
	temps := hidden(t, root)
	if len(temps) != 1 || filepath.Dir(temps[0]) != root {
		t.Fatalf("hidden files: %q, want one beside the name", temps)
	}
	name := "/" + filepath.Base(temps[0])
	for fi, err := range vfs.List(l, "/") {
		t.Errorf("List shows %v, %v", fi, err)
	}
	for _, name := range []string{name, strings.ToUpper(name), name + "/below", "/.ftp-gateway-mine.part"} {
		_, err := l.Open(name)
		for what, err := range map[string]error{
			"Open": err, "Remove": l.Remove(name), "Rename": l.Rename(name, "/g"), "Rename to": l.Rename("/f", name),
			"Mkdir": l.Mkdir(name, 0o777), "store": afero.WriteFile(l, name, nil, 0o666),
		} {
			if err == nil || what == "Open" && !errors.Is(err, vfs.ErrBadName) {
				t.Errorf("%s(%q): %v, want an error", what, name, err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if temps := hidden(t, root); len(temps) != 0 {
		t.Errorf("after Close there is still %q", temps)
	}
}

// TestPagesOfHidden: a page that is all hidden is not the end of the directory.
func TestPagesOfHidden(t *testing.T) {
	root := t.TempDir()
	for i := range 50 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf(".ftp-gateway-%d.part", i)), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "seen"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	d, err := open(t, local.Options{Root: root}).Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if names, err := d.Readdirnames(1); err != nil || len(names) != 1 || names[0] != "seen" {
		t.Errorf("Readdirnames(1) = %q, %v; want seen", names, err)
	}
}

func TestClean(t *testing.T) {
	root := t.TempDir()
	l := open(t, local.Options{Root: root, Atomic: true})
	if err := l.MkdirAll("/a/b", 0o777); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Hour)
	for name, when := range map[string]time.Time{
		"a/b/.ftp-gateway-old.part": old, ".ftp-gateway-old.part": old, "a/.ftp-gateway-new.part": time.Now(),
		"a/old": old, "a/.ftp-gateway-other": old,
	} {
		name = filepath.Join(root, name)
		if err := os.WriteFile(name, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	n, err := l.Clean(t.Context(), time.Hour)
	if n != 2 || err != nil {
		t.Errorf("Clean = %d, %v; want 2", n, err)
	}
	if left := hidden(t, root); len(left) != 2 { // the new one, and the one that only looks like it
		t.Errorf("left: %q", left)
	}
	if _, err := l.Stat("/a/old"); err != nil {
		t.Errorf("an ordinary file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Clean(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Clean with a context that is done: %v", err)
	}
}

// TestAtomicKeepsUp: what the old file was is looked after.
func TestAtomicKeepsUp(t *testing.T) {
	root := t.TempDir()
	l := open(t, local.Options{Root: root, Atomic: true})
	write := func(content string) {
		t.Helper()
		if err := afero.WriteFile(l, "/f", []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	if err := l.Chmod("/f", 0o640); err != nil {
		t.Fatal(err)
	}
	write("new")
	if fi, err := l.Stat("/f"); err != nil || fi.Mode() != 0o640 {
		t.Errorf("mode after replacing: %v, %v; want 0640", fi.Mode(), err)
	}

	// Somebody else replaces the file while it is continued: nothing of theirs is lost.
	f, err := l.OpenAt("/f", -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(" and more"); err != nil {
		t.Fatal(err)
	}
	write("of another")
	if err := f.Close(); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("Close of a continued file that another replaced: %v, want ErrBusy", err)
	}
	if b, err := afero.ReadFile(l, "/f"); err != nil || string(b) != "of another" {
		t.Errorf("the file: %q, %v; want the other's", b, err)
	}

	// Two begin a file by appending: the second to end must not replace the first.
	f, err = l.OpenAt("/h", -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := afero.WriteFile(l, "/h", []byte("first"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("Close of a file that another has begun: %v, want ErrBusy", err)
	}
	if b, err := afero.ReadFile(l, "/h"); err != nil || string(b) != "first" {
		t.Errorf("the file: %q, %v; want first", b, err)
	}

	// A directory has taken the name.
	f, err = l.Create("/g")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Mkdir("/g", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); !errors.Is(err, vfs.ErrIsDir) {
		t.Errorf("Close over a directory: %v, want ErrIsDir", err)
	}

	// The directory is renamed during the upload: the file goes with it.
	if err := l.Mkdir("/dir", 0o777); err != nil {
		t.Fatal(err)
	}
	f, err = l.Create("/dir/f")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Rename("/dir", "/moved"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("Close in a renamed directory: %v", err)
	}
	if _, err := l.Stat("/moved/f"); err != nil {
		t.Error(err)
	}
	if left := hidden(t, root); len(left) != 0 {
		t.Errorf("hidden files are left: %q", left)
	}
}

// TestCloseAfterTrouble: what was not written whole is not committed.
func TestCloseAfterTrouble(t *testing.T) {
	l := open(t, local.Options{Atomic: true})
	if err := afero.WriteFile(l, "/f", []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("called off")
	ctx, cancel := context.WithCancelCause(t.Context())
	f, err := l.WithContext(ctx).Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("a part"); err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	if err := f.Close(); !errors.Is(err, cause) {
		t.Errorf("Close with a context that is done: %v, want the cause", err)
	}
	if b, err := afero.ReadFile(l, "/f"); err != nil || string(b) != "old" {
		t.Errorf("the file: %q, %v; want old", b, err)
	}
}

// TestDiscardInPlace: a name that is another's by now is not removed.
func TestDiscardInPlace(t *testing.T) {
	l := open(t, local.Options{Cut: local.CutDiscard})
	f, err := l.Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("a part"); err != nil {
		t.Fatal(err)
	}
	if err := l.Rename("/f", "/moved"); err != nil {
		t.Fatal(err)
	}
	if err := afero.WriteFile(l, "/f", []byte("of another"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(f, errors.New("cut")); err != nil {
		t.Errorf("Abort: %v", err)
	}
	if b, err := afero.ReadFile(l, "/f"); err != nil || string(b) != "of another" {
		t.Errorf("the other's file: %q, %v", b, err)
	}
	if fi, err := l.Stat("/moved"); err != nil || fi.Size() != 0 {
		t.Errorf("what was given up under another name: %v, %v; want it empty", fi, err)
	}
}

func BenchmarkList10000(b *testing.B) {
	l := open(b, local.Options{})
	for i := range 10000 {
		if err := afero.WriteFile(l, fmt.Sprintf("/%05d.jpg", i), nil, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	for name, fsys := range map[string]afero.Fs{"local": l, "sub": vfs.NewSub(l, "/")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range vfs.List(fsys, "/") {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != 10000 {
					b.Fatalf("%d entries", n)
				}
			}
		})
	}
}
