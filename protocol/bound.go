package protocol

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// freeEvery is how much an upload writes before the free space is looked at again.
const freeEvery = 4 << 20

// bound is what an upload may still write. It belongs to the transfer's goroutine; nil is no bound.
type bound struct {
	left  int64        // bytes before the file is too large
	look  func() error // at the free space, or nil
	since int64        // bytes since it was looked at
}

// maxFileSize is the largest file that the user may store.
func (s *session) maxFileSize() int64 {
	limit := int64(math.MaxInt64)
	for _, n := range []int64{s.srv.MaxFileSize, s.account.Limits.FileSize} {
		if n > 0 {
			limit = min(limit, n)
		}
	}
	return limit
}

// bounded reports whether there is any limit to what the user may store.
func (s *session) bounded() bool { return s.maxFileSize() < math.MaxInt64 || s.srv.MinFree > 0 }

// limits makes the bound of an upload at the offset, -1 for the end, of the file p. What is announced, -1 for nothing, and does not
// fit is refused.
func (s *session) limits(fsys afero.Fs, p string, offset, announced int64) (*bound, error) {
	if !s.bounded() {
		return nil, nil
	}
	limit := s.maxFileSize()
	b := &bound{left: limit}
	if limit < math.MaxInt64 && offset != 0 {
		if offset < 0 {
			switch fi, err := vfs.StatFile(fsys, p); {
			case errors.Is(err, fs.ErrNotExist):
				offset = 0
			case err != nil:
				return nil, err
			default:
				offset = fi.Size()
			}
		}
		b.left -= offset
	}
	if b.left < max(0, announced) {
		return nil, b.tooLarge()
	}
	if s.srv.MinFree > 0 {
		b.look = func() error { return s.srv.room(fsys, path.Dir(p), 0) }
		if err := s.srv.room(fsys, path.Dir(p), max(0, announced)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bound) tooLarge() error {
	return fmt.Errorf("larger than the limit of file sizes: %w", vfs.ErrTooLarge)
}

// room reports with vfs.ErrFull that less than n bytes and Server.MinFree are free where dir is, or will be. Trees that do
// not know have room.
func (s *Server) room(fsys afero.Fs, dir string, n int64) error {
	free, err := vfs.Space(fsys, dir)
	for errors.Is(err, fs.ErrNotExist) && dir != "/" {
		dir = path.Dir(dir)
		free, err = vfs.Space(fsys, dir)
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case free-n < s.MinFree:
		return &fs.PathError{Op: "free space", Path: dir, Err: fmt.Errorf("%d bytes are left: %w", free, vfs.ErrFull)}
	}
	return nil
}

// fits reports whether a file of n bytes can be stored in the working directory, as far as that is known.
func (s *session) fits(n int64) error {
	if s.account == nil {
		return nil
	}
	if n > s.maxFileSize() {
		return fmt.Errorf("announced %d bytes: %w", n, vfs.ErrTooLarge)
	}
	fsys, done := s.bound()
	defer done()
	left, err := vfs.Allowance(fsys, s.cwd)
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case n > left:
		return &fs.PathError{Op: "allocate", Path: s.cwd, Err: fmt.Errorf("%d bytes of %d: %w", n, left, vfs.ErrQuota)}
	}
	if s.srv.MinFree > 0 {
		return s.srv.room(fsys, s.cwd, n)
	}
	return nil
}

// next is how much may be written before take is asked again: a byte more than fits, so that it is noticed.
func (b *bound) next(most int64) int64 {
	if b == nil {
		return most
	}
	if b.look != nil {
		most = min(most, freeEvery)
	}
	return min(most-1, max(b.left, 0)) + 1 // what is left can be all that an int64 holds
}

// take counts n bytes that are about to be written, or have been.
func (b *bound) take(n int64) error {
	if b == nil {
		return nil
	}
	if b.left -= n; b.left < 0 {
		return b.tooLarge()
	}
	if b.since += n; b.look != nil && b.since >= freeEvery {
		b.since = 0
		return b.look()
	}
	return nil
}

// boundWriter asks the bound before each write.
type boundWriter struct {
	w     io.Writer
	limit *bound
}

func (w *boundWriter) Write(b []byte) (int, error) {
	if err := w.limit.take(int64(len(b))); err != nil {
		return 0, err
	}
	return w.w.Write(b)
}
