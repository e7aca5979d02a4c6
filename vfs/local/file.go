package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// File is an open file or directory. It is used by one goroutine.
type File struct {
	l    *FS
	f    *os.File
	name string
	up   upload // nil for what was opened for reading
	err  error  // the first error of writing: such a file is not committed
	done bool   // closed or given up
	size int64  // when it was committed
}

var (
	_ afero.File  = (*File)(nil)
	_ vfs.Aborter = (*File)(nil)
	_ vfs.OSFiler = (*File)(nil)
	_ vfs.Storer  = (*File)(nil)
)

// OSFile returns the system's file, so that the kernel can move the bytes. What
// is written through it is committed by Close like the rest; it must not be
// closed itself.
func (f *File) OSFile() *os.File { return f.f }

// Stored implements vfs.Storer: the key is the file's name for the system.
func (f *File) Stored() vfs.Stored {
	return vfs.Stored{Backend: f.l.o.Name, Key: filepath.Join(f.l.o.Root, filepath.FromSlash(f.name)), Size: f.size}
}

// Publishes reports whether Close and Abort leave different things behind.
func (f *File) Publishes() bool {
	_, aside := f.up.(*aside)
	return aside || f.up != nil && f.l.o.Cut == CutDiscard
}

// OSError gives an error of the file behind OSFile the meaning that Read and
// Write give it, and remembers it as they do: a file whose bytes did not all
// arrive is not committed.
func (f *File) OSError(op string, err error) error {
	return f.keep(f.l.failIO(op, f.name, err))
}

// Name returns the name that the file was opened with.
func (f *File) Name() string { return f.name }

// ready ends an operation whose context is done, or on a file that is closed.
func (f *File) ready(op string) error {
	switch {
	case f.done:
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	case f.l.ctx.Err() != nil:
		return &fs.PathError{Op: op, Path: f.name, Err: context.Cause(f.l.ctx)}
	}
	return nil
}

// Close commits a file that was opened for writing: when it returns nil the file
// is as durable as [Options] say. If a write failed or the context is done, the
// file is given up instead, and the error is that one.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	if f.up == nil {
		f.done = true
		return f.l.failIO("close", f.name, f.f.Close())
	}
	err := f.err
	if err == nil {
		err = f.ready("close")
	}
	f.done = true
	if err != nil {
		_ = f.up.abort(f.f, false) // the error that counts is the first
		return err
	}
	if fi, err := f.f.Stat(); err == nil {
		f.size = fi.Size()
	}
	return f.l.failIO("close", f.name, f.up.commit(f.f))
}

// Abort gives up a file that was opened for writing: see [Options]. It works
// with a context that is done, too.
func (f *File) Abort(cause error) error {
	if f.done {
		return nil
	}
	f.done = true
	if f.up == nil {
		return f.l.failIO("abort", f.name, f.f.Close())
	}
	// What does not fit is not resumed.
	hopeless := errors.Is(cause, vfs.ErrTooLarge) || errors.Is(cause, vfs.ErrQuota)
	return f.l.failIO("abort", f.name, f.up.abort(f.f, hopeless))
}

// Read reads the next bytes.
func (f *File) Read(p []byte) (int, error) {
	if err := f.ready("read"); err != nil {
		return 0, err
	}
	n, err := f.f.Read(p)
	return n, f.l.failIO("read", f.name, err)
}

// ReadAt reads bytes from off on.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if err := f.ready("read"); err != nil {
		return 0, err
	}
	n, err := f.f.ReadAt(p, off)
	return n, f.l.failIO("read", f.name, err)
}

// Seek sets the offset for the next Read or Write.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	if err := f.ready("seek"); err != nil {
		return 0, err
	}
	n, err := f.f.Seek(offset, whence)
	return n, f.l.failIO("seek", f.name, err)
}

// Write writes at the offset.
func (f *File) Write(p []byte) (int, error) {
	if err := f.ready("write"); err != nil {
		return 0, f.keep(err)
	}
	n, err := f.f.Write(p)
	return n, f.keep(f.l.failIO("write", f.name, err))
}

// WriteAt writes from off on.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if err := f.ready("write"); err != nil {
		return 0, f.keep(err)
	}
	n, err := f.f.WriteAt(p, off)
	return n, f.keep(f.l.failIO("write", f.name, err))
}

// WriteString writes a string at the offset.
func (f *File) WriteString(s string) (int, error) {
	if err := f.ready("write"); err != nil {
		return 0, f.keep(err)
	}
	n, err := io.WriteString(f.f, s)
	return n, f.keep(f.l.failIO("write", f.name, err))
}

// keep remembers the first error of writing.
func (f *File) keep(err error) error {
	if f.err == nil && !f.done {
		f.err = err
	}
	return err
}

// Truncate changes the size.
func (f *File) Truncate(size int64) error {
	if err := f.ready("truncate"); err != nil {
		return err
	}
	return f.l.failIO("truncate", f.name, f.f.Truncate(size))
}

// Sync flushes what was written to the disk. It commits nothing.
func (f *File) Sync() error {
	if err := f.ready("sync"); err != nil {
		return err
	}
	return f.l.failIO("sync", f.name, f.f.Sync())
}

// Stat describes the file.
func (f *File) Stat() (os.FileInfo, error) {
	if err := f.ready("stat"); err != nil {
		return nil, err
	}
	fi, err := f.f.Stat()
	if err != nil {
		return nil, f.l.failIO("stat", f.name, err)
	}
	return fileInfo{fi, path.Base(path.Clean("/" + f.name))}, nil
}

// fileInfo is a FileInfo under the name that the client knows.
type fileInfo struct {
	os.FileInfo
	name string
}

func (fi fileInfo) Name() string { return fi.name }

// Readdir returns the next entries of a directory, as they are themselves
// (links are not followed); hidden files of uploads are left out.
func (f *File) Readdir(n int) ([]os.FileInfo, error) {
	return entries(f, n, f.f.Readdir, os.FileInfo.Name)
}

// Readdirnames returns the names of the next entries.
func (f *File) Readdirnames(n int) ([]string, error) {
	return entries(f, n, f.f.Readdirnames, func(s string) string { return s })
}

// entries reads until there is something to show: a page may be all hidden.
func entries[E any](f *File, n int, read func(int) ([]E, error), name func(E) string) ([]E, error) {
	for {
		if err := f.ready("readdir"); err != nil {
			return nil, err
		}
		page, err := read(n)
		shown := page[:0]
		for _, e := range page {
			if !isTemp(name(e)) {
				shown = append(shown, e)
			}
		}
		if len(shown) > 0 || err != nil || n <= 0 {
			return shown, f.l.failIO("readdir", f.name, err)
		}
	}
}
