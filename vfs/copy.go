package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/afero"
)

// Copier is a file system that copies a file without its bytes going through this program.
type Copier interface {
	// Copy gives the file newname the content that oldname has. Until the copy is
	// whole newname holds what it held before, and so it does after a failure. A
	// file that has the name newname is replaced; a directory gives ErrIsDir. A directory
	// oldname gives ErrIsDir, or fs.ErrNotExist where telling the difference
	// would cost a request. A file is not copied onto itself: fs.ErrExist.
	// errors.ErrUnsupported means that the bytes have to be moved, and changes nothing.
	Copy(oldname, newname string) error
}

// Replacer is a file system that can write a file anew without anybody seeing the part of it,
// even if it is otherwise told to write files in place.
type Replacer interface {
	// Replace opens a file for writing, empty. What is written appears under
	// its name at Close, whole; until then, and after Abort, the name holds what it held before.
	Replace(name string) (afero.File, error)
}

// Copy copies a file within a tree: see [Copier]. Where the tree does not do it by itself the
// bytes are read and written again.
func Copy(fsys afero.Fs, oldname, newname string) error {
	if c, ok := fsys.(Copier); ok {
		if err := c.Copy(oldname, newname); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if clean(oldname) == clean(newname) {
		if _, err := StatFile(fsys, oldname); err != nil {
			return err
		}
		return &os.LinkError{Op: "copy", Old: oldname, New: newname, Err: fs.ErrExist}
	}
	return copyBytes(fsys, oldname, fsys, newname)
}

// Replace opens a file for writing, empty: see [Replacer]. A tree that is no
// Replacer is asked for an ordinary file; what an Abort of it leaves, the tree decides.
func Replace(fsys afero.Fs, name string) (afero.File, error) {
	if r, ok := fsys.(Replacer); ok {
		return r.Replace(name)
	}
	return fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
}

// copyBytes reads a file of one tree and writes it into another, which may be the same.
func copyBytes(src afero.Fs, oldname string, dst afero.Fs, newname string) error {
	r, err := OpenFrom(src, oldname, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	// Buckets open what they know for a directory without a request: look before newname is touched.
	if fi, err := r.Stat(); err != nil {
		return err
	} else if fi.IsDir() {
		return &fs.PathError{Op: "copy", Path: oldname, Err: ErrIsDir}
	}
	w, err := Replace(dst, newname)
	if err != nil {
		return err
	}
	// Hidden behind plain interfaces: io.Copy would find a ReadFrom that splits the errors' owners wrongly.
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	if err != nil {
		if aerr := Abort(w, err); aerr != nil && !errors.Is(aerr, errors.ErrUnsupported) {
			err = errors.Join(err, aerr)
		}
		return err
	}
	return w.Close()
}
