package local

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

const writing = os.O_WRONLY | os.O_RDWR

// Create opens a file for writing, empty.
func (l *FS) Create(name string) (afero.File, error) {
	return l.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// Open opens a file or directory for reading.
func (l *FS) Open(name string) (afero.File, error) {
	rel, err := l.in("open", name)
	if err != nil {
		return nil, err
	}
	f, fi, err := l.open(rel, os.O_RDONLY, 0)
	if err != nil {
		return nil, l.fail("open", name, err)
	}
	if !fi.IsDir() {
		if err := blocking(f); err != nil {
			f.Close()
			return nil, l.fail("open", name, err)
		}
	}
	return &File{l: l, f: f, name: name}, nil
}

// OpenFile opens a file. With os.O_TRUNC or os.O_EXCL it begins anew. With
// os.O_APPEND it is [FS.OpenAt] at -1, except that os.O_CREATE has to ask for
// the file to be made. Otherwise the writing is in the middle of the file,
// which [Options.Atomic] refuses with errors.ErrUnsupported.
func (l *FS) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if flag&(writing|os.O_CREATE|os.O_TRUNC|os.O_APPEND) == 0 {
		return l.Open(name)
	}
	rel, err := l.inside("open", name)
	if err != nil {
		if rel == "." {
			err = &fs.PathError{Op: "open", Path: name, Err: vfs.ErrIsDir}
		}
		return nil, err
	}
	w := opening{l: l, name: name, rel: rel, flag: flag, perm: perm.Perm(), offset: 0}
	if flag&os.O_APPEND != 0 {
		w.offset = -1
	}
	w.anew = flag&(os.O_TRUNC|os.O_EXCL) != 0
	return w.file()
}

// OpenAt opens a file for writing from offset on: see [vfs.Resumer].
func (l *FS) OpenAt(name string, offset int64) (afero.File, error) {
	rel, err := l.inside("open", name)
	if err != nil {
		if rel == "." {
			err = &fs.PathError{Op: "open", Path: name, Err: vfs.ErrIsDir}
		}
		return nil, err
	}
	if offset < -1 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: vfs.ErrBadOffset}
	}
	w := opening{l: l, name: name, rel: rel, flag: os.O_WRONLY, perm: 0o666, offset: offset, cutTail: true}
	if offset < 0 {
		w.flag |= os.O_CREATE
	}
	return w.file()
}

// file is open for callers that want the interface: no file is nil, and not a nil pointer in it.
func (o *opening) file() (afero.File, error) {
	f, err := o.open()
	if err != nil {
		return nil, err
	}
	return f, nil
}

// open opens what is a directory or a regular file, and nothing else. It never
// waits for the other end of a FIFO and leaves nonblock on.
func (s *shared) open(rel string, flag int, perm os.FileMode) (*os.File, os.FileInfo, error) {
	f, err := s.root.OpenFile(rel, flag|nonblock, perm)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.IsDir() && !fi.Mode().IsRegular() {
		err = fs.ErrPermission
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// opening is a file about to be opened for writing.
type opening struct {
	l         *FS
	name, rel string
	flag      int
	perm      os.FileMode
	anew      bool  // nothing of an old content is kept
	offset    int64 // where the writing begins if not anew; -1 for the end
	cutTail   bool  // what stands behind offset is given up
}

func (o *opening) open() (*File, error) {
	var f *File
	var err error
	if o.l.o.Atomic {
		f, err = o.aside()
	} else {
		f, err = o.inPlace()
	}
	if err != nil {
		return nil, o.l.fail("open", o.name, err)
	}
	return f, nil
}

// inPlace opens the file itself. It is truncated only when it is known to be a
// regular file, and O_APPEND never reaches the kernel.
func (o *opening) inPlace() (*File, error) {
	f, fi, created, err := o.find()
	if err != nil {
		return nil, err
	}
	u := &inPlace{l: o.l.shared, rel: o.rel, base: fi.Size(), anew: o.anew || created}
	if err = o.place(f, u); err != nil {
		f.Close()
		return nil, err
	}
	return &File{l: o.l, f: f, name: o.name, up: u}, nil
}

func (o *opening) place(f *os.File, u *inPlace) error {
	if err := blocking(f); err != nil {
		return err
	}
	switch {
	case o.anew && u.base == 0:
		// Truncating an empty file is not free: ext4 then writes the file to the disk when it is closed.
		return nil
	case o.anew:
		return f.Truncate(0)
	case o.offset > u.base:
		return vfs.ErrBadOffset
	case o.offset < 0:
		_, err := f.Seek(0, io.SeekEnd)
		return err
	case o.cutTail && o.offset < u.base:
		if err := f.Truncate(o.offset); err != nil {
			return err
		}
		u.base = o.offset
	}
	_, err := f.Seek(o.offset, io.SeekStart)
	return err
}

// find opens the file and tells whether it has made it: the system does not say.
func (o *opening) find() (f *os.File, fi os.FileInfo, created bool, err error) {
	flag := o.flag &^ (os.O_TRUNC | os.O_APPEND)
	if o.anew && flag&(os.O_EXCL|os.O_CREATE) == os.O_CREATE {
		// Whether it was there makes no difference: one try instead of two. Where the system refuses
		// to open another user's file with O_CREATE, as in a sticky directory, the way below may still do it.
		if f, fi, err = o.l.open(o.rel, flag, o.perm); !errors.Is(err, fs.ErrPermission) {
			return f, fi, false, err
		}
	}
	if flag&os.O_EXCL != 0 || flag&os.O_CREATE == 0 {
		f, fi, err = o.l.open(o.rel, flag, o.perm)
		return f, fi, flag&os.O_EXCL != 0, err
	}
	// Others may make and remove the file between the two tries.
	for range 10 {
		f, fi, err = o.l.open(o.rel, flag&^os.O_CREATE, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, fi, false, err
		}
		f, fi, err = o.l.open(o.rel, flag|os.O_EXCL, o.perm)
		if !errors.Is(err, fs.ErrExist) {
			return f, fi, true, err
		}
	}
	// A link that leads to nothing is neither there nor can it be made anew: make its target.
	f, fi, err = o.l.open(o.rel, flag, o.perm)
	return f, fi, false, err
}
