package vfs_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// disk makes a new directory as a tree, with these directories in it.
func disk(t testing.TB, dirs ...string) *local.FS {
	t.Helper()
	l, err := local.New(local.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for _, dir := range dirs {
		if err := l.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func mount(t testing.TB, root afero.Fs, trees map[string]afero.Fs) *vfs.Mount {
	t.Helper()
	m, err := vfs.NewMount(root, trees)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t testing.TB, fsys afero.Fs, name, content string) {
	t.Helper()
	if err := afero.WriteFile(fsys, name, []byte(content), 0o666); err != nil {
		t.Fatalf("writing %q: %v", name, err)
	}
}

func names(t testing.TB, fsys afero.Fs, dir string) string {
	t.Helper()
	var all []string
	for fi, err := range vfs.List(fsys, dir) {
		if err != nil {
			t.Fatalf("List(%q): %v", dir, err)
		}
		name := fi.Name()
		if fi.IsDir() {
			name += "/"
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

var diskCaps = vfstest.Caps{
	Append: true, Resume: true, Abort: vfstest.KeepsPart, RenameDir: true,
	Chtimes: true, Chmod: true, Symlinks: true, Space: runtime.GOOS != "windows",
	Refuses: []string{"long segment"},
}

func TestWrappersConform(t *testing.T) {
	noLinks := diskCaps
	noLinks.Symlinks = false
	for _, c := range []struct {
		name string
		caps vfstest.Caps
		make func(t *testing.T) afero.Fs
	}{
		{"Sub", noLinks, func(t *testing.T) afero.Fs { return vfs.NewSub(disk(t, "/home/u"), "/home/u") }},
		{"Sub of the whole", diskCaps, func(t *testing.T) afero.Fs { return vfs.NewSub(disk(t), "/") }},
		{"root of a Mount", diskCaps, func(t *testing.T) afero.Fs { return mount(t, disk(t), nil) }},
		{"beside a mount point", noLinks, func(t *testing.T) afero.Fs {
			return vfs.NewSub(mount(t, disk(t, "/home"), map[string]afero.Fs{"/other": disk(t)}), "/home")
		}},
		{"at a mount point", noLinks, func(t *testing.T) afero.Fs {
			return vfs.NewSub(mount(t, disk(t), map[string]afero.Fs{"/a/b": disk(t)}), "/a/b")
		}},
	} {
		t.Run(c.name, func(t *testing.T) { vfstest.Run(t, c.make, c.caps) })
	}
}

// Every wrapper passes on that a directory has two names.
func TestSameDir(t *testing.T) {
	inner := disk(t, "/home/u/dir/sub", "/home/u/other")
	if err := inner.SymlinkIfPossible("dir", "/home/u/link"); err != nil {
		t.Fatal(err)
	}
	write(t, inner, "/home/u/file", "x")
	sub := vfs.NewSub(inner, "/home/u")
	for name, fsys := range map[string]afero.Fs{
		"local":               vfs.NewSub(vfs.NewSub(inner, "/home"), "/u"),
		"keep":                vfs.NewKeep(sub, false),
		"root of a mount":     mount(t, sub, map[string]afero.Fs{"/m": disk(t, "/dir")}),
		"bound":               vfs.WithContext(t.Context(), mount(t, sub, nil)),
		"below a mount point": vfs.NewSub(mount(t, disk(t), map[string]afero.Fs{"/a/b": sub}), "/a/b"),
	} {
		for _, c := range []struct {
			a, b string
			want bool
		}{
			{"/link", "/dir", true}, {"/link/sub", "/dir/sub", true}, {"/dir", "/dir", true}, {"/dir", "/other", false},
			{"/dir", "/dir/sub", false}, {"/file", "/dir", false}, {"/none", "/dir", false}, {"/dir", "/none", false}, {"/m/dir", "/dir", false},
		} {
			if got := vfs.SameDir(fsys, c.a, c.b); got != c.want {
				t.Errorf("%s: SameDir(%q, %q) = %v", name, c.a, c.b, got)
			}
		}
	}
	if vfs.SameDir(afero.NewMemMapFs(), "/a", "/A") || !vfs.SameDir(afero.NewMemMapFs(), "/a", "/a") {
		t.Error("a tree that knows nothing of other names")
	}
}

func TestSubNames(t *testing.T) {
	inner := disk(t, "/home/u/dir", "/home/other")
	sub := vfs.NewSub(inner, "home/./u/")
	write(t, sub, "/f", "content")
	f, err := sub.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Name() != "/f" {
		t.Errorf("Name() = %q, want /f", f.Name())
	}
	if vfs.OSFile(f) == nil {
		t.Error("OSFile through a Sub is nil: sendfile is lost")
	}
	_, err = f.Write([]byte("x"))
	saysNothing(t, "Write", err)
	_, err = f.Readdir(1)
	saysNothing(t, "Readdir", err)
	_, err = f.Seek(-1, io.SeekStart)
	saysNothing(t, "Seek", err)
	saysNothing(t, "Rename", sub.Rename("/absent", "/other"))
	saysNothing(t, "Mkdir", sub.Mkdir("/dir", 0o777))
	saysNothing(t, "Rename of the root", sub.Rename("/", "/x"))
	_, err = vfs.OpenAt(sub, "/f", 100)
	saysNothing(t, "OpenAt", err)
	for _, stat := range []func(string) (os.FileInfo, error){
		sub.Stat, sub.StatDir, func(name string) (os.FileInfo, error) { return vfs.Lstat(sub, name) },
		func(name string) (os.FileInfo, error) {
			d, err := sub.Open(name)
			if err != nil {
				return nil, err
			}
			defer d.Close()
			return d.Stat()
		},
	} {
		if fi, err := stat("/"); err != nil || fi.Name() != "/" {
			t.Errorf("the root's FileInfo: %v, %v; want the name /", fi, err)
		}
	}
	if err := inner.SymlinkIfPossible("/home/u/dir", "/home/u/in"); err != nil {
		t.Fatal(err)
	}
	if target, err := vfs.Readlink(sub, "/in"); err != nil || target != "dir" {
		t.Errorf("Readlink = %q, %v; want %q", target, err, "dir")
	}
}

// saysNothing checks that an error does not tell where the subtree lies.
func saysNothing(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || strings.Contains(err.Error(), "home") {
		t.Errorf("%s: error %v, want one without the inner name", what, err)
	}
}

// TestSubKeepsAbort: an upload through two wrappers can still be given up.
func TestSubKeepsAbort(t *testing.T) {
	l, err := local.New(local.Options{Root: t.TempDir(), Atomic: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write(t, l, "/f", "old")
	m := mount(t, disk(t), map[string]afero.Fs{"/m": l})
	fsys := vfs.NewSub(m, "/m")
	f, err := fsys.Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(f, errors.New("cut")); err != nil {
		t.Errorf("Abort: %v", err)
	}
	if got, err := afero.ReadFile(l, "/f"); err != nil || string(got) != "old" {
		t.Errorf("after Abort: %q, %v; want old", got, err)
	}
}

func TestMount(t *testing.T) {
	root, arch, deep := disk(t, "/dir", "/archive/hidden"), disk(t, "/x"), disk(t)
	write(t, root, "/archive/hidden/f", "hidden")
	write(t, root, "/way", "a file under the name of a way")
	m := mount(t, root, map[string]afero.Fs{"archive/": arch, "/archive/x/y": deep, "/way/to": deep})

	write(t, m, "/archive/f", "in the archive")
	if got, err := afero.ReadFile(arch, "/f"); err != nil || string(got) != "in the archive" {
		t.Errorf("the mounted tree has %q, %v", got, err)
	}
	write(t, m, "/archive/x/y/g", "deep")
	if got, err := afero.ReadFile(deep, "/g"); err != nil || string(got) != "deep" {
		t.Errorf("the deeper tree has %q, %v", got, err)
	}
	for dir, want := range map[string]string{
		"/": "archive/ dir/ way/", "/archive": "f x/", "/archive/x": "y/", "/archive/x/y": "g",
		"/way": "to/", "/way/to": "g", "/dir": "",
	} {
		if got := names(t, m, dir); got != want {
			t.Errorf("List(%q) = %q, want %q", dir, got, want)
		}
		if fi, err := m.StatDir(dir); err != nil || !fi.IsDir() || dir != "/" && fi.Name() != dir[strings.LastIndex(dir, "/")+1:] {
			t.Errorf("StatDir(%q) = %v, %v; want a directory of that name", dir, fi, err)
		}
	}
	f, err := m.Open("/archive/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Name() != "/archive/f" || vfs.OSFile(f) == nil {
		t.Errorf("Name() = %q, OSFile = %v; want /archive/f and a file", f.Name(), vfs.OSFile(f))
	}
	for _, name := range []string{"/", "/archive", "/archive/x", "/archive/x/y", "/way", "/way/to"} {
		for what, err := range map[string]error{
			"Remove": m.Remove(name), "RemoveDir": m.RemoveDir(name), "RemoveFile": m.RemoveFile(name),
			"RemoveAll": m.RemoveAll(name), "Rename": m.Rename(name, "/moved"), "Rename onto": m.Rename("/dir", name),
			"Chmod": m.Chmod(name, 0), "Chtimes": m.Chtimes(name, time.Now(), time.Now()),
		} {
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s(%q): %v, want fs.ErrPermission", what, name, err)
			}
		}
		if err := m.Mkdir(name, 0o777); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Mkdir(%q): %v, want fs.ErrExist", name, err)
		}
		if _, err := m.Create(name); !errors.Is(err, vfs.ErrIsDir) {
			t.Errorf("Create(%q): %v, want vfs.ErrIsDir", name, err)
		}
	}
	write(t, m, "/r", "content")
	err = m.Rename("/r", "/archive/r")
	var le *os.LinkError
	if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &le) || le.Old != "/r" || le.New != "/archive/r" {
		t.Errorf("Rename across trees: %v, want errors.ErrUnsupported with both names", err)
	}
	if got, err := afero.ReadFile(m, "/r"); err != nil || string(got) != "content" {
		t.Errorf("after the refused rename: %q, %v", got, err)
	}
	_, err = m.Stat("/archive/absent")
	var pe *fs.PathError
	if !errors.As(err, &pe) || pe.Path != "/archive/absent" {
		t.Errorf("Stat: %v, want the client's path", err)
	}
	if _, err := m.Stat("/archivex"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of a name that a point only begins: %v", err)
	}
}

// TestMountPages: the mount points and the tree's entries come through pages of any size, once.
func TestMountPages(t *testing.T) {
	root := disk(t, "/a", "/b", "/m1", "/z")
	m := mount(t, root, map[string]afero.Fs{"/m1": disk(t), "/m2": disk(t)})
	for n := 1; n < 8; n++ {
		d, err := m.Open("/")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			page, err := d.Readdirnames(n)
			if len(page) > n {
				t.Errorf("Readdirnames(%d) gave %d", n, len(page))
			}
			got = append(got, page...)
			if err == io.EOF {
				break
			}
			if err != nil || len(page) == 0 {
				t.Fatalf("Readdirnames(%d) = %q, %v", n, page, err)
			}
		}
		d.Close()
		slices.Sort(got)
		if want := []string{"a", "b", "m1", "m2", "z"}; !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q, want %q", n, got, want)
		}
	}
}

func TestMountContext(t *testing.T) {
	m := mount(t, disk(t), map[string]afero.Fs{"/way/to": disk(t)})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("called off")
	bound := vfs.WithContext(ctx, m)
	cancel(cause)
	for _, name := range []string{"/", "/way", "/way/to"} {
		if _, err := bound.Stat(name); !errors.Is(err, cause) {
			t.Errorf("Stat(%q): %v, want the cause", name, err)
		}
		for _, err := range vfs.List(bound, name) {
			if !errors.Is(err, cause) {
				t.Errorf("List(%q): %v, want the cause", name, err)
			}
		}
	}
}

func TestNewMountRefuses(t *testing.T) {
	for _, trees := range []map[string]afero.Fs{
		{"/": afero.NewMemMapFs()}, {"": afero.NewMemMapFs()}, {"/a": afero.NewMemMapFs(), "a/": afero.NewMemMapFs()},
	} {
		if _, err := vfs.NewMount(afero.NewMemMapFs(), trees); err == nil {
			t.Errorf("NewMount(%v) worked", trees)
		}
	}
}

// TestPlainAfero: the helpers do what they can for a tree that is only an afero.Fs.
func TestPlainAfero(t *testing.T) {
	fsys := afero.NewBasePathFs(afero.NewOsFs(), t.TempDir())
	write(t, fsys, "/f", "0123456789")
	for off, want := range map[int64]string{-1: "0123456789ab", 4: "0123ab", 0: "ab"} {
		write(t, fsys, "/f", "0123456789")
		f, err := vfs.OpenAt(fsys, "/f", off)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("ab"); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if got, err := afero.ReadFile(fsys, "/f"); err != nil || string(got) != want {
			t.Errorf("OpenAt(%d): %q, %v; want %q", off, got, err, want)
		}
	}
	write(t, fsys, "/f", "0123456789")
	for _, off := range []int64{11, -2} {
		if _, err := vfs.OpenAt(fsys, "/f", off); !errors.Is(err, vfs.ErrBadOffset) {
			t.Errorf("OpenAt(%d): %v, want ErrBadOffset", off, err)
		}
	}
	if got, _ := afero.ReadFile(fsys, "/f"); string(got) != "0123456789" {
		t.Errorf("a refused OpenAt left %q", got)
	}
	if _, err := vfs.Hash(fsys, "/f", "MD5"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Hash: %v", err)
	}
	if err := vfs.RemoveDir(fsys, "/f"); !errors.Is(err, vfs.ErrNotDir) {
		t.Errorf("RemoveDir of a file: %v", err)
	}
	f, err := fsys.Create("/g")
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(f, errors.New("cut")); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Abort: %v, want errors.ErrUnsupported", err)
	}
}

// TestMountCopies: from one tree to another the bytes are moved, and what is there stays until all have arrived.
func TestMountCopies(t *testing.T) {
	other := disk(t)
	m := mount(t, disk(t, "/d"), map[string]afero.Fs{"/other": other})
	content := strings.Repeat("0123456789abcdef", 40<<10)
	write(t, m, "/f", content)
	write(t, other, "/g", "old")
	if err := vfs.Copy(m, "/f", "/other/g"); err != nil {
		t.Fatal(err)
	}
	if got, err := afero.ReadFile(other, "/g"); err != nil || string(got) != content {
		t.Errorf("the copy has %d bytes, %v; want %d", len(got), err, len(content))
	}
	for _, to := range []string{"/other", "/"} {
		if err := vfs.Copy(m, "/f", to); !errors.Is(err, vfs.ErrIsDir) {
			t.Errorf("Copy onto %q: %v, want vfs.ErrIsDir", to, err)
		}
	}
	err := vfs.Copy(m, "/d", "/other/g")
	var le *os.LinkError
	if !errors.Is(err, vfs.ErrIsDir) || !errors.As(err, &le) || le.Old != "/d" || le.New != "/other/g" {
		t.Errorf("Copy of a directory: %v, want vfs.ErrIsDir with both names", err)
	}
	write(t, other, "/g", "old")
	broken := mount(t, breaking{disk(t)}, map[string]afero.Fs{"/other": other})
	write(t, broken, "/f", content)
	if err := vfs.Copy(broken, "/f", "/other/g"); !errors.Is(err, errBroken) {
		t.Errorf("Copy of a file that breaks: %v, want %v", err, errBroken)
	}
	if got := names(t, other, "/"); got != "g" {
		t.Errorf("after a failed copy the tree has %q, want g", got)
	}
	if got, err := afero.ReadFile(other, "/g"); err != nil || string(got) != "old" {
		t.Errorf("after a failed copy: %d bytes, %v; want old", len(got), err)
	}
}

var errBroken = errors.New("broken disk")

// breaking is a tree whose files cannot be read to their end.
type breaking struct{ afero.Fs }

func (b breaking) Open(name string) (afero.File, error) {
	f, err := b.Fs.Open(name)
	return &breakingFile{File: f, left: 300 << 10}, err
}

type breakingFile struct {
	afero.File
	left int
}

func (f *breakingFile) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errBroken
	}
	n, err := f.File.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

// TestPlainAferoCopies: a tree that cannot copy reads and writes.
func TestPlainAferoCopies(t *testing.T) {
	fsys := afero.NewBasePathFs(afero.NewOsFs(), t.TempDir())
	write(t, fsys, "/f", "content")
	if err := vfs.Copy(fsys, "/f", "/g"); err != nil {
		t.Fatal(err)
	}
	if got, err := afero.ReadFile(fsys, "/g"); err != nil || string(got) != "content" {
		t.Errorf("the copy: %q, %v", got, err)
	}
	if err := vfs.Copy(fsys, "/f", "f/"); err == nil {
		t.Error("Copy onto itself worked")
	}
	if _, err := vfs.Space(fsys, "/"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Space: %v, want errors.ErrUnsupported", err)
	}
}
