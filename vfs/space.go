package vfs

import (
	"errors"
	"io/fs"

	"github.com/spf13/afero"
)

// Spacer is a file system that knows how much more can be stored in it.
type Spacer interface {
	// Space returns how many bytes may still be stored in the directory name, or
	// beside the file name. It gives errors.ErrUnsupported where that is not
	// known, as in a bucket, and fs.ErrNotExist where there is nothing of that name.
	Space(name string) (free int64, err error)
}

// Space returns how many bytes may still be stored below name: see [Spacer].
func Space(fsys afero.Fs, name string) (int64, error) {
	if s, ok := fsys.(Spacer); ok {
		return s.Space(name)
	}
	return 0, &fs.PathError{Op: "space", Path: name, Err: errors.ErrUnsupported}
}
