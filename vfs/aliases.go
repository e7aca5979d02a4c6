package vfs

import "github.com/spf13/afero"

// Aliaser is a file system in which one directory can have several names: because the case of letters does not count, by
// symbolic links, by short names.
type Aliaser interface {
	// SameDir reports whether both names are, now, of one existing directory. Names that are equal need not be asked about.
	SameDir(a, b string) bool
}

// SameDir reports whether two clean names are of one directory: see [Aliaser]. In a tree that is none each directory has one name.
func SameDir(fsys afero.Fs, a, b string) bool {
	if a == b {
		return true
	}
	s, ok := fsys.(Aliaser)
	return ok && s.SameDir(a, b)
}
