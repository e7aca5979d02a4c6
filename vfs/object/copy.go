package object

import (
	"errors"
	"io/fs"
	"os"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var (
	_ vfs.Copier   = (*FS)(nil)
	_ vfs.NewNamer = (*FS)(nil)
)

// Copy copies a file inside the store: see [vfs.Copier]. One Head, one List, so that the copy is
// not put over a directory, and one Copy, with all metadata.
func (f *FS) Copy(oldname, newname string) error {
	return linkError("copy", oldname, newname, f.copy(oldname, newname, CopyOptions{}))
}

// CopyNew is Copy to a name that nobody has: see [vfs.NewNamer].
func (f *FS) CopyNew(oldname, newname string) error {
	return linkError("copy", oldname, newname, f.copy(oldname, newname, CopyOptions{IfAbsent: true}))
}

func linkError(op, oldname, newname string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: oldname, New: newname, Err: err}
}

func (f *FS) copy(oldname, newname string, o CopyOptions) error {
	src, err := f.key(oldname)
	if err != nil {
		return err
	}
	dst, err := f.newKey(newname)
	if err != nil {
		return err
	}
	if src == f.t.prefix || dst == f.t.prefix {
		return vfs.ErrIsDir
	}
	if err := f.t.unseen(f.ctx, src); err != nil {
		return err
	}
	a, err := f.t.store.Head(f.ctx, src)
	if errors.Is(err, fs.ErrNotExist) && f.dirs.has(clean(oldname)) {
		return vfs.ErrIsDir
	}
	if err != nil {
		return err
	}
	if src == dst {
		return fs.ErrExist
	}
	if err := f.freeForFile(clean(newname), dst); err != nil {
		return err
	}
	if o.IfAbsent {
		if err := f.absent(dst); err != nil {
			return err
		}
	}
	if err := f.t.store.Copy(f.ctx, dst, a, o); err != nil {
		return err
	}
	f.dirs.addParent(clean(oldname))
	f.dirs.addParent(clean(newname))
	return f.t.taken(f.ctx, dst)
}

// absent looks whether a key is free, so that what is refused is refused before any work; the
// store has the condition too.
func (f *FS) absent(key string) error {
	n, err := f.t.waits(f.ctx, key)
	if err == nil && n == nil {
		_, err = f.t.store.Head(f.ctx, key)
	}
	switch {
	case err == nil:
		return fs.ErrExist
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}
