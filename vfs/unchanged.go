package vfs

import "os"

// Versioned is the Sys of a FileInfo whose tree has a name for each content of a file.
type Versioned interface {
	// Version is another one for another content; empty where it is not known.
	Version() string
}

// Unchanged reports whether a file is the one that was looked at before, with the content that it had: by its version, or by
// its size, its time and the disk's number for it.
func Unchanged(was, now os.FileInfo) bool {
	a, ok := was.Sys().(Versioned)
	b, also := now.Sys().(Versioned)
	if ok && also && a.Version() != "" {
		return a.Version() == b.Version()
	}
	x, _ := ID(was)
	y, _ := ID(now)
	return was.Size() == now.Size() && was.ModTime().Equal(now.ModTime()) && x == y
}
