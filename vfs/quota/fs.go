package quota

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// FS is a tree with a limit. It is safe for use by many goroutines.
type FS struct {
	fsys    afero.Fs
	settled afero.Fs // fsys without a context: the end of a file has to be counted in any case
	l       *ledger
	limit   Limit
}

var _ vfs.Wrapper = (*FS)(nil)

func clean(name string) string { return path.Clean("/" + name) }

// Name returns the name of the kind of tree: "quota".
func (q *FS) Name() string { return "quota" }

// WithContext returns the same tree, bound to ctx.
func (q *FS) WithContext(ctx context.Context) afero.Fs {
	c := *q
	c.fsys = vfs.WithContext(ctx, q.fsys)
	return &c
}

// Release gives back what the tree underneath holds for the login.
func (q *FS) Release() { vfs.Release(q.fsys) }

// Allowance returns how many bytes may still be stored: see [vfs.Allower].
func (q *FS) Allowance(string) (int64, error) {
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	if q.limit.Bytes <= 0 {
		return 0, &fs.PathError{Op: "allowance", Path: "/", Err: errors.ErrUnsupported}
	}
	if err := q.l.refresh(q.fsys, Doubt); err != nil {
		return 0, err
	}
	return q.l.left(q.limit).Bytes, nil
}

// SameDir reports whether two names are of one directory: see [vfs.Aliaser].
func (q *FS) SameDir(a, b string) bool { return vfs.SameDir(q.fsys, a, b) }

// Space returns how many bytes may still be stored: what is free, or what is allowed if that is less.
func (q *FS) Space(name string) (int64, error) {
	free, err := vfs.Space(q.fsys, name)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return 0, err
	}
	left, lerr := q.Allowance(name)
	switch {
	case errors.Is(lerr, errors.ErrUnsupported):
		return free, err
	case err != nil:
		return left, lerr
	case lerr != nil:
		return 0, lerr
	}
	return min(free, left), nil
}

// write opens a file for writing. Kept tells how many of the old bytes stay.
func (q *FS) write(name string, kept func() (int64, error), open func() (afero.File, error)) (afero.File, error) {
	name = clean(name)
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	n, err := kept()
	if err != nil {
		return nil, err
	}
	e, err := q.l.begin(q.fsys, q.limit, name, n)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f, err := open()
	if err != nil {
		q.l.settle(q.settled, name, e)
		return nil, err
	}
	return &file{f: f, fs: q, name: name, e: e, at: n, end: n}, nil
}

func none() (int64, error) { return 0, nil }

// old is how many bytes a file has.
func (q *FS) old(name string) func() (int64, error) {
	return func() (int64, error) { return size(q.fsys, clean(name)).Bytes, nil }
}

// Create opens a file for writing, empty.
func (q *FS) Create(name string) (afero.File, error) {
	return q.write(name, none, func() (afero.File, error) { return q.fsys.Create(name) })
}

// Open opens a file or directory for reading.
func (q *FS) Open(name string) (afero.File, error) { return q.fsys.Open(name) }

// OpenFile is the general open call.
func (q *FS) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND) == 0 {
		return q.fsys.OpenFile(name, flag, perm)
	}
	kept := q.old(name)
	if flag&os.O_TRUNC != 0 {
		kept = none
	}
	f, err := q.write(name, kept, func() (afero.File, error) { return q.fsys.OpenFile(name, flag, perm) })
	if w, ok := f.(*file); ok && err == nil && flag&os.O_APPEND == 0 {
		w.at = 0
	}
	return f, err
}

// OpenAt opens a file for writing from offset on: see [vfs.Resumer].
func (q *FS) OpenAt(name string, offset int64) (afero.File, error) {
	kept := q.old(name)
	if offset >= 0 {
		kept = func() (int64, error) { return min(offset, size(q.fsys, clean(name)).Bytes), nil }
	}
	return q.write(name, kept, func() (afero.File, error) { return vfs.OpenAt(q.fsys, name, offset) })
}

// Replace opens a file for writing that appears whole: see [vfs.Replacer].
func (q *FS) Replace(name string) (afero.File, error) {
	return q.write(name, none, func() (afero.File, error) { return vfs.Replace(q.fsys, name) })
}

// OpenFrom opens a file for reading from offset on: see [vfs.FromOpener].
func (q *FS) OpenFrom(name string, offset int64) (afero.File, error) {
	return vfs.OpenFrom(q.fsys, name, offset)
}

// copy takes what the copy needs from the allowance before it is made.
func (q *FS) copy(oldname, newname string, do func() error) error {
	newname = clean(newname)
	q.l.mu.Lock()
	e, err := q.l.begin(q.fsys, q.limit, newname, size(q.fsys, clean(oldname)).Bytes)
	q.l.mu.Unlock()
	if err != nil {
		return &os.LinkError{Op: "copy", Old: oldname, New: newname, Err: err}
	}
	defer q.l.end(q.settled, newname, e)
	return do()
}

// Copy copies a file: see [vfs.Copier].
func (q *FS) Copy(oldname, newname string) error {
	return q.copy(oldname, newname, func() error { return vfs.Copy(q.fsys, oldname, newname) })
}

// CopyNew copies to a name that nobody has: see [vfs.NewNamer].
func (q *FS) CopyNew(oldname, newname string) error {
	return q.copy(oldname, newname, func() error { return vfs.CopyNew(q.fsys, oldname, newname) })
}

// Rename renames a file or directory. A file that is replaced counts no more.
func (q *FS) Rename(oldname, newname string) error {
	from, to := clean(oldname), clean(newname)
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	old := size(q.fsys, to)
	if err := q.fsys.Rename(oldname, newname); err != nil {
		return err
	}
	if from != to {
		q.l.forget(to, old)
	}
	q.moved()
	return nil
}

// RenameNew renames to a name that nobody has: see [vfs.NewNamer].
func (q *FS) RenameNew(oldname, newname string) error {
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	if err := vfs.RenameNew(q.fsys, oldname, newname); err != nil {
		return err
	}
	q.moved()
	return nil
}

// moved puts the count in doubt when what was renamed is being written to, or may hold what is: now, and
// again when that has ended.
func (q *FS) moved() {
	for _, e := range q.l.open {
		e.moved = true
		q.l.counted = time.Time{}
	}
}

// remove calls do and counts the file that it has removed no more.
func (q *FS) remove(name string, do func() error) error {
	name = clean(name)
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	old := size(q.fsys, name)
	if err := do(); err != nil {
		return err
	}
	q.l.forget(name, old)
	return nil
}

// Remove removes a file or an empty directory.
func (q *FS) Remove(name string) error {
	return q.remove(name, func() error { return q.fsys.Remove(name) })
}

// RemoveFile removes a file, never a directory.
func (q *FS) RemoveFile(name string) error {
	return q.remove(name, func() error { return vfs.RemoveFile(q.fsys, name) })
}

// RemoveDir removes an empty directory, never a file.
func (q *FS) RemoveDir(name string) error { return vfs.RemoveDir(q.fsys, name) }

// RemoveAll removes a file, or a directory with all that is in it; what is left is counted anew.
func (q *FS) RemoveAll(name string) error {
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	err := q.fsys.RemoveAll(name)
	q.l.counted = time.Time{}
	return errors.Join(err, q.l.refresh(q.fsys, Doubt))
}

// Hash returns a digest of a file that is known without reading it: see [vfs.Hasher].
func (q *FS) Hash(name, algo string) ([]byte, error) { return vfs.Hash(q.fsys, name, algo) }

// Mkdir makes a directory.
func (q *FS) Mkdir(name string, perm os.FileMode) error { return q.fsys.Mkdir(name, perm) }

// MkdirAll makes a directory and those above it that are missing.
func (q *FS) MkdirAll(name string, perm os.FileMode) error { return q.fsys.MkdirAll(name, perm) }

// Stat describes a file or directory, following links.
func (q *FS) Stat(name string) (os.FileInfo, error) { return q.fsys.Stat(name) }

// StatFile describes a file: see [vfs.Typed].
func (q *FS) StatFile(name string) (os.FileInfo, error) { return vfs.StatFile(q.fsys, name) }

// StatDir describes a directory: see [vfs.Typed].
func (q *FS) StatDir(name string) (os.FileInfo, error) { return vfs.StatDir(q.fsys, name) }

// LstatIfPossible describes a file or directory without following a link. The
// bool tells whether the tree underneath knows the difference.
func (q *FS) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := vfs.Lstat(q.fsys, name)
	_, ok := q.fsys.(afero.Lstater)
	return fi, ok, err
}

// ReadlinkIfPossible returns the target of a link.
func (q *FS) ReadlinkIfPossible(name string) (string, error) { return vfs.Readlink(q.fsys, name) }

// SymlinkIfPossible makes a link.
func (q *FS) SymlinkIfPossible(oldname, newname string) error {
	return vfs.Symlink(q.fsys, oldname, newname)
}

// Chmod changes the mode of a file.
func (q *FS) Chmod(name string, mode os.FileMode) error { return q.fsys.Chmod(name, mode) }

// Chown changes the owner and group of a file.
func (q *FS) Chown(name string, uid, gid int) error { return q.fsys.Chown(name, uid, gid) }

// Chtimes changes the access and modification times of a file.
func (q *FS) Chtimes(name string, atime, mtime time.Time) error {
	return q.fsys.Chtimes(name, atime, mtime)
}
