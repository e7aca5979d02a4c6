package vfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/afero"
)

// Keep is a tree whose files are never overwritten, for users who may add files but
// not change what is there: cameras that count from 1 again after each battery.
//
// A file begun under a name that exists is refused with fs.ErrExist, at once and,
// where somebody else was faster, at Close; so are continuing a file (REST, APPE),
// and a rename or copy to a name that exists. With Rename set such a file gets
// another name instead: "a.jpg" becomes "a-1.jpg", "a-2.jpg" and so on; the opened file's Name tells which.
// Who then loses a race for the new name gets ErrBusy, as the next try will be under another one.
//
// Removing is not Keep's affair: that is a permission of its own.
type Keep struct {
	fsys   afero.Fs
	rename bool
}

var _ Wrapper = (*Keep)(nil)

// NewKeep returns fsys without overwriting. Rename says that a taken name is not
// refused but numbered.
func NewKeep(fsys afero.Fs, rename bool) *Keep { return &Keep{fsys: fsys, rename: rename} }

// Name returns the name of the kind of tree: "keep".
func (k *Keep) Name() string { return "keep" }

// WithContext returns the same tree, bound to ctx.
func (k *Keep) WithContext(ctx context.Context) afero.Fs {
	return &Keep{fsys: WithContext(ctx, k.fsys), rename: k.rename}
}

// Release gives back what the tree underneath holds for the login.
func (k *Keep) Release() { Release(k.fsys) }

// numberTries is how many numbers are tried when others take them at the same time.
const numberTries = 8

// give calls do with the name or, if that is taken and may be changed, with a numbered one that is free.
func (k *Keep) give(name string, do func(name string) error) error {
	err := do(name)
	if !k.rename || !errors.Is(err, fs.ErrExist) {
		return err
	}
	n, err := k.free(name)
	if err != nil {
		return err
	}
	for range numberTries {
		if err = do(numbered(name, n)); !errors.Is(err, fs.ErrExist) {
			return err
		}
		n++
	}
	// A crowd. A name by chance is one that nobody else tries.
	stem, ext := splitExt(name)
	return do(stem + "-" + strings.ToLower(rand.Text()[:12]) + ext)
}

// free returns a number that makes a free name. It asks for 1, 2, 4, 8 ... and then between: few
// questions even where there are thousands, and no gap of a removed file can mislead it to a taken name.
func (k *Keep) free(name string) (int, error) {
	taken := func(n int) (bool, error) {
		_, err := Lstat(k.fsys, numbered(name, n))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	last, n := 0, 1
	for ; ; last, n = n, 2*n {
		t, err := taken(n)
		if err != nil {
			return 0, err
		}
		if !t {
			break
		}
		if n > 1<<30 {
			return 0, fmt.Errorf("no number is free for %q: %w", name, fs.ErrExist)
		}
	}
	for last+1 < n {
		mid := last + (n-last)/2
		t, err := taken(mid)
		if err != nil {
			return 0, err
		}
		if t {
			last = mid
		} else {
			n = mid
		}
	}
	return n, nil
}

// splitExt splits a name before its extension. What begins with a dot is no extension.
func splitExt(name string) (stem, ext string) {
	ext = path.Ext(name)
	if ext == path.Base(name) {
		ext = ""
	}
	return strings.TrimSuffix(name, ext), ext
}

func numbered(name string, n int) string {
	stem, ext := splitExt(name)
	return fmt.Sprintf("%s-%d%s", stem, n, ext)
}

// create opens a file that nobody has.
func (k *Keep) create(name string, perm os.FileMode) (afero.File, error) {
	outer := clean(name)
	var f afero.File
	err := k.give(outer, func(name string) error {
		opened, err := k.fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if err == nil {
			f, outer = opened, name
		}
		return err
	})
	if err != nil {
		return nil, rename(name, err)
	}
	return &kept{renamed: renamed{f: f, name: outer}, busy: k.rename}, nil
}

// kept is a file being written that replaces nothing.
type kept struct {
	renamed
	busy bool // a lost race is worth another try
}

// Close commits. When the store tells only now that the name is taken, nothing was stored.
func (f *kept) Close() error {
	err := f.renamed.Close()
	if f.busy && errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "close", Path: f.name, Err: ErrBusy}
	}
	return err
}

// Create opens a file for writing, empty.
func (k *Keep) Create(name string) (afero.File, error) { return k.create(name, 0o666) }

// Open opens a file or directory for reading.
func (k *Keep) Open(name string) (afero.File, error) { return k.fsys.Open(name) }

// OpenFile opens for reading, or a new file for writing.
func (k *Keep) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND) == 0 {
		return k.fsys.OpenFile(name, flag, perm)
	}
	if flag&os.O_CREATE == 0 {
		return nil, k.taken("open", name)
	}
	if flag&os.O_EXCL != 0 { // who asks for this very name wants no other
		return k.fsys.OpenFile(name, flag, perm)
	}
	return k.create(name, perm)
}

// taken is the refusal to change what has the name; where nothing has it, that is the error.
func (k *Keep) taken(op, name string) error {
	_, err := Lstat(k.fsys, name)
	if err == nil {
		err = &fs.PathError{Op: op, Path: name, Err: fs.ErrExist}
	}
	return err
}

// OpenAt makes a new file for the end of one that does not exist, and refuses all else.
func (k *Keep) OpenAt(name string, offset int64) (afero.File, error) {
	err := k.taken("open", name)
	if offset >= 0 || !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return k.fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// OpenFrom opens a file for reading from offset on: see [FromOpener].
func (k *Keep) OpenFrom(name string, offset int64) (afero.File, error) {
	return OpenFrom(k.fsys, name, offset)
}

// Replace opens a new file that appears whole.
func (k *Keep) Replace(name string) (afero.File, error) { return k.create(name, 0o666) }

// Rename gives oldname the name newname, or a free one like it.
func (k *Keep) Rename(oldname, newname string) error {
	if clean(oldname) == clean(newname) {
		_, err := k.fsys.Stat(oldname)
		return err
	}
	return k.give(clean(newname), func(name string) error { return RenameNew(k.fsys, oldname, name) })
}

// RenameNew is a Rename to exactly that name: see [NewNamer].
func (k *Keep) RenameNew(oldname, newname string) error { return RenameNew(k.fsys, oldname, newname) }

// Copy copies a file to newname, or to a free name like it.
func (k *Keep) Copy(oldname, newname string) error {
	return k.give(clean(newname), func(name string) error { return CopyNew(k.fsys, oldname, name) })
}

// CopyNew is a Copy to exactly that name: see [NewNamer].
func (k *Keep) CopyNew(oldname, newname string) error { return CopyNew(k.fsys, oldname, newname) }

// Space returns how many bytes may still be stored: see [Spacer].
func (k *Keep) Space(name string) (int64, error) { return Space(k.fsys, name) }

// Allowance returns how many bytes the user may still store: see [Allower].
func (k *Keep) Allowance(name string) (int64, error) { return Allowance(k.fsys, name) }

// SameDir reports whether two names are of one directory: see [Aliaser].
func (k *Keep) SameDir(a, b string) bool { return SameDir(k.fsys, a, b) }

// Hash returns a digest of a file that is known without reading it: see [Hasher].
func (k *Keep) Hash(name, algo string) ([]byte, error) { return Hash(k.fsys, name, algo) }

// Mkdir makes a directory.
func (k *Keep) Mkdir(name string, perm os.FileMode) error { return k.fsys.Mkdir(name, perm) }

// MkdirAll makes a directory and those above it that are missing.
func (k *Keep) MkdirAll(name string, perm os.FileMode) error { return k.fsys.MkdirAll(name, perm) }

// Remove removes a file or an empty directory.
func (k *Keep) Remove(name string) error { return k.fsys.Remove(name) }

// RemoveFile removes a file, never a directory.
func (k *Keep) RemoveFile(name string) error { return RemoveFile(k.fsys, name) }

// RemoveDir removes an empty directory, never a file.
func (k *Keep) RemoveDir(name string) error { return RemoveDir(k.fsys, name) }

// RemoveAll removes a file, or a directory with all that is in it.
func (k *Keep) RemoveAll(name string) error { return k.fsys.RemoveAll(name) }

// Stat describes a file or directory, following links.
func (k *Keep) Stat(name string) (os.FileInfo, error) { return k.fsys.Stat(name) }

// StatFile describes a file: see [Typed].
func (k *Keep) StatFile(name string) (os.FileInfo, error) { return StatFile(k.fsys, name) }

// StatDir describes a directory: see [Typed].
func (k *Keep) StatDir(name string) (os.FileInfo, error) { return StatDir(k.fsys, name) }

// LstatIfPossible describes a file or directory without following a link. The
// bool tells whether the tree underneath knows the difference.
func (k *Keep) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := Lstat(k.fsys, name)
	_, ok := k.fsys.(afero.Lstater)
	return fi, ok, err
}

// ReadlinkIfPossible returns the target of a link.
func (k *Keep) ReadlinkIfPossible(name string) (string, error) { return Readlink(k.fsys, name) }

// SymlinkIfPossible makes a link.
func (k *Keep) SymlinkIfPossible(oldname, newname string) error {
	return Symlink(k.fsys, oldname, newname)
}

// Chmod changes the mode of a file.
func (k *Keep) Chmod(name string, mode os.FileMode) error { return k.fsys.Chmod(name, mode) }

// Chown changes the owner and group of a file.
func (k *Keep) Chown(name string, uid, gid int) error { return k.fsys.Chown(name, uid, gid) }

// Chtimes changes the access and modification times of a file.
func (k *Keep) Chtimes(name string, atime, mtime time.Time) error {
	return k.fsys.Chtimes(name, atime, mtime)
}
