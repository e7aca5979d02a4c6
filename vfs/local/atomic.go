package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// aside is an upload into a hidden file of the same directory. The directory
// stays open, so that the end of the upload finds it even if it was renamed.
type aside struct {
	l    *shared
	dir  *os.Root
	rel  string // of the file, in the tree
	base string // of the file, in dir
	temp string // of the hidden file, in dir

	// What the name must still be at the commit.
	absent    bool        // nothing
	taken     error       // what it is if there is something after all
	continued os.FileInfo // this file, unchanged, whose bytes were copied
}

// aside opens a hidden file and, where one is continued, copies the old content.
func (o *opening) aside() (f *File, err error) {
	if !o.anew && o.offset >= 0 && !o.cutTail {
		return nil, errors.ErrUnsupported
	}
	old, err := o.l.root.Stat(o.rel)
	switch {
	case err == nil && o.flag&os.O_EXCL != 0:
		return nil, fs.ErrExist
	case err == nil && old.IsDir():
		return nil, vfs.ErrIsDir
	case err == nil && !old.Mode().IsRegular():
		return nil, fs.ErrPermission
	case err == nil:
		// A rename would replace a file that may not be written to.
		if err := o.writable(); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case o.flag&os.O_CREATE == 0:
		return nil, err
	}
	u := &aside{l: o.l.shared, rel: o.rel, base: filepath.Base(o.rel), temp: tempName()}
	switch {
	case o.flag&os.O_EXCL != 0:
		u.absent, u.taken = true, fs.ErrExist
	case old == nil && !o.anew: // somebody else may begin the file meanwhile
		u.absent, u.taken = true, vfs.ErrBusy
	}
	if u.dir, err = o.l.root.OpenRoot(filepath.Dir(o.rel)); err != nil {
		return nil, err
	}
	mode := o.flag&writing | os.O_CREATE | os.O_EXCL
	t, err := u.dir.OpenFile(u.temp, mode, o.perm)
	if err != nil {
		u.dir.Close()
		return nil, err
	}
	if old != nil {
		// As if it were still the old file. Some file systems have no modes.
		_ = t.Chmod(old.Mode().Perm())
		if !o.anew {
			err = o.copy(u, t)
		}
	}
	if err != nil {
		return nil, errors.Join(err, u.abort(t, true))
	}
	return &File{l: o.l, f: t, name: o.name, up: u}, nil
}

// writable asks the system whether the old file could be written to in place.
func (o *opening) writable() error {
	f, _, err := o.l.open(o.rel, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// copyStep is how much is copied before the context is looked at again.
const copyStep = 64 << 20

// copy brings the bytes that are kept into the hidden file.
func (o *opening) copy(u *aside, t *os.File) error {
	src, fi, err := o.l.open(o.rel, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := blocking(src); err != nil {
		return err
	}
	left := o.offset
	if left < 0 {
		left = fi.Size()
	}
	if left > fi.Size() {
		return vfs.ErrBadOffset
	}
	u.continued = fi
	for left > 0 {
		if o.l.ctx.Err() != nil {
			return context.Cause(o.l.ctx)
		}
		// On Linux this is copy_file_range, which shares extents where the file system can.
		n, err := io.CopyN(t, src, min(left, copyStep))
		left -= n
		if err == io.EOF {
			return vfs.ErrBusy // it has become shorter under our hands
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *aside) commit(f *os.File) error {
	defer u.dir.Close()
	var err error
	if u.l.o.Sync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = u.publish()
	}
	if err != nil {
		return errors.Join(err, u.remove())
	}
	if u.l.o.Sync {
		return syncDir(u.dir, ".")
	}
	return nil
}

// publish gives the hidden file its name.
func (u *aside) publish() error {
	if u.absent {
		return u.publishNew()
	}
	if u.continued != nil {
		now, err := u.l.root.Stat(u.rel)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || !os.SameFile(now, u.continued) || now.Size() != u.continued.Size() || !now.ModTime().Equal(u.continued.ModTime()) {
			return vfs.ErrBusy
		}
	}
	err := u.dir.Rename(u.temp, u.base)
	if errors.Is(err, fs.ErrExist) {
		return vfs.ErrIsDir // the only thing that a rename does not replace
	}
	return err
}

// publishNew does it only where nothing has that name: a link can tell, a rename cannot.
func (u *aside) publishNew() error {
	err := u.dir.Link(u.temp, u.base)
	switch kind := u.l.kind(err); {
	case err == nil:
		return u.dir.Remove(u.temp)
	case errors.Is(kind, fs.ErrExist):
		return u.taken
	case errors.Is(kind, errors.ErrUnsupported), errors.Is(kind, fs.ErrPermission):
		// A file system without links, such as FAT. Here somebody may slip in between the two calls.
		if _, err := u.dir.Lstat(u.base); err == nil {
			return u.taken
		}
		return u.dir.Rename(u.temp, u.base)
	}
	return err
}

func (u *aside) abort(f *os.File, _ bool) error {
	defer u.dir.Close()
	return errors.Join(f.Close(), u.remove())
}

func (u *aside) remove() error {
	if err := u.dir.Remove(u.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
