package unix

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// FS is a directory of this machine as one user sees it. It is safe for use by many goroutines.
type FS struct {
	id    Identity
	inner afero.Fs
	root  *local.FS // what Release closes
}

var (
	_ vfs.Wrapper  = (*FS)(nil)
	_ vfs.Releaser = (*FS)(nil)
)

// Open opens the directory o.Root as the user: the user must be allowed to reach
// it. No name and no link leads out of it. The FS holds one file descriptor until Release.
func Open(o local.Options, id Identity) (*FS, error) {
	var root *local.FS
	err := id.as(func() (err error) {
		root, err = local.New(o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &FS{id: id, inner: root, root: root}, nil
}

// Release implements vfs.Releaser.
func (u *FS) Release() { u.root.Close() }

// Name returns the name of the kind of tree: "unix".
func (u *FS) Name() string { return "unix" }

// WithContext returns the same directory, bound to ctx.
func (u *FS) WithContext(ctx context.Context) afero.Fs {
	return &FS{id: u.id, inner: vfs.WithContext(ctx, u.inner), root: u.root}
}

// open runs a call that gives a file, which then belongs to the user too.
func (u *FS) open(call func() (afero.File, error)) (afero.File, error) {
	var f afero.File
	err := u.id.as(func() (err error) {
		f, err = call()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &file{f: f, id: u.id}, nil
}

// Create opens a file for writing, empty.
func (u *FS) Create(name string) (afero.File, error) {
	return u.open(func() (afero.File, error) { return u.inner.Create(name) })
}

// Open opens a file or directory for reading.
func (u *FS) Open(name string) (afero.File, error) {
	return u.open(func() (afero.File, error) { return u.inner.Open(name) })
}

// OpenFile is the general open call.
func (u *FS) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	return u.open(func() (afero.File, error) { return u.inner.OpenFile(name, flag, perm) })
}

// OpenAt implements vfs.Resumer.
func (u *FS) OpenAt(name string, offset int64) (afero.File, error) {
	return u.open(func() (afero.File, error) { return vfs.OpenAt(u.inner, name, offset) })
}

// OpenFrom implements vfs.FromOpener.
func (u *FS) OpenFrom(name string, offset int64) (afero.File, error) {
	return u.open(func() (afero.File, error) { return vfs.OpenFrom(u.inner, name, offset) })
}

// Replace implements vfs.Replacer.
func (u *FS) Replace(name string) (afero.File, error) {
	return u.open(func() (afero.File, error) { return vfs.Replace(u.inner, name) })
}

// Copy implements vfs.Copier.
func (u *FS) Copy(oldname, newname string) error {
	return u.id.as(func() error { return vfs.Copy(u.inner, oldname, newname) })
}

// Hash implements vfs.Hasher: a disk knows none.
func (u *FS) Hash(name, algo string) (sum []byte, err error) {
	err = u.id.as(func() (err error) { sum, err = vfs.Hash(u.inner, name, algo); return err })
	return sum, err
}

// Space implements vfs.Spacer.
func (u *FS) Space(name string) (free int64, err error) {
	err = u.id.as(func() (err error) { free, err = vfs.Space(u.inner, name); return err })
	return free, err
}

// Allowance implements vfs.Allower: the system does not tell.
func (u *FS) Allowance(name string) (int64, error) { return vfs.Allowance(u.inner, name) }

// SameDir implements vfs.Aliaser. What the user cannot look at is no directory to them.
func (u *FS) SameDir(a, b string) bool {
	same := false
	err := u.id.as(func() error { same = vfs.SameDir(u.inner, a, b); return nil })
	return err == nil && same
}

// Mkdir makes a directory.
func (u *FS) Mkdir(name string, perm os.FileMode) error {
	return u.id.as(func() error { return u.inner.Mkdir(name, perm) })
}

// MkdirAll makes a directory and those above it that are missing.
func (u *FS) MkdirAll(name string, perm os.FileMode) error {
	return u.id.as(func() error { return u.inner.MkdirAll(name, perm) })
}

// Remove removes a file, a link or an empty directory.
func (u *FS) Remove(name string) error {
	return u.id.as(func() error { return u.inner.Remove(name) })
}

// RemoveFile removes a file or a link, never a directory.
func (u *FS) RemoveFile(name string) error {
	return u.id.as(func() error { return vfs.RemoveFile(u.inner, name) })
}

// RemoveDir removes an empty directory, never a file or a link.
func (u *FS) RemoveDir(name string) error {
	return u.id.as(func() error { return vfs.RemoveDir(u.inner, name) })
}

// RemoveAll removes a file, or a directory with all that is in it.
func (u *FS) RemoveAll(name string) error {
	return u.id.as(func() error { return u.inner.RemoveAll(name) })
}

// Rename gives a file or directory another name.
func (u *FS) Rename(oldname, newname string) error {
	return u.id.as(func() error { return u.inner.Rename(oldname, newname) })
}

// RenameNew implements vfs.NewNamer.
func (u *FS) RenameNew(oldname, newname string) error {
	return u.id.as(func() error { return vfs.RenameNew(u.inner, oldname, newname) })
}

// CopyNew implements vfs.NewNamer.
func (u *FS) CopyNew(oldname, newname string) error {
	return u.id.as(func() error { return vfs.CopyNew(u.inner, oldname, newname) })
}

func (u *FS) info(call func() (os.FileInfo, error)) (fi os.FileInfo, err error) {
	err = u.id.as(func() (err error) { fi, err = call(); return err })
	return fi, err
}

// Stat describes a file or directory, following links inside the tree.
func (u *FS) Stat(name string) (os.FileInfo, error) {
	return u.info(func() (os.FileInfo, error) { return u.inner.Stat(name) })
}

// StatFile describes what is no directory.
func (u *FS) StatFile(name string) (os.FileInfo, error) {
	return u.info(func() (os.FileInfo, error) { return vfs.StatFile(u.inner, name) })
}

// StatDir describes a directory that the user may enter. Describing one needs rights on the directory
// above alone; so a name in it is looked up, there or not.
func (u *FS) StatDir(name string) (os.FileInfo, error) {
	return u.info(func() (os.FileInfo, error) {
		fi, err := vfs.StatDir(u.inner, name)
		if err == nil {
			if _, err := vfs.Lstat(u.inner, path.Join(name, "any")); errors.Is(err, fs.ErrPermission) {
				return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrPermission}
			}
		}
		return fi, err
	})
}

// LstatIfPossible describes a name without following a link.
func (u *FS) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := u.info(func() (os.FileInfo, error) { return vfs.Lstat(u.inner, name) })
	return fi, true, err
}

// ReadlinkIfPossible returns the target of a link, as it stands there.
func (u *FS) ReadlinkIfPossible(name string) (target string, err error) {
	err = u.id.as(func() (err error) { target, err = vfs.Readlink(u.inner, name); return err })
	return target, err
}

// SymlinkIfPossible makes a link.
func (u *FS) SymlinkIfPossible(target, name string) error {
	return u.id.as(func() error { return vfs.Symlink(u.inner, target, name) })
}

// Chmod changes the permission bits.
func (u *FS) Chmod(name string, mode os.FileMode) error {
	return u.id.as(func() error { return u.inner.Chmod(name, mode) })
}

// Chown changes owner and group, as far as the kernel lets the user do it: the group to another one of the user's.
func (u *FS) Chown(name string, uid, gid int) error {
	return u.id.as(func() error { return u.inner.Chown(name, uid, gid) })
}

// Chtimes changes the times.
func (u *FS) Chtimes(name string, atime, mtime time.Time) error {
	return u.id.as(func() error { return u.inner.Chtimes(name, atime, mtime) })
}

// file is an open file of the user's. Bytes are moved without asking anybody; what
// looks at names, or makes one, is done as the user.
type file struct {
	f  afero.File
	id Identity
}

var (
	_ afero.File    = (*file)(nil)
	_ vfs.Aborter   = (*file)(nil)
	_ vfs.OSFiler   = (*file)(nil)
	_ vfs.Publisher = (*file)(nil)
	_ vfs.Storer    = (*file)(nil)
)

func (f *file) Close() error { return f.id.as(f.f.Close) }
func (f *file) Abort(cause error) error {
	return f.id.as(func() error { return vfs.Abort(f.f, cause) })
}
func (f *file) Sync() error            { return f.f.Sync() }
func (f *file) Truncate(n int64) error { return f.id.as(func() error { return f.f.Truncate(n) }) }

func (f *file) Readdir(n int) (fis []os.FileInfo, err error) {
	err = f.id.as(func() (err error) { fis, err = f.f.Readdir(n); return err })
	return fis, err
}

func (f *file) Readdirnames(n int) (names []string, err error) {
	err = f.id.as(func() (err error) { names, err = f.f.Readdirnames(n); return err })
	return names, err
}

func (f *file) Stat() (os.FileInfo, error)                { return f.f.Stat() }
func (f *file) Name() string                              { return f.f.Name() }
func (f *file) Read(p []byte) (int, error)                { return f.f.Read(p) }
func (f *file) ReadAt(p []byte, off int64) (int, error)   { return f.f.ReadAt(p, off) }
func (f *file) Seek(off int64, whence int) (int64, error) { return f.f.Seek(off, whence) }
func (f *file) Write(p []byte) (int, error)               { return f.f.Write(p) }
func (f *file) WriteAt(p []byte, off int64) (int, error)  { return f.f.WriteAt(p, off) }
func (f *file) WriteString(s string) (int, error)         { return f.f.WriteString(s) }
func (f *file) OSFile() *os.File                          { return vfs.OSFile(f.f) }
func (f *file) OSError(op string, err error) error        { return vfs.OSError(f.f, op, err) }
func (f *file) Publishes() bool                           { return vfs.Publishes(f.f) }
func (f *file) Stored() vfs.Stored                        { return vfs.StoredAs(f.f) }
