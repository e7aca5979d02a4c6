package object

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// reader is a file opened for reading, or a directory, or both: in a bucket "d" and
// "d/x" can exist side by side, and then Read means the one and Readdir the other.
type reader struct {
	fs     *FS
	ctx    context.Context
	cancel context.CancelCauseFunc
	given  string // the name as the caller wrote it
	name   string // clean
	key    string

	waits  *madeNote // the file waits for its rename
	dir    bool      // a directory has the name
	file   bool      // the object's attributes are known
	a      Attrs
	body   io.ReadCloser
	at     int64 // where body stands
	off    int64 // where the file stands
	list   *lister
	closed bool
}

var _ afero.File = (*reader)(nil)

func (r *reader) fail(op string, err error) error {
	if err == io.EOF {
		return err
	}
	return pathError(op, r.given, err)
}

func (r *reader) Name() string { return r.given }

// openAt begins to read the object at off. It must be the same object each time.
func (r *reader) openAt(off int64) error {
	if r.key == r.fs.t.prefix {
		return vfs.ErrIsDir
	}
	if err := r.seen(); err != nil {
		return err
	}
	r.drop()
	body, err := openWindow(r.ctx, r.fs.t, r.key, r.a, off)
	if err != nil {
		return err
	}
	r.fs.dirs.addParent(r.name)
	r.file, r.a, r.body, r.at = true, body.a, body, off
	return nil
}

// seen returns an error if the file waits for its rename. What was read once does not.
func (r *reader) seen() error {
	switch {
	case r.file:
		return nil
	case r.waits != nil:
		return errUnseen(r.waits)
	}
	return r.fs.t.unseen(r.ctx, r.key)
}

// drop closes the body.
func (r *reader) drop() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}

func (r *reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, r.fail("read", fs.ErrClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.file && r.off >= r.a.Size {
		if r.off > r.a.Size {
			return 0, r.fail("read", vfs.ErrBadOffset)
		}
		return 0, io.EOF
	}
	if r.body == nil || r.at != r.off {
		if err := r.openAt(r.off); err != nil {
			return 0, r.fail("read", r.notFile(err))
		}
	}
	n, err := r.body.Read(p)
	r.at += int64(n)
	r.off = r.at
	if err == io.EOF && r.off < r.a.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && r.ctx.Err() != nil {
		err = context.Cause(r.ctx)
	}
	return n, r.fail("read", err)
}

// notFile says that a directory was to be read.
func (r *reader) notFile(err error) error {
	if r.dir && errors.Is(err, fs.ErrNotExist) {
		return vfs.ErrIsDir
	}
	return err
}

// ReadAt reads with a request of its own.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	if r.closed {
		return 0, r.fail("read", fs.ErrClosed)
	}
	if off < 0 {
		return 0, r.fail("read", fs.ErrInvalid)
	}
	if r.file && off >= r.a.Size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.seen(); err != nil {
		return 0, r.fail("read", err)
	}
	body, a, err := r.fs.t.store.GetRange(r.ctx, r.key, r.a.ETag, off, int64(len(p)))
	if err != nil {
		return 0, r.fail("read", r.notFile(err))
	}
	defer body.Close()
	if r.file && changed(a, r.a) {
		return 0, r.fail("read", vfs.ErrBusy)
	}
	n, err := io.ReadFull(body, p)
	if err == io.ErrUnexpectedEOF && off+int64(n) == a.Size {
		err = io.EOF
	}
	return n, r.fail("read", err)
}

// Seek sends nothing, but to learn the size of what was not asked for yet: the next
// Read begins there.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	if r.closed {
		return 0, r.fail("seek", fs.ErrClosed)
	}
	switch whence {
	case io.SeekCurrent:
		offset += r.off
	case io.SeekEnd:
		if !r.file {
			if err := r.openAt(0); err != nil {
				return 0, r.fail("seek", r.notFile(err))
			}
		}
		offset += r.a.Size
	}
	if offset < 0 {
		return 0, r.fail("seek", fs.ErrInvalid)
	}
	if offset != r.at {
		r.drop() // the store need not go on sending
	}
	r.off = offset
	return offset, nil
}

// Stat describes the file, or the directory where there is none. For an open
// file it sends nothing.
func (r *reader) Stat() (os.FileInfo, error) {
	if r.closed {
		return nil, r.fail("stat", fs.ErrClosed)
	}
	if r.waits != nil {
		return fileInfo(r.name, r.waits.attrs()), nil
	}
	if !r.file && r.dir && r.list == nil && r.key != r.fs.t.prefix {
		// Known as a directory from earlier; a file may have the name too.
		if err := r.openAt(r.off); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, r.fail("stat", err)
		}
	}
	if r.file {
		return fileInfo(r.name, r.a), nil
	}
	fi, err := r.fs.statDir(r.name)
	return fi, r.fail("stat", err)
}

// firstPage begins the listing; it fails if there is no such directory.
func (r *reader) firstPage() error {
	l := newLister(r.ctx, r.fs.t, r.fs.dirKey(r.key))
	if err := l.fill(); err != nil {
		l.stop()
		return err
	}
	if !l.found && !r.fs.dirs.has(r.name) {
		l.stop()
		if r.file || r.waits != nil {
			return vfs.ErrNotDir
		}
		return fs.ErrNotExist
	}
	r.fs.dirs.add(r.name)
	r.list = l
	return nil
}

// Readdir returns the next entries, at most n and at most one page of the store
// at a time if n > 0, in the order of the store. The page after is fetched while the caller
// works on this one.
func (r *reader) Readdir(n int) ([]os.FileInfo, error) {
	if r.closed {
		return nil, r.fail("readdir", fs.ErrClosed)
	}
	if r.list == nil {
		if err := r.firstPage(); err != nil {
			return nil, r.fail("readdir", err)
		}
		r.drop()
	}
	if n > 0 {
		fis, err := r.list.next(n)
		return fis, r.fail("readdir", err)
	}
	var all []os.FileInfo
	for {
		fis, err := r.list.next(listPage)
		all = append(all, fis...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, r.fail("readdir", err)
		}
	}
}

func (r *reader) Readdirnames(n int) ([]string, error) {
	fis, err := r.Readdir(n)
	names := make([]string, len(fis))
	for i, fi := range fis {
		names[i] = fi.Name()
	}
	return names, err
}

// Close ends the requests that are under way.
func (r *reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.cancel(fs.ErrClosed)
	if r.list != nil {
		r.list.stop()
	}
	r.drop()
	return nil
}

func (r *reader) Write([]byte) (int, error)          { return 0, r.fail("write", fs.ErrPermission) }
func (r *reader) WriteAt([]byte, int64) (int, error) { return 0, r.fail("write", fs.ErrPermission) }
func (r *reader) WriteString(string) (int, error)    { return 0, r.fail("write", fs.ErrPermission) }
func (r *reader) Truncate(int64) error               { return r.fail("truncate", fs.ErrPermission) }
func (r *reader) Sync() error                        { return nil }
