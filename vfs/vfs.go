// Package vfs says what ftp-gateway asks of a file tree beyond afero.Fs.
//
// A file system is an [afero.Fs]: local disks, buckets and anything else that
// implements afero can be served. What a tree can do beyond afero it tells by
// implementing one of the small optional interfaces of this package. Nobody
// asserts these interfaces outside this package: callers use the helper
// functions ([WithContext], [Abort], [OpenAt], [OpenFrom], [Hash], [List], [OSFile],
// [Lstat], [StatFile], [Copy], [Space] and so on), which ask for the interface and otherwise do
// the work in another way, or answer [errors.ErrUnsupported].
//
// Names are slash-separated, absolute ("/a/b") and clean ([path.Clean]); "/"
// is the root of the tree. Whoever takes names from a client cleans them first.
//
// Errors are those of io/fs ([io/fs.ErrNotExist], [io/fs.ErrExist],
// [io/fs.ErrPermission]), [errors.ErrUnsupported] and the few of errors.go,
// wrapped in an [io/fs.PathError] with the name that the caller gave (a Rename
// may use [os.LinkError], which has both).
//
// Where a tree can hold a file and a directory of one name, as buckets can, the
// file is what Open reads, Stat describes and Remove removes; Readdir of the
// opened name, and so List, gives the entries of the directory.
//
// A tree is used by many goroutines at once; a file is used by one.
package vfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/afero"
)

// Contexter is a file system whose work can be called off.
type Contexter interface {
	// WithContext returns the same tree, bound to ctx: what it and the files
	// opened through it do ends early, with the context's cause, when ctx is
	// done. The value is a cheap copy, made for one command and never kept.
	//
	// A context in a struct is normally wrong; the signatures here belong to
	// afero, so it is the exception.
	WithContext(ctx context.Context) afero.Fs
}

// Aborter is a file opened for writing that can be given up.
//
// After Abort a bucket holds what it held before the file was opened; a disk
// may keep the part that arrived, for a resume, if it was told to. Cause says
// why, for the log. A Close or a second Abort after it does nothing and returns
// nil. Abort after a Close that committed does nothing.
type Aborter interface {
	Abort(cause error) error
}

// Resumer is a file system that can go on writing in the middle of a file.
type Resumer interface {
	// OpenAt opens the existing file name for writing from offset on, keeping
	// the bytes before it. An offset of -1 means the end of the file (append)
	// and creates the file where it is missing. What stood behind the offset is
	// given up: the file ends where the writing ended, so that its size always
	// tells how much of the new file is there. An offset behind the end of the
	// file is refused with ErrBadOffset. A refusal leaves the file as it was.
	OpenAt(name string, offset int64) (afero.File, error)
}

// FromOpener is a file system that saves work when it knows, as it opens a file
// for reading, where the reading will begin.
type FromOpener interface {
	// OpenFrom is Open and a Seek to offset. An offset behind the end of the
	// file may be refused with ErrBadOffset, here or at the first Read.
	OpenFrom(name string, offset int64) (afero.File, error)
}

// Hasher knows a file's digest without reading it.
type Hasher interface {
	// Hash returns the digest of the whole file. Algo is a name of the IANA
	// registry in upper case ("SHA-256", "MD5", "CRC32"). It returns
	// errors.ErrUnsupported where the digest is not known.
	Hash(name, algo string) ([]byte, error)
}

// OSFiler is a file that is, underneath, a file of the operating system whose
// bytes are the file's bytes, so that the kernel can move them (sendfile,
// splice). The file's own offset is the place to go on.
type OSFiler interface {
	OSFile() *os.File
	// OSError gives an error that came of using OSFile the meaning that the
	// file's own methods would have given it.
	OSError(op string, err error) error
}

// Publisher is a file opened for writing that can tell whether its Close makes
// visible at once what Abort would have kept away.
type Publisher interface {
	Publishes() bool
}

// Stored tells where the bytes of a file are, for those who look past the server.
type Stored struct {
	Backend  string // the name that the configuration gives the back end
	Bucket   string // empty on a disk
	Key      string // in the bucket; on a disk the file's name there
	Version  string // the version of a versioned bucket, the generation on GCS
	Checksum string // of the whole file: algorithm, colon, lower-case hex
	Size     int64  // of the whole file, in bytes
}

// Storer is a file opened for writing that can tell, once its Close has returned nil, where it is stored.
type Storer interface {
	Stored() Stored
}

// StoredAs tells where f, which was written and closed, is stored, as far as it knows.
func StoredAs(f afero.File) Stored {
	if s, ok := f.(Storer); ok {
		return s.Stored()
	}
	return Stored{}
}

// Releaser is a tree that holds something for the login that it was made for.
type Releaser interface {
	// Release gives it back. The tree is not used afterwards; files that are open may still be.
	Release()
}

// Release tells a tree that its login has ended.
func Release(fsys afero.Fs) {
	if r, ok := fsys.(Releaser); ok {
		r.Release()
	}
}

// Wrapper is what a file system around another one has to be. A wrapper names
// every method, embeds nothing, and forwards through the helpers of this
// package; var _ Wrapper = (*T)(nil) then makes the compiler ask, for every
// capability added later, what the wrapper does with it.
type Wrapper interface {
	afero.Fs
	afero.Symlinker
	Contexter
	Resumer
	FromOpener
	Typed
	Hasher
	Copier
	NewNamer
	Replacer
	Spacer
	Allower
	Aliaser
	Releaser
}

// WithContext binds fsys to ctx, or returns fsys itself where it cannot be bound.
func WithContext(ctx context.Context, fsys afero.Fs) afero.Fs {
	if c, ok := fsys.(Contexter); ok {
		return c.WithContext(ctx)
	}
	return fsys
}

// Abort gives up a file that was opened for writing: see [Aborter]. A file that
// cannot be given up is closed; its name keeps the part that arrived, and the
// error is errors.ErrUnsupported unless closing failed.
func Abort(f afero.File, cause error) error {
	if a, ok := f.(Aborter); ok {
		return a.Abort(cause)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return &fs.PathError{Op: "abort", Path: f.Name(), Err: errors.ErrUnsupported}
}

// OpenAt opens name for writing from offset on: see [Resumer]. A tree that is
// no Resumer is asked through afero: open, compare the size, truncate, seek.
func OpenAt(fsys afero.Fs, name string, offset int64) (afero.File, error) {
	if r, ok := fsys.(Resumer); ok {
		return r.OpenAt(name, offset)
	}
	flag := os.O_WRONLY
	if offset < 0 {
		flag |= os.O_CREATE
	}
	f, err := fsys.OpenFile(name, flag, 0o666)
	if err != nil {
		return nil, err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && (offset > end || offset < -1) {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrBadOffset}
	}
	if err == nil && offset >= 0 && offset < end {
		err = f.Truncate(offset)
	}
	if err == nil && offset >= 0 {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// OpenFrom opens name for reading from offset on: see [FromOpener].
func OpenFrom(fsys afero.Fs, name string, offset int64) (afero.File, error) {
	if o, ok := fsys.(FromOpener); ok {
		return o.OpenFrom(name, offset)
	}
	f, err := fsys.Open(name)
	if err == nil && offset != 0 {
		if _, err = f.Seek(offset, io.SeekStart); err != nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Hash returns the digest of a whole file where the tree knows it without
// reading, and errors.ErrUnsupported where it does not.
func Hash(fsys afero.Fs, name, algo string) ([]byte, error) {
	if h, ok := fsys.(Hasher); ok {
		return h.Hash(name, algo)
	}
	return nil, &fs.PathError{Op: "hash", Path: name, Err: errors.ErrUnsupported}
}

// OSFile returns the operating system's file behind f, or nil where there is none.
func OSFile(f afero.File) *os.File {
	switch f := f.(type) {
	case *os.File:
		return f
	case OSFiler:
		return f.OSFile()
	}
	return nil
}

// Publishes reports whether closing f makes its bytes visible, so that an upload
// that was cut must not be closed. A file whose bytes are where they
// belong as they are written, as in the classic ftpd, says no.
func Publishes(f afero.File) bool {
	if p, ok := f.(Publisher); ok {
		return p.Publishes()
	}
	_, ok := f.(Aborter)
	return ok
}

// OSError gives an error that came of using OSFile(f) the meaning that f's own methods would have given it.
func OSError(f afero.File, op string, err error) error {
	if o, ok := f.(OSFiler); ok {
		return o.OSError(op, err)
	}
	return err
}

// Lstat describes name itself where the tree has symbolic links, and otherwise
// what Stat describes.
func Lstat(fsys afero.Fs, name string) (os.FileInfo, error) {
	if l, ok := fsys.(afero.Lstater); ok {
		fi, _, err := l.LstatIfPossible(name)
		return fi, err
	}
	return fsys.Stat(name)
}

// Readlink returns the target of a symbolic link as it is written in the link,
// and errors.ErrUnsupported where the tree has no links.
func Readlink(fsys afero.Fs, name string) (string, error) {
	if l, ok := fsys.(afero.LinkReader); ok {
		return l.ReadlinkIfPossible(name)
	}
	return "", &fs.PathError{Op: "readlink", Path: name, Err: errors.ErrUnsupported}
}

// Symlink makes newname a symbolic link to oldname, and returns
// errors.ErrUnsupported where the tree has no links.
func Symlink(fsys afero.Fs, oldname, newname string) error {
	if l, ok := fsys.(afero.Linker); ok {
		return l.SymlinkIfPossible(oldname, newname)
	}
	return &fs.PathError{Op: "symlink", Path: newname, Err: errors.ErrUnsupported}
}
