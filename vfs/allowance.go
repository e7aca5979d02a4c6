package vfs

import (
	"errors"
	"io/fs"

	"github.com/spf13/afero"
)

// Allower is a file system that bounds how much its user may store.
type Allower interface {
	// Allowance returns how many bytes the user may still store where name is. It gives
	// errors.ErrUnsupported where nothing is bounded.
	Allowance(name string) (left int64, err error)
}

// Allowance returns how many bytes the user may still store where name is: see [Allower].
func Allowance(fsys afero.Fs, name string) (int64, error) {
	if a, ok := fsys.(Allower); ok {
		return a.Allowance(name)
	}
	return 0, &fs.PathError{Op: "allowance", Path: name, Err: errors.ErrUnsupported}
}
