package vfs

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/afero"
)

// NewNamer is a file system that renames and copies only to names that nobody has, and sees to it
// in the same step.
type NewNamer interface {
	// RenameNew is Rename of a file; a name that exists gives fs.ErrExist, and nothing changes.
	RenameNew(oldname, newname string) error
	// CopyNew is Copy; a name that exists gives fs.ErrExist, and nothing changes.
	CopyNew(oldname, newname string) error
}

// RenameNew renames a file, or a directory, to a name that nobody has: see [NewNamer]. A tree that cannot do
// it in one step is looked at first; who takes the name in between loses it.
func RenameNew(fsys afero.Fs, oldname, newname string) error {
	if n, ok := fsys.(NewNamer); ok {
		if err := n.RenameNew(oldname, newname); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if err := isNew("rename", fsys, oldname, newname); err != nil {
		return err
	}
	return fsys.Rename(oldname, newname)
}

// CopyNew copies a file to a name that nobody has: see [NewNamer] and RenameNew.
func CopyNew(fsys afero.Fs, oldname, newname string) error {
	if n, ok := fsys.(NewNamer); ok {
		if err := n.CopyNew(oldname, newname); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if err := isNew("copy", fsys, oldname, newname); err != nil {
		return err
	}
	return Copy(fsys, oldname, newname)
}

func isNew(op string, fsys afero.Fs, oldname, newname string) error {
	_, err := Lstat(fsys, newname)
	if err == nil {
		err = fs.ErrExist
	} else if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &os.LinkError{Op: op, Old: oldname, New: newname, Err: err}
}
