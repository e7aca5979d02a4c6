package local_test

import (
	"runtime"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// open opens a new, empty directory as a tree and closes it at the end of the test.
func open(t testing.TB, o local.Options) *local.FS {
	t.Helper()
	if o.Root == "" {
		o.Root = t.TempDir()
	}
	l, err := local.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

func disk(abort vfstest.Abort) vfstest.Caps {
	return vfstest.Caps{
		Append: true, Resume: true, Abort: abort, RenameDir: true,
		Chtimes: true, Chmod: true, Symlinks: true, Space: runtime.GOOS != "windows",
		Refuses: []string{"long segment"},
	}
}

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name string
		o    local.Options
		caps vfstest.Caps
	}{
		{"default", local.Options{}, disk(vfstest.KeepsPart)},
		{"discard", local.Options{Cut: local.CutDiscard}, disk(vfstest.Discards)},
		{"atomic", local.Options{Atomic: true}, disk(vfstest.KeepsOld)},
		{"sync", local.Options{Sync: true}, disk(vfstest.KeepsPart)},
		{"atomic and sync", local.Options{Atomic: true, Sync: true}, disk(vfstest.KeepsOld)},
	} {
		t.Run(c.name, func(t *testing.T) {
			vfstest.Run(t, func(t *testing.T) afero.Fs { return open(t, c.o) }, c.caps)
		})
	}
}

func TestConformanceSub(t *testing.T) {
	caps := disk(vfstest.KeepsOld)
	caps.Symlinks = false // a link could be moved until it leads out of the Sub
	vfstest.Run(t, func(t *testing.T) afero.Fs {
		l := open(t, local.Options{Atomic: true})
		if err := l.MkdirAll("/home/user", 0o777); err != nil {
			t.Fatal(err)
		}
		return vfs.NewSub(l, "/home/user")
	}, caps)
}
