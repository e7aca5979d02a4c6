package vfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/afero"
)

// Sub is a subtree that has become a tree of its own: its root is a directory
// of another tree. Names are made clean again here, so that no ".." gets above
// the root, whatever the layer before has done. Errors, files and the root's
// own FileInfo carry the names of the Sub; nothing tells where it lies.
//
// A Sub bounds names, not symbolic links: a link inside it is followed as far as
// the tree underneath allows. Therefore a Sub makes no links (a link can be
// moved after it was made, and then points elsewhere); where links must not be
// trusted at all, open the local tree at the directory itself.
//
// The root cannot be removed or renamed. It need not exist: then the tree is
// as empty as the tree underneath says.
type Sub struct {
	fsys afero.Fs
	dir  string // clean, absolute
}

var _ Wrapper = (*Sub)(nil)

// NewSub returns the subtree of fsys below dir. The name dir is cleaned.
func NewSub(fsys afero.Fs, dir string) *Sub {
	return &Sub{fsys: fsys, dir: clean(dir)}
}

// clean makes any string an absolute clean name.
func clean(name string) string { return path.Clean("/" + name) }

// in returns the name both ways: as the caller means it, and in the tree underneath.
func (s *Sub) in(name string) (outer, inner string) {
	outer = clean(name)
	return outer, path.Join(s.dir, outer)
}

// fixed refuses what would take the root away.
func fixed(op, name string) error {
	if name == "/" {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrPermission}
	}
	return nil
}

// Name returns the name of the kind of tree: "sub".
func (s *Sub) Name() string { return "sub" }

// WithContext returns the same subtree, bound to ctx.
func (s *Sub) WithContext(ctx context.Context) afero.Fs {
	return &Sub{fsys: WithContext(ctx, s.fsys), dir: s.dir}
}

// Release gives back what the tree underneath holds for the login.
func (s *Sub) Release() { Release(s.fsys) }

func (s *Sub) file(name string, f afero.File, err error) (afero.File, error) {
	if err != nil {
		return nil, rename(name, err)
	}
	return &renamed{f: f, name: name}, nil
}

// Create opens a file for writing, empty.
func (s *Sub) Create(name string) (afero.File, error) {
	outer, inner := s.in(name)
	f, err := s.fsys.Create(inner)
	return s.file(outer, f, err)
}

// Open opens a file or directory for reading.
func (s *Sub) Open(name string) (afero.File, error) {
	outer, inner := s.in(name)
	f, err := s.fsys.Open(inner)
	return s.file(outer, f, err)
}

// OpenFile is the general open call.
func (s *Sub) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	outer, inner := s.in(name)
	f, err := s.fsys.OpenFile(inner, flag, perm)
	return s.file(outer, f, err)
}

// OpenAt opens a file for writing from offset on: see [Resumer].
func (s *Sub) OpenAt(name string, offset int64) (afero.File, error) {
	outer, inner := s.in(name)
	f, err := OpenAt(s.fsys, inner, offset)
	return s.file(outer, f, err)
}

// OpenFrom opens a file for reading from offset on: see [FromOpener].
func (s *Sub) OpenFrom(name string, offset int64) (afero.File, error) {
	outer, inner := s.in(name)
	f, err := OpenFrom(s.fsys, inner, offset)
	return s.file(outer, f, err)
}

// Hash returns a digest of a file that is known without reading it: see [Hasher].
func (s *Sub) Hash(name, algo string) ([]byte, error) {
	outer, inner := s.in(name)
	sum, err := Hash(s.fsys, inner, algo)
	return sum, rename(outer, err)
}

// Copy copies a file: see [Copier].
func (s *Sub) Copy(oldname, newname string) error {
	oldOuter, oldInner := s.in(oldname)
	newOuter, newInner := s.in(newname)
	return copyError(oldOuter, newOuter, Copy(s.fsys, oldInner, newInner))
}

// RenameNew renames to a name that nobody has: see [NewNamer].
func (s *Sub) RenameNew(oldname, newname string) error {
	oldOuter, oldInner := s.in(oldname)
	newOuter, newInner := s.in(newname)
	if oldOuter == "/" || newOuter == "/" {
		return renameLink(oldOuter, newOuter, fs.ErrPermission)
	}
	return renameLink(oldOuter, newOuter, RenameNew(s.fsys, oldInner, newInner))
}

// CopyNew copies to a name that nobody has: see [NewNamer].
func (s *Sub) CopyNew(oldname, newname string) error {
	oldOuter, oldInner := s.in(oldname)
	newOuter, newInner := s.in(newname)
	return copyError(oldOuter, newOuter, CopyNew(s.fsys, oldInner, newInner))
}

// Replace opens a file for writing that appears whole: see [Replacer].
func (s *Sub) Replace(name string) (afero.File, error) {
	outer, inner := s.in(name)
	f, err := Replace(s.fsys, inner)
	return s.file(outer, f, err)
}

// Space returns how many bytes may still be stored: see [Spacer].
func (s *Sub) Space(name string) (int64, error) {
	outer, inner := s.in(name)
	free, err := Space(s.fsys, inner)
	return free, rename(outer, err)
}

// Allowance returns how many bytes the user may still store: see [Allower].
func (s *Sub) Allowance(name string) (int64, error) {
	outer, inner := s.in(name)
	left, err := Allowance(s.fsys, inner)
	return left, rename(outer, err)
}

// SameDir reports whether two names are of one directory: see [Aliaser].
func (s *Sub) SameDir(a, b string) bool {
	_, a = s.in(a)
	_, b = s.in(b)
	return SameDir(s.fsys, a, b)
}

// Mkdir makes a directory.
func (s *Sub) Mkdir(name string, perm os.FileMode) error {
	outer, inner := s.in(name)
	return rename(outer, s.fsys.Mkdir(inner, perm))
}

// MkdirAll makes a directory and those above it that are missing.
func (s *Sub) MkdirAll(name string, perm os.FileMode) error {
	outer, inner := s.in(name)
	return rename(outer, s.fsys.MkdirAll(inner, perm))
}

// Remove removes a file or an empty directory.
func (s *Sub) Remove(name string) error {
	outer, inner := s.in(name)
	if err := fixed("remove", outer); err != nil {
		return err
	}
	return rename(outer, s.fsys.Remove(inner))
}

// RemoveFile removes a file, never a directory.
func (s *Sub) RemoveFile(name string) error {
	outer, inner := s.in(name)
	if err := fixed("remove", outer); err != nil {
		return err
	}
	return rename(outer, RemoveFile(s.fsys, inner))
}

// RemoveDir removes an empty directory, never a file.
func (s *Sub) RemoveDir(name string) error {
	outer, inner := s.in(name)
	if err := fixed("remove", outer); err != nil {
		return err
	}
	return rename(outer, RemoveDir(s.fsys, inner))
}

// RemoveAll removes a file, or a directory with all that is in it.
func (s *Sub) RemoveAll(name string) error {
	outer, inner := s.in(name)
	if err := fixed("remove", outer); err != nil {
		return err
	}
	return rename(outer, s.fsys.RemoveAll(inner))
}

// Rename gives oldname the name newname.
func (s *Sub) Rename(oldname, newname string) error {
	oldOuter, oldInner := s.in(oldname)
	newOuter, newInner := s.in(newname)
	if oldOuter == "/" || newOuter == "/" {
		return renameLink(oldOuter, newOuter, fs.ErrPermission)
	}
	return renameLink(oldOuter, newOuter, s.fsys.Rename(oldInner, newInner))
}

// Stat describes a file or directory, following links.
func (s *Sub) Stat(name string) (os.FileInfo, error) {
	outer, inner := s.in(name)
	fi, err := s.fsys.Stat(inner)
	return asRoot(outer, fi), rename(outer, err)
}

// StatFile describes a file: see [Typed].
func (s *Sub) StatFile(name string) (os.FileInfo, error) {
	outer, inner := s.in(name)
	fi, err := StatFile(s.fsys, inner)
	return asRoot(outer, fi), rename(outer, err)
}

// StatDir describes a directory: see [Typed].
func (s *Sub) StatDir(name string) (os.FileInfo, error) {
	outer, inner := s.in(name)
	fi, err := StatDir(s.fsys, inner)
	return asRoot(outer, fi), rename(outer, err)
}

// LstatIfPossible describes a file or directory without following a link. The
// bool tells whether the tree underneath knows the difference.
func (s *Sub) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	outer, inner := s.in(name)
	l, ok := s.fsys.(afero.Lstater)
	if !ok {
		fi, err := s.Stat(outer)
		return fi, false, err
	}
	fi, ok, err := l.LstatIfPossible(inner)
	return asRoot(outer, fi), ok, rename(outer, err)
}

// ReadlinkIfPossible returns the target of a link. An absolute target is given
// as a name of the Sub; one that lies outside is not told.
func (s *Sub) ReadlinkIfPossible(name string) (string, error) {
	outer, inner := s.in(name)
	target, err := Readlink(s.fsys, inner)
	if err != nil {
		return "", rename(outer, err)
	}
	if !path.IsAbs(target) || s.dir == "/" {
		return target, nil
	}
	rest, ok := strings.CutPrefix(path.Clean(target), s.dir)
	if !ok || rest != "" && rest[0] != '/' {
		return "", &fs.PathError{Op: "readlink", Path: outer, Err: fs.ErrPermission}
	}
	return clean(rest), nil
}

// SymlinkIfPossible makes a link where the Sub is the whole tree, and otherwise
// returns errors.ErrUnsupported: see [Sub].
func (s *Sub) SymlinkIfPossible(oldname, newname string) error {
	outer, inner := s.in(newname)
	if s.dir != "/" {
		return &os.LinkError{Op: "symlink", Old: oldname, New: outer, Err: errors.ErrUnsupported}
	}
	return rename(outer, Symlink(s.fsys, oldname, inner))
}

// Chmod changes the mode of a file.
func (s *Sub) Chmod(name string, mode os.FileMode) error {
	outer, inner := s.in(name)
	return rename(outer, s.fsys.Chmod(inner, mode))
}

// Chown changes the owner and group of a file.
func (s *Sub) Chown(name string, uid, gid int) error {
	outer, inner := s.in(name)
	return rename(outer, s.fsys.Chown(inner, uid, gid))
}

// Chtimes changes the access and modification times of a file.
func (s *Sub) Chtimes(name string, atime, mtime time.Time) error {
	outer, inner := s.in(name)
	return rename(outer, s.fsys.Chtimes(inner, atime, mtime))
}
