package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/afero"
)

// renamed is a file of an inner tree under the name that the outer tree has for
// it. It exists because Name and the errors of the inner file would tell where
// the subtree lies. What the inner file can do beyond afero stays reachable:
// the kernel still moves the bytes (OSFile), and an upload can be given up.
type renamed struct {
	f    afero.File
	name string
}

var (
	_ afero.File = (*renamed)(nil)
	_ Aborter    = (*renamed)(nil)
	_ OSFiler    = (*renamed)(nil)
	_ Publisher  = (*renamed)(nil)
	_ Storer     = (*renamed)(nil)
)

func (f *renamed) Abort(cause error) error { return rename(f.name, Abort(f.f, cause)) }
func (f *renamed) Publishes() bool         { return Publishes(f.f) }
func (f *renamed) Stored() Stored          { return StoredAs(f.f) }
func (f *renamed) OSFile() *os.File        { return OSFile(f.f) }
func (f *renamed) OSError(op string, err error) error {
	return rename(f.name, OSError(f.f, op, err))
}

func (f *renamed) Name() string               { return f.name }
func (f *renamed) Close() error               { return rename(f.name, f.f.Close()) }
func (f *renamed) Sync() error                { return rename(f.name, f.f.Sync()) }
func (f *renamed) Truncate(size int64) error  { return rename(f.name, f.f.Truncate(size)) }
func (f *renamed) Read(p []byte) (int, error) { n, err := f.f.Read(p); return n, rename(f.name, err) }

func (f *renamed) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	return n, rename(f.name, err)
}

func (f *renamed) Seek(offset int64, whence int) (int64, error) {
	n, err := f.f.Seek(offset, whence)
	return n, rename(f.name, err)
}

func (f *renamed) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	return n, rename(f.name, err)
}

func (f *renamed) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, rename(f.name, err)
}

func (f *renamed) WriteString(s string) (int, error) {
	n, err := f.f.WriteString(s)
	return n, rename(f.name, err)
}

func (f *renamed) Readdir(n int) ([]os.FileInfo, error) {
	fis, err := f.f.Readdir(n)
	return fis, rename(f.name, err)
}

func (f *renamed) Readdirnames(n int) ([]string, error) {
	names, err := f.f.Readdirnames(n)
	return names, rename(f.name, err)
}

func (f *renamed) Stat() (os.FileInfo, error) {
	fi, err := f.f.Stat()
	return asRoot(f.name, fi), rename(f.name, err)
}

// rename gives an error of an inner tree the name that the caller knows. An
// io.EOF stays as it is: readers compare it.
func rename(name string, err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *fs.PathError:
		return &fs.PathError{Op: e.Op, Path: name, Err: e.Err}
	}
	if err == io.EOF || !hasName(err) {
		return err
	}
	return &fs.PathError{Op: "access", Path: name, Err: err}
}

// renameLink does for a rename of oldname to newname what rename does for one name.
func renameLink(oldname, newname string, err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *os.LinkError:
		return &os.LinkError{Op: e.Op, Old: oldname, New: newname, Err: e.Err}
	case *fs.PathError:
		return &os.LinkError{Op: e.Op, Old: oldname, New: newname, Err: e.Err}
	}
	return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
}

// copyError does for a copy what renameLink does for a rename.
func copyError(oldname, newname string, err error) error {
	if e, ok := err.(*fs.PathError); ok {
		err = &os.LinkError{Op: "copy", Old: oldname, New: newname, Err: e.Err}
	}
	return renameLink(oldname, newname, err)
}

// hasName reports whether err has an inner name somewhere in its chain, so that
// the name that the caller gave has to be said in front of it.
func hasName(err error) bool {
	var pe *fs.PathError
	var le *os.LinkError
	return errors.As(err, &pe) || errors.As(err, &le)
}

// asRoot hides the inner name of the directory that has become a root.
func asRoot(name string, fi os.FileInfo) os.FileInfo {
	if name != "/" || fi == nil {
		return fi
	}
	return namedInfo{FileInfo: fi, name: "/"}
}

// namedInfo is a FileInfo under another name. A FileInfo is a value without
// optional methods, so here, unlike for files and trees, embedding loses nothing.
type namedInfo struct {
	os.FileInfo
	name string
}

func (fi namedInfo) Name() string { return fi.name }
