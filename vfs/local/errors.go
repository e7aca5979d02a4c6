package local

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// fail makes an error for the caller: the name is the one that the caller gave,
// the kind one that package vfs knows.
func (s *shared) fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: s.kind(err)}
}

// failIO does the same for the bytes of an open file, and leaves io.EOF alone:
// readers compare it. EINVAL there speaks of an offset, not of the name.
func (s *shared) failIO(op, name string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if cause := bare(err); cause == syscall.EINVAL {
		return &fs.PathError{Op: op, Path: name, Err: &sysError{vfs.ErrBadOffset, cause}}
	}
	return s.fail(op, name, err)
}

// kind is the only place where the system's errors are given a meaning.
func (s *shared) kind(err error) error {
	cause := bare(err)
	if cause == s.escapes {
		return &sysError{fs.ErrPermission, cause}
	}
	var errno syscall.Errno
	if !errors.As(cause, &errno) {
		return cause
	}
	if kind, ok := kinds[errno]; ok {
		return &sysError{kind, errno}
	}
	// What is left has at most one meaning, and the system knows it.
	return errno
}

// sysError has a meaning for the caller and the system's words for the log. It
// is not the errno: package syscall takes ENOTEMPTY for fs.ErrExist, too.
type sysError struct{ kind, cause error }

func (e *sysError) Error() string { return e.cause.Error() }
func (e *sysError) Unwrap() error { return e.kind }

// bare takes off what packages os and syscall put around an error: operation
// and name, which are not the caller's.
func bare(err error) error {
	for {
		switch e := err.(type) {
		case *fs.PathError:
			err = e.Err
		case *os.LinkError:
			err = e.Err
		case *os.SyscallError:
			err = e.Err
		default:
			return err
		}
	}
}

// escapeError gets the error that os.Root has for a name that leads out. Package
// os does not export it, but gives the same value every time.
func escapeError(root *os.Root) error {
	_, err := root.Lstat("..")
	return bare(err)
}
