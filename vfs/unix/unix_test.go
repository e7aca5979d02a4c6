//go:build linux

package unix

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	sys "golang.org/x/sys/unix"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// needRoot: nobody else may become other users. On a machine that runs the whole suite, being somebody else is a failure.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("these tests have to run as root")
	}
	t.Skip("only root can become other users")
}

// open makes the tree of a directory for a user.
func open(t *testing.T, dir string, id Identity, o local.Options) *FS {
	t.Helper()
	o.Root = dir
	u, err := Open(o, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Release)
	return u
}

// shared is a directory that everybody may use, below directories that everybody may pass.
func shared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(fsys afero.Fs, name, text string) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(text)); err != nil {
		return err
	}
	return f.Close()
}

func owner(t *testing.T, file string) (uid, gid uint32) {
	t.Helper()
	fi, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid
}

func TestConformance(t *testing.T) {
	needRoot(t)
	for _, atomic := range []bool{false, true} {
		t.Run(fmt.Sprintf("atomic=%v", atomic), func(t *testing.T) {
			abort := vfstest.KeepsPart
			if atomic {
				abort = vfstest.KeepsOld
			}
			vfstest.Run(t, func(t *testing.T) afero.Fs {
				return open(t, shared(t), Identity{UID: 4001, GID: 4001}, local.Options{Atomic: atomic})
			}, vfstest.Caps{Append: true, Resume: true, Abort: abort, RenameDir: true, Chtimes: true, Chmod: true, Symlinks: true, Space: true,
				Refuses: []string{"long segment"}})
		})
	}
}

func TestTheKernelDecides(t *testing.T) {
	needRoot(t)
	for _, atomic := range []bool{false, true} {
		t.Run(fmt.Sprintf("atomic=%v", atomic), func(t *testing.T) {
			dir := shared(t)
			ann := open(t, dir, Identity{UID: 4001, GID: 4001, Groups: []uint32{4001, 5000}}, local.Options{Atomic: atomic})
			bob := open(t, dir, Identity{UID: 4002, GID: 4002, Groups: []uint32{5000}}, local.Options{Atomic: atomic})
			eve := open(t, dir, Identity{UID: 4003, GID: 4003}, local.Options{Atomic: atomic})

			if err := ann.Mkdir("/a", 0o777); err != nil {
				t.Fatal(err)
			}
			if err := put(ann, "/a/f", "ann's"); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"a", "a/f"} {
				if uid, gid := owner(t, filepath.Join(dir, name)); uid != 4001 || gid != 4001 {
					t.Errorf("%s belongs to %d:%d", name, uid, gid)
				}
			}
			// To the group 5000, which Ann may do as one of it, and Eve may not.
			for _, name := range []string{"/a", "/a/f"} {
				if err := eve.Chown(name, -1, 4003); !errors.Is(err, fs.ErrPermission) {
					t.Errorf("eve takes %s: %v", name, err)
				}
				if err := ann.Chown(name, -1, 5000); err != nil {
					t.Errorf("ann gives %s to her group: %v", name, err)
				}
			}
			if err := ann.Chown("/a/f", 4002, -1); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("ann gives a file away: %v", err)
			}
			if err := ann.Chmod("/a", 0o770); err != nil {
				t.Fatal(err)
			}
			if err := ann.Chmod("/a/f", 0o660); err != nil {
				t.Fatal(err)
			}
			if b, err := afero.ReadFile(bob, "/a/f"); err != nil || string(b) != "ann's" {
				t.Errorf("bob, of the group: %q, %v", b, err)
			}
			if err := put(bob, "/a/g", "bob's"); err != nil {
				t.Errorf("bob, of the group: %v", err)
			}
			if uid, _ := owner(t, filepath.Join(dir, "a/g")); uid != 4002 {
				t.Errorf("bob's file belongs to %d", uid)
			}
			if err := bob.Chmod("/a/f", 0o666); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("bob changes the mode of ann's file: %v", err)
			}
			for what, err := range map[string]error{
				"open":    errOf(eve.Open("/a/f")),
				"store":   put(eve, "/a/f", "x"),
				"new":     put(eve, "/a/new", "x"),
				"list":    errOf(eve.Open("/a")),
				"mkdir":   eve.Mkdir("/a/d", 0o777),
				"remove":  eve.Remove("/a/f"),
				"rename":  eve.Rename("/a/f", "/mine"),
				"into":    renameInto(eve),
				"enter":   errOf(vfs.StatDir(eve, "/a")),
				"stat":    errOf(eve.Stat("/a/f")),
				"replace": errOf(vfs.Replace(eve, "/a/f")),
				"copy":    vfs.Copy(eve, "/a/f", "/mine"),
				"append":  errOf(vfs.OpenAt(eve, "/a/f", -1)),
			} {
				if !errors.Is(err, fs.ErrPermission) {
					t.Errorf("eve's %s: %v, want permission denied", what, err)
				}
			}
			if b, err := os.ReadFile(filepath.Join(dir, "a/f")); err != nil || string(b) != "ann's" {
				t.Errorf("the file is now %q, %v", b, err)
			}
		})
	}
}

func errOf[T any](_ T, err error) error { return err }

func renameInto(fsys afero.Fs) error {
	if err := put(fsys, "/own", "x"); err != nil {
		return err
	}
	return fsys.Rename("/own", "/a/own")
}

// A home that the user cannot reach is not opened for the user by root.
func TestAHomeOfSomebodyElse(t *testing.T) {
	needRoot(t)
	dir := shared(t)
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if u, err := Open(local.Options{Root: closed}, Identity{UID: 4001, GID: 4001}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("opened: %v, %v", u, err)
	}
}

// TestIdentitiesNeverMix lets many sessions of a few users work at once and looks whose each file is. The
// race detector cannot see such a mistake.
func TestIdentitiesNeverMix(t *testing.T) {
	needRoot(t)
	dir := shared(t)
	const users, sessions, files = 8, 200, 25
	var wg sync.WaitGroup
	for s := range sessions {
		id := uint32(4100 + s%users)
		u := open(t, dir, Identity{UID: id, GID: id + 1000, Groups: []uint32{id + 2000}}, local.Options{Atomic: s%2 == 0})
		wg.Go(func() {
			for n := range files {
				name := fmt.Sprintf("/%d-%d-%d", id, s, n)
				if err := put(u, name, "x"); err != nil {
					t.Error(err)
				}
				if n%5 == 0 {
					if err := u.Rename(name, name+"-r"); err != nil {
						t.Error(err)
					}
				}
				if n%7 == 0 {
					if err := u.Mkdir(name+"-d", 0o700); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var want uint32
		if _, err := fmt.Sscanf(e.Name(), "%d-", &want); err != nil {
			t.Fatal(err)
		}
		if uid, gid := owner(t, filepath.Join(dir, e.Name())); uid != want || gid != want+1000 {
			t.Errorf("%s belongs to %d:%d", e.Name(), uid, gid)
		}
	}
	if len(entries) < sessions*files {
		t.Errorf("%d entries", len(entries))
	}
	everyThreadIsRoot(t)
}

// everyThreadIsRoot looks at all threads of this process.
func everyThreadIsRoot(t *testing.T) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	self, err := own()
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		var uid [4]uint32
		for line := range slices.Values(lines(text)) {
			if n, _ := fmt.Sscanf(line, "Uid: %d %d %d %d", &uid[0], &uid[1], &uid[2], &uid[3]); n == 4 && uid[3] != self.UID {
				t.Errorf("thread %s still is %d for files", task.Name(), uid[3])
			}
		}
	}
}

func lines(b []byte) []string {
	var out []string
	for len(b) > 0 {
		i := slices.Index(b, '\n')
		if i < 0 {
			i = len(b) - 1
		}
		out = append(out, string(b[:i]))
		b = b[i+1:]
	}
	return out
}

// A thread that cannot become root again is never used for anybody else.
func TestAThreadThatCannotBeRestoredEnds(t *testing.T) {
	needRoot(t)
	lost := make(chan int, 1)
	err := (Identity{UID: 4001, GID: 4001}).as(func() error {
		// From here on this thread may set neither groups nor ids.
		hdr := sys.CapUserHeader{Version: sys.LINUX_CAPABILITY_VERSION_3}
		var none [2]sys.CapUserData
		if err := sys.Capset(&hdr, &none[0]); err != nil {
			return err
		}
		lost <- sys.Gettid()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tid := <-lost
	for range 1000 {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid)); errors.Is(err, fs.ErrNotExist) {
			return
		}
		runtime.Gosched()
		sys.Nanosleep(&sys.Timespec{Nsec: 10_000_000}, nil)
	}
	// The first thread of a process cannot end alone: the runtime parks it for ever.
	if tid == os.Getpid() {
		return
	}
	t.Errorf("thread %d lives on", tid)
}

func TestAPanicIsTheCallers(t *testing.T) {
	needRoot(t)
	defer func() {
		if v := recover(); v != "broken" {
			t.Errorf("recovered %v", v)
		}
		everyThreadIsRoot(t)
	}()
	_ = (Identity{UID: 4001, GID: 4001}).as(func() error { panic("broken") })
}

func TestNobodyMayBeTaken(t *testing.T) {
	needRoot(t)
	called := false
	err := (Identity{UID: 4001, GID: 4001, Groups: make([]uint32, 1<<17)}).as(func() error { called = true; return nil })
	if !errors.Is(err, ErrIdentity) || called {
		t.Errorf("more groups than the kernel knows: %v, called %v", err, called)
	}
}
