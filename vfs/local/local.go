// Package local serves a directory of this machine's disks.
//
// # Nothing leads out
//
// The directory is an [os.Root]: every component of every name is looked up
// from the open root, and a symbolic link that points out of it is refused
// (fs.ErrPermission), for reading, writing, renaming and everything else,
// also when it is put in place at the same moment. Links that stay inside are
// followed. Only regular files are opened: a FIFO, a socket or a device in the
// tree is refused, without waiting for its other end.
//
// # What a disk promises
//
// The default is the classic FTP server. A file is written in place, under its
// name, and what arrives is handed to the kernel; a machine that loses power may
// lose the last seconds.
//
//   - [Options.Cut] says what an upload that was given up leaves behind.
//   - With [Options.Atomic] the bytes go to a hidden file beside the name and
//     appear under it, whole, when the file is closed. Until then readers see the
//     old content, and a cut leaves it there: Atomic always discards. A
//     continued file (APPE, REST and STOR) is first copied, by the kernel and
//     without moving data where the file system shares extents. If somebody
//     else changed it meanwhile, Close gives vfs.ErrBusy and changes nothing.
//   - With [Options.Sync] the file and its directory are flushed to the disk
//     before Close returns nil, in both modes.
//
// In place, [CutDiscard] can take away what arrived, but cannot bring back what
// was there before: a file that was begun anew is removed, even if it had an old
// content, and one that was continued is truncated to where it was continued.
//
// In place, two sessions that write one file at once mix their bytes, as on any
// classic server; files are not opened with O_APPEND, as the kernel would then
// not splice into them, so this holds for APPE too.
//
// The hidden files of Atomic are left behind when the process is killed;
// [FS.Clean] removes them at the next start.
package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Cut says what becomes of an upload that was given up.
type Cut int

const (
	// CutKeep keeps the part that arrived, so that the client can resume; of a file that is too large
	// for the server or the user's quota nothing is kept.
	CutKeep Cut = iota
	// CutDiscard takes away what arrived.
	CutDiscard
)

// Options say which directory is served, and how.
type Options struct {
	// Name is what vfs.Stored calls the back end.
	Name string
	// Root is the directory. It has to exist.
	Root string
	// Atomic: a file appears whole, or not at all.
	Atomic bool
	// Sync: a file is on the disk when Close returns nil.
	Sync bool
	// Cut is what an upload leaves that was given up. Atomic always discards.
	Cut Cut
}

// FS is a directory as a tree. It is safe for use by many goroutines.
type FS struct {
	*shared
	ctx context.Context // of the command that this value was made for
}

// shared is what the values for the single commands have in common.
type shared struct {
	root    *os.Root
	o       Options
	escapes error // what os.Root says to a name that leads out
	below   bool  // it was made by Below, for one login
}

var (
	_ afero.Fs        = (*FS)(nil)
	_ afero.Symlinker = (*FS)(nil)
	_ vfs.Contexter   = (*FS)(nil)
	_ vfs.Resumer     = (*FS)(nil)
	_ vfs.Typed       = (*FS)(nil)
	_ vfs.Aliaser     = (*FS)(nil)
	_ vfs.Releaser    = (*FS)(nil)
)

// New opens the directory o.Root. The FS holds one file descriptor until Close.
func New(o Options) (*FS, error) {
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return nil, err
	}
	return &FS{shared: &shared{root: root, o: o, escapes: escapeError(root)}, ctx: context.Background()}, nil
}

// Below opens a directory of the tree as a tree of its own, which no symbolic link leads out of either. It
// holds a file descriptor of its own until Release or Close.
func (l *FS) Below(dir string) (*FS, error) {
	rel, err := l.in("open", dir)
	if err != nil {
		return nil, err
	}
	root, err := l.root.OpenRoot(rel)
	if err != nil {
		return nil, l.fail("open", dir, err)
	}
	o := l.o
	o.Root = filepath.Join(o.Root, rel)
	return &FS{shared: &shared{root: root, o: o, escapes: escapeError(root), below: true}, ctx: context.Background()}, nil
}

// WithCut returns the same tree with another answer to what becomes of an upload that was given up. The two share their
// descriptor: one Release or Close is for both.
func (l *FS) WithCut(cut Cut) *FS {
	other := *l.shared
	other.o.Cut = cut
	return &FS{shared: &other, ctx: l.ctx}
}

// Release closes a tree that Below has made: see [vfs.Releaser]. Others serve many logins.
func (l *FS) Release() {
	if l.below {
		l.root.Close()
	}
}

// Close closes the directory. Files that are open stay usable, but one that has
// still to be committed or given up may fail then.
func (l *FS) Close() error { return l.root.Close() }

// Name returns the name of the kind of tree: "local".
func (l *FS) Name() string { return "local" }

// WithContext returns the same directory, bound to ctx.
func (l *FS) WithContext(ctx context.Context) afero.Fs { return &FS{shared: l.shared, ctx: ctx} }

// in makes the name that os.Root wants of a name of the tree, and ends the
// command if its context is done.
func (l *FS) in(op, name string) (string, error) {
	if l.ctx.Err() != nil {
		return "", &fs.PathError{Op: op, Path: name, Err: context.Cause(l.ctx)}
	}
	rel := path.Clean("/" + name)[1:]
	if rel == "" {
		return ".", nil
	}
	if hasTemp(rel) {
		return "", &fs.PathError{Op: op, Path: name, Err: vfs.ErrBadName}
	}
	rel, ok := localize(rel)
	if !ok {
		return "", &fs.PathError{Op: op, Path: name, Err: vfs.ErrBadName}
	}
	return rel, nil
}

// inside is in for what cannot be done to the root itself.
func (l *FS) inside(op, name string) (string, error) {
	rel, err := l.in(op, name)
	if err == nil && rel == "." {
		err = &fs.PathError{Op: op, Path: name, Err: fs.ErrPermission}
	}
	return rel, err
}

// Stat describes a file or directory, following links inside the tree.
func (l *FS) Stat(name string) (os.FileInfo, error) {
	fi, err := l.stat("stat", name)
	if err != nil {
		return nil, err
	}
	if path.Clean("/"+name) == "/" {
		return rootInfo(".", fi), nil
	}
	return fi, nil
}

// stat is Stat as the system tells it.
func (l *FS) stat(op, name string) (os.FileInfo, error) {
	rel, err := l.in(op, name)
	if err != nil {
		return nil, err
	}
	fi, err := l.root.Stat(rel)
	if err != nil {
		return nil, l.fail(op, name, err)
	}
	return fi, nil
}

// StatFile describes what is no directory.
func (l *FS) StatFile(name string) (os.FileInfo, error) {
	fi, err := l.Stat(name)
	if err == nil && fi.IsDir() {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: vfs.ErrIsDir}
	}
	return fi, err
}

// StatDir describes a directory.
func (l *FS) StatDir(name string) (os.FileInfo, error) {
	fi, err := l.Stat(name)
	if err == nil && !fi.IsDir() {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: vfs.ErrNotDir}
	}
	return fi, err
}

// LstatIfPossible describes a name without following a link.
func (l *FS) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	rel, err := l.in("lstat", name)
	if err != nil {
		return nil, true, err
	}
	fi, err := l.root.Lstat(rel)
	if err != nil {
		return nil, true, l.fail("lstat", name, err)
	}
	return rootInfo(rel, fi), true, nil
}

// ReadlinkIfPossible returns the target of a link, as it stands there.
func (l *FS) ReadlinkIfPossible(name string) (string, error) {
	rel, err := l.inside("readlink", name)
	if err != nil {
		return "", err
	}
	target, err := l.root.Readlink(rel)
	if err != nil {
		return "", l.fail("readlink", name, err)
	}
	return filepath.ToSlash(target), nil
}

// SymlinkIfPossible makes a link. A target that begins with a slash is a name
// of the tree; in the link it stands relative, as the disk knows no such root.
// A target need not exist; one that leads out can be made, but not followed.
func (l *FS) SymlinkIfPossible(target, name string) error {
	rel, err := l.inside("symlink", name)
	if err != nil {
		return err
	}
	if path.IsAbs(target) {
		if target, err = filepath.Rel(path.Dir(path.Clean("/"+name)), path.Clean(target)); err != nil {
			return &fs.PathError{Op: "symlink", Path: name, Err: vfs.ErrBadName}
		}
	}
	if err := l.root.Symlink(filepath.FromSlash(target), rel); err != nil {
		return l.fail("symlink", name, err)
	}
	return nil
}

// SameDir implements vfs.Aliaser: the system knows by which names it reaches a directory.
func (l *FS) SameDir(a, b string) bool {
	x, err := l.stat("stat", a)
	if err != nil || !x.IsDir() {
		return false
	}
	y, err := l.stat("stat", b)
	return err == nil && os.SameFile(x, y)
}

// Mkdir makes a directory.
func (l *FS) Mkdir(name string, perm os.FileMode) error {
	rel, err := l.in("mkdir", name)
	if err != nil {
		return err
	}
	if rel == "." {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	if err := l.root.Mkdir(rel, perm.Perm()); err != nil {
		return l.fail("mkdir", name, err)
	}
	return l.syncParents(name, rel)
}

// MkdirAll makes a directory and those above it that are missing.
func (l *FS) MkdirAll(name string, perm os.FileMode) error {
	rel, err := l.in("mkdir", name)
	if err != nil || rel == "." {
		return err
	}
	if err := l.root.MkdirAll(rel, perm.Perm()); err != nil {
		return l.fail("mkdir", name, err)
	}
	return l.syncParents(name, rel)
}

// Remove removes a file, a link or an empty directory.
func (l *FS) Remove(name string) error {
	rel, err := l.inside("remove", name)
	if err != nil {
		return err
	}
	if err := l.root.Remove(rel); err != nil {
		return l.fail("remove", name, err)
	}
	return l.syncParents(name, rel)
}

// RemoveFile removes a file or a link, never a directory.
func (l *FS) RemoveFile(name string) error { return l.removeKind(name, false) }

// RemoveDir removes an empty directory, never a file or a link.
func (l *FS) RemoveDir(name string) error { return l.removeKind(name, true) }

// removeKind looks before it removes: os.Root has one call for both kinds, and
// no system offers a look and a removal in one step. What can go wrong between
// the two is that an empty directory goes instead of a file of its name, or the
// other way round, when another session swaps them at that moment.
func (l *FS) removeKind(name string, dir bool) error {
	rel, err := l.inside("remove", name)
	if err != nil {
		return err
	}
	fi, err := l.root.Lstat(rel)
	switch {
	case err != nil:
		return l.fail("remove", name, err)
	case dir && !fi.IsDir():
		return &fs.PathError{Op: "remove", Path: name, Err: vfs.ErrNotDir}
	case !dir && fi.IsDir():
		return &fs.PathError{Op: "remove", Path: name, Err: vfs.ErrIsDir}
	}
	return l.Remove(name)
}

// RemoveAll removes a file, or a directory with all that is in it. Links in it
// are removed, not followed.
func (l *FS) RemoveAll(name string) error {
	rel, err := l.inside("remove", name)
	if err != nil {
		return err
	}
	if err := l.root.RemoveAll(rel); err != nil {
		return l.fail("remove", name, err)
	}
	return l.syncParents(name, rel)
}

// Rename gives a file or directory another name. A file that has that name is
// replaced; a directory is not.
func (l *FS) Rename(oldname, newname string) error { return l.rename(oldname, newname, l.root.Rename) }

// rename is a rename by do, which gets the names below the root.
func (l *FS) rename(oldname, newname string, do func(oldrel, newrel string) error) error {
	oldrel, err := l.inside("rename", oldname)
	if err != nil {
		return err
	}
	newrel, err := l.inside("rename", newname)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: errors.Unwrap(err)}
	}
	if err := do(oldrel, newrel); err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: l.kind(err)}
	}
	return l.syncParents(newname, oldrel, newrel)
}

// Chmod changes the permission bits.
func (l *FS) Chmod(name string, mode os.FileMode) error {
	rel, err := l.in("chmod", name)
	if err != nil {
		return err
	}
	if err := l.root.Chmod(rel, mode); err != nil {
		return l.fail("chmod", name, err)
	}
	return nil
}

// Chown changes owner and group.
func (l *FS) Chown(name string, uid, gid int) error {
	rel, err := l.in("chown", name)
	if err != nil {
		return err
	}
	if err := l.root.Chown(rel, uid, gid); err != nil {
		return l.fail("chown", name, err)
	}
	return nil
}

// Chtimes changes the times.
func (l *FS) Chtimes(name string, atime, mtime time.Time) error {
	rel, err := l.in("chtimes", name)
	if err != nil {
		return err
	}
	if err := l.root.Chtimes(rel, atime, mtime); err != nil {
		return l.fail("chtimes", name, err)
	}
	return nil
}

// syncParents flushes the directories that hold the names, where Sync asks for
// it: the name itself is on the disk only then.
func (l *FS) syncParents(name string, rels ...string) error {
	if !l.o.Sync {
		return nil
	}
	for i, rel := range rels {
		dir := filepath.Dir(rel)
		if i > 0 && dir == filepath.Dir(rels[i-1]) {
			continue
		}
		if err := syncDir(l.root, dir); err != nil {
			return l.fail("sync", name, err)
		}
	}
	return nil
}

// rootInfo gives the root its name in the tree; os.Root calls it ".".
func rootInfo(rel string, fi os.FileInfo) os.FileInfo {
	if rel != "." {
		return fi
	}
	return fileInfo{fi, "/"}
}
