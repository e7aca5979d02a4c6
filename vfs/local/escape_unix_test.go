//go:build unix

package local_test

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// modes are the ways to write, which open files differently.
var modes = map[string]local.Options{"in place": {}, "atomic": {Atomic: true}}

// outside makes a directory that is not to be reached, and one to be served.
func outside(t *testing.T) (out, root string) {
	t.Helper()
	dir := t.TempDir()
	out, root = filepath.Join(dir, "out"), filepath.Join(dir, "root")
	for _, d := range []string{filepath.Join(out, "sub"), filepath.Join(root, "dir")} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{filepath.Join(out, "secret"), filepath.Join(out, "sub", "secret"), filepath.Join(root, "own")} {
		if err := os.WriteFile(f, []byte("secret"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return out, root
}

// untouched checks that nothing outside has changed.
func untouched(t *testing.T, out string) {
	t.Helper()
	var got []string
	filepath.WalkDir(out, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(out, name)
		got = append(got, rel)
		return err
	})
	if len(got) != 4 { // ., secret, sub, sub/secret
		t.Errorf("outside there is now %q", got)
	}
	for _, name := range []string{"secret", "sub/secret"} {
		if b, err := os.ReadFile(filepath.Join(out, name)); err != nil || string(b) != "secret" {
			t.Errorf("%s outside is now %q, %v", name, b, err)
		}
	}
}

// TestNothingLeadsOut tries every operation through every kind of link that points out.
func TestNothingLeadsOut(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			out, root := outside(t)
			for name, target := range map[string]string{
				"abs-file": filepath.Join(out, "secret"), "rel-file": "../out/secret", "deep-file": "dir/../../out/secret",
				"abs-dir": out, "rel-dir": "../out", "dir/up": "../../out", "up": "..", "proc": "/proc/self/root",
				"chain": "chain2", "chain2": "../out", "new": "../out/new",
			} {
				if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
					t.Fatal(err)
				}
			}
			o.Root = root
			l := open(t, o)
			for _, name := range []string{
				"/abs-file", "/rel-file", "/deep-file", "/abs-dir/secret", "/rel-dir/secret", "/dir/up/secret",
				"/up/out/secret", "/proc/etc/passwd", "/chain/secret", "/abs-dir/sub/secret", "/new", "/rel-dir/new", "/chain/sub/new",
			} {
				refuse := func(what string, err error) {
					t.Helper()
					if !errors.Is(err, fs.ErrPermission) {
						t.Errorf("%s(%q): %v, want fs.ErrPermission", what, name, err)
					}
				}
				_, err := l.Stat(name)
				refuse("Stat", err)
				_, err = l.Open(name)
				refuse("Open", err)
				refuse("Chmod", l.Chmod(name, 0o777))
				refuse("Chtimes", l.Chtimes(name, time.Now(), time.Now()))
				for what, f := range map[string]func() (afero.File, error){
					"Create":  func() (afero.File, error) { return l.Create(name) },
					"OpenAt":  func() (afero.File, error) { return l.OpenAt(name, -1) },
					"OpenAt3": func() (afero.File, error) { return l.OpenAt(name, 3) },
				} {
					f, err := f()
					if err == nil {
						f.Close()
					}
					// A link that is itself the name may be replaced, never followed.
					refuse(what, err)
				}
				if filepath.Dir(name) == "/" {
					continue // the link itself may be removed and renamed
				}
				refuse("Mkdir", l.Mkdir(name, 0o777))
				refuse("MkdirAll", l.MkdirAll(name+"/more", 0o777))
				refuse("Remove", l.Remove(name))
				refuse("RemoveFile", l.RemoveFile(name))
				refuse("RemoveDir", l.RemoveDir(name))
				refuse("RemoveAll", l.RemoveAll(name))
				refuse("Rename from", l.Rename(name, "/stolen"))
				refuse("Rename to", l.Rename("/own", name))
				refuse("Symlink", l.SymlinkIfPossible("own", name))
				_, err = l.ReadlinkIfPossible(name)
				refuse("Readlink", err)
				_, _, err = l.LstatIfPossible(name)
				refuse("Lstat", err)
			}
			for _, err := range vfs.List(l, "/rel-dir") {
				if !errors.Is(err, fs.ErrPermission) {
					t.Errorf("List of a link that leads out: %v", err)
				}
			}
			if err := l.RemoveAll("/rel-dir"); err != nil { // the link, not what it points to
				t.Errorf("RemoveAll of a link: %v", err)
			}
			untouched(t, out)
		})
	}
}

// TestSwappedLink swaps a directory against a link that leads out, all the time
// while files are read, written and removed in it.
func TestSwappedLink(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			out, root := outside(t)
			o.Root = root
			l := open(t, o)
			if err := os.Mkdir(filepath.Join(root, "d"), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(out, filepath.Join(root, "link")); err != nil {
				t.Fatal(err)
			}
			var swaps, work sync.WaitGroup
			done := make(chan struct{})
			swaps.Go(func() { // ends when done is closed
				d, link, tmp := filepath.Join(root, "d"), filepath.Join(root, "link"), filepath.Join(root, "tmp")
				for {
					select {
					case <-done:
						return
					default:
					}
					for _, m := range [][2]string{{d, tmp}, {link, d}, {d, link}, {tmp, d}} {
						if err := os.Rename(m[0], m[1]); err != nil {
							t.Errorf("swapping: %v", err)
							return
						}
					}
				}
			})
			for range 2 {
				work.Go(func() {
					for range 500 {
						if b, err := afero.ReadFile(l, "/d/secret"); err == nil {
							t.Errorf("the secret was read: %q", b)
						}
						afero.WriteFile(l, "/d/planted", []byte("x"), 0o666)
						l.RemoveFile("/d/secret")
						l.Rename("/d/secret", "/d/moved")
						l.Mkdir("/d/made", 0o777)
						l.RemoveDir("/d/sub")
						for fi, err := range vfs.List(l, "/d") {
							if err == nil && fi.Name() == "secret" {
								t.Error("the secret was listed")
							}
						}
					}
				})
			}
			work.Wait()
			close(done)
			swaps.Wait()
			untouched(t, out)
		})
	}
}

// TestLinksInside are followed.
func TestLinksInside(t *testing.T) {
	_, root := outside(t)
	l := open(t, local.Options{Root: root})
	if err := l.SymlinkIfPossible("/own", "/dir/link"); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(filepath.Join(root, "dir", "link")); err != nil || target != "../own" {
		t.Errorf("the link on the disk points to %q, %v; want ../own", target, err)
	}
	if b, err := afero.ReadFile(l, "/dir/link"); err != nil || string(b) != "secret" {
		t.Errorf("reading a link inside: %q, %v", b, err)
	}
	if err := afero.WriteFile(l, "/dir/link", []byte("new"), 0o666); err != nil {
		t.Errorf("writing through a link inside: %v", err)
	}
	if b, err := afero.ReadFile(l, "/own"); err != nil || string(b) != "new" {
		t.Errorf("after writing through the link: %q, %v", b, err)
	}
}

// TestOnlyRegularFiles: what is no file is refused at once. An open that waited
// for the other end of a FIFO would hang the test.
func TestOnlyRegularFiles(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			o.Root = t.TempDir()
			l := open(t, o)
			fifo := filepath.Join(o.Root, "fifo")
			if err := syscall.Mkfifo(fifo, 0o666); err != nil {
				t.Fatal(err)
			}
			// The second FIFO has both ends open, so that even an open for writing succeeds.
			busy := filepath.Join(o.Root, "busy")
			if err := syscall.Mkfifo(busy, 0o666); err != nil {
				t.Fatal(err)
			}
			end, err := os.OpenFile(busy, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer end.Close()
			if _, err := end.WriteString("secret"); err != nil {
				t.Fatal(err)
			}
			t.Chdir(o.Root) // the path of a socket is short
			sock, err := net.Listen("unix", "sock")
			if err != nil {
				t.Fatal(err)
			}
			defer sock.Close()
			for _, name := range []string{"/fifo", "/busy", "/sock"} {
				for what, f := range map[string]func() (afero.File, error){
					"Open":   func() (afero.File, error) { return l.Open(name) },
					"Create": func() (afero.File, error) { return l.Create(name) },
					"APPE":   func() (afero.File, error) { return l.OpenAt(name, -1) },
					"REST":   func() (afero.File, error) { return l.OpenAt(name, 0) },
				} {
					f, err := f()
					if err == nil {
						f.Close()
					}
					if !errors.Is(err, fs.ErrPermission) {
						t.Errorf("%s(%q): %v, want fs.ErrPermission", what, name, err)
					}
				}
				if fi, err := l.Stat(name); err != nil || fi.Mode().IsRegular() {
					t.Errorf("Stat(%q) = %v, %v; want what it is", name, fi, err)
				}
			}
			b := make([]byte, 6)
			if _, err := io.ReadFull(end, b); err != nil || string(b) != "secret" {
				t.Errorf("the FIFO's bytes are gone: %q, %v", b, err)
			}
		})
	}
}

// TestForTheKernel: the flags of the system's file are those that sendfile and splice want.
func TestForTheKernel(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			l := open(t, o)
			if err := afero.WriteFile(l, "/f", []byte("old"), 0o666); err != nil {
				t.Fatal(err)
			}
			for what, open := range map[string]func() (afero.File, error){
				"RETR": func() (afero.File, error) { return l.Open("/f") },
				"STOR": func() (afero.File, error) { return l.OpenFile("/f", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666) },
				"APPE": func() (afero.File, error) { return l.OpenAt("/f", -1) },
				"flag": func() (afero.File, error) { return l.OpenFile("/f", os.O_WRONLY|os.O_APPEND, 0) },
			} {
				f, err := open()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				os := vfs.OSFile(f)
				if os == nil {
					t.Fatalf("%s: no file of the system", what)
				}
				c, err := os.SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				c.Control(func(fd uintptr) {
					flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
					if errno != 0 || flags&(syscall.O_APPEND|syscall.O_NONBLOCK) != 0 {
						t.Errorf("%s: flags %#o, %v; want neither O_APPEND nor O_NONBLOCK", what, flags, errno)
					}
				})
				vfs.Abort(f, nil)
			}
		})
	}
}

// TestErrors: what the system says has one meaning each.
func TestErrors(t *testing.T) {
	l := open(t, local.Options{})
	f, err := l.Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(-1, io.SeekStart); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("Seek(-1): %v, want ErrBadOffset", err)
	}
	if err := f.Truncate(1 << 62); !errors.Is(err, vfs.ErrTooLarge) {
		t.Errorf("Truncate(1<<62): %v, want ErrTooLarge", err)
	}
	f.Close()
	if err := l.SymlinkIfPossible("loop", "/loop"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Stat("/loop"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of a loop: %v, want fs.ErrNotExist", err)
	}
	l.Mkdir("/d", 0o777)
	afero.WriteFile(l, "/d/f", nil, 0o666)
	err = l.Remove("/d")
	if !errors.Is(err, vfs.ErrNotEmpty) || errors.Is(err, fs.ErrExist) {
		t.Errorf("Remove: %v, want ErrNotEmpty and not fs.ErrExist as well", err)
	}
}
