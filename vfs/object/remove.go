package object

import (
	"cmp"
	"errors"
	"io/fs"
	"path"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Remove removes a file, or else an empty directory.
func (f *FS) Remove(name string) error {
	err := f.removeFile(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrIsDir) {
		err = f.removeDir(name)
	}
	return pathError("remove", name, err)
}

// RemoveFile removes a file: one Head, as stores do not tell whether there was
// something to delete, and one Delete of what the Head has seen: an object that
// somebody stores in between stays, and the error is vfs.ErrBusy.
func (f *FS) RemoveFile(name string) error { return pathError("remove", name, f.removeFile(name)) }

// RemoveDir removes the marker of an empty directory: one List and one Delete.
// Nothing else is ever removed, so a file that arrives in the meantime stays
// and keeps its directory.
func (f *FS) RemoveDir(name string) error { return pathError("remove", name, f.removeDir(name)) }

func (f *FS) removeFile(name string) error {
	key, err := f.key(name)
	if err != nil {
		return err
	}
	name = clean(name)
	if key == f.t.prefix {
		return vfs.ErrIsDir
	}
	dropped := false
	p := f.t.parks(f.ctx)
	if _, ok := f.t.predict(name); ok {
		p = f.t.o.Pending
	}
	if p != nil {
		if dropped, err = p.remove(f.ctx, key); err != nil {
			return err
		}
		f.left.drop(key)
	}
	a, err := f.t.store.Head(f.ctx, key)
	if err != nil {
		if dropped && errors.Is(err, fs.ErrNotExist) {
			f.keepParent(name)
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) && f.dirs.has(name) {
			return vfs.ErrIsDir
		}
		return err
	}
	if err := f.t.store.Delete(f.ctx, key, a.ETag); err != nil {
		return err
	}
	f.keepParent(name)
	f.dirs.addParent(name)
	return nil
}

func (f *FS) removeDir(name string) error {
	key, err := f.key(name)
	if err != nil {
		return err
	}
	if key == f.t.prefix {
		return fs.ErrPermission
	}
	name = clean(name)
	marker, any, err := f.peek(f.ctx, f.dirKey(key), 2)
	switch {
	case err != nil:
		return err
	case any:
		return vfs.ErrNotEmpty
	}
	if f.t.o.Parks != nil { // a cut upload is listed, so the directory is not empty
		found, _, err := f.t.noted(f.ctx, f.dirKey(key))
		if err != nil || len(found) > 0 {
			return cmp.Or(err, vfs.ErrNotEmpty)
		}
	}
	if any, err = f.t.anyWaitsBelow(f.ctx, f.dirKey(key)); err != nil || any {
		return cmp.Or(err, vfs.ErrNotEmpty)
	}
	switch {
	case marker.Key != "":
		if err := f.t.store.Delete(f.ctx, marker.Key, ""); err != nil {
			return err
		}
	case !f.dirs.has(name):
		return fs.ErrNotExist
	}
	f.dirs.forget(name)
	f.dirs.addParent(name)
	return nil
}

// keepParent keeps the directory of a file that has gone, with KeepDirs. What it does is a courtesy: the file is
// gone whether or not the marker can be written, and the session goes on seeing the directory.
func (f *FS) keepParent(name string) {
	dir := path.Dir(name)
	if !f.t.o.KeepDirs || dir == "/" {
		return
	}
	key, err := f.key(dir)
	if err != nil {
		return
	}
	if _, any, err := f.peek(f.ctx, f.dirKey(key), 1); err == nil && !any {
		f.putMarker(f.ctx, f.dirKey(key), true)
	}
}
