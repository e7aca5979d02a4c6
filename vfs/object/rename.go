package object

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Rename gives a file or a directory a new name. A file that has the new name is
// replaced; a directory that has it is not.
//
// A bucket knows no renaming, only copies, unless it is a [Mover] or [PrefixMover].
// Of a file: one Head (none where this session has just looked at it with Stat), one List, so that it
// is not put over a directory, one Copy and one Delete, both of exactly the
// object that the Head has seen. Somebody who stores the file anew
// in between loses nothing: the error is vfs.ErrBusy, the new content stays under
// the old name. When the Delete fails, both names are there, and a repetition is
// safe. Of a directory: see renameDir. A file of [Options.Publish] becomes visible by its rename: see publish.
func (f *FS) Rename(oldname, newname string) error {
	return linkError("rename", oldname, newname, f.rename(oldname, newname, CopyOptions{}))
}

// RenameNew is Rename to a name that nobody has: see [vfs.NewNamer].
func (f *FS) RenameNew(oldname, newname string) error {
	return linkError("rename", oldname, newname, f.rename(oldname, newname, CopyOptions{IfAbsent: true}))
}

func (f *FS) rename(oldname, newname string, o CopyOptions) error {
	src, err := f.key(oldname)
	if err != nil {
		return err
	}
	dst, err := f.newKey(newname)
	if err != nil {
		return err
	}
	oldname, newname = clean(oldname), clean(newname)
	switch {
	case src == f.t.prefix:
		return fs.ErrPermission
	case dst == f.t.prefix:
		return vfs.ErrIsDir
	case src == dst: // copying it onto itself and deleting it would be the end of it
		_, err := f.Stat(oldname)
		return err
	}
	n, err := f.t.waits(f.ctx, src)
	if err != nil {
		return err
	}
	if n != nil {
		if err := f.publish(n, newname, dst, o); err != nil {
			return err
		}
		f.dirs.addParent(newname)
		f.dirs.addParent(oldname)
		if dst != n.Final {
			f.keepParent(oldname)
		}
		return f.t.taken(f.ctx, dst)
	}
	a, ok := f.seen.take(src)
	if !ok {
		a, err = f.t.store.Head(f.ctx, src)
		if errors.Is(err, fs.ErrNotExist) {
			return f.renameDir(oldname, newname, f.dirKey(src), f.dirKey(dst))
		}
		if err != nil {
			return err
		}
	}
	if err := f.freeForFile(newname, dst); err != nil {
		return err
	}
	if o.IfAbsent {
		if err := f.absent(dst); err != nil {
			return err
		}
	}
	if err := f.move(dst, a, o); err != nil {
		return err
	}
	f.dirs.addParent(newname)
	f.dirs.addParent(oldname)
	f.keepParent(oldname)
	return f.t.taken(f.ctx, dst)
}

// move gives one object another key.
func (f *FS) move(dst string, a Attrs, o CopyOptions) error {
	if m, ok := f.t.store.(Mover); ok {
		if err := m.Move(f.ctx, dst, a, o); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if err := f.t.store.Copy(f.ctx, dst, a, o); err != nil {
		return err
	}
	if err := f.t.store.Delete(f.ctx, a.Key, a.ETag); err != nil {
		return fmt.Errorf("copied to %q, but the old name stays: %w", dst, err)
	}
	return nil
}

// freeForFile returns an error if a file cannot have the name: it is a directory's
// or, with StrictClash, below a file.
func (f *FS) freeForFile(name, key string) error {
	if f.dirs.has(name) {
		return vfs.ErrIsDir
	}
	if f.t.o.StrictClash {
		return f.noClash(name, key)
	}
	_, any, err := f.peek(f.ctx, f.dirKey(key), 1)
	if err == nil && any {
		f.dirs.add(name)
		err = vfs.ErrIsDir
	}
	return err
}
