package vfs

import (
	"io/fs"
	"os"

	"github.com/spf13/afero"
)

// Typed is a tree that is asked for a file or for a directory, not for a name.
//
// FTP commands know what they mean: SIZE and DELE a file, CWD and RMD a
// directory. In a bucket the two are different questions ("a" and "a/"), both
// may exist at once, and asking only one of them saves a request.
//
// What is of the other kind gives ErrIsDir or ErrNotDir, or fs.ErrNotExist
// where telling the difference would cost another request.
type Typed interface {
	// StatFile describes a file.
	StatFile(name string) (os.FileInfo, error)
	// StatDir describes a directory.
	StatDir(name string) (os.FileInfo, error)
	// RemoveFile removes a file, never a directory.
	RemoveFile(name string) error
	// RemoveDir removes an empty directory, never a file; one with entries gives ErrNotEmpty.
	RemoveDir(name string) error
}

// StatFile describes the file name: see [Typed].
func StatFile(fsys afero.Fs, name string) (os.FileInfo, error) {
	if t, ok := fsys.(Typed); ok {
		return t.StatFile(name)
	}
	fi, err := fsys.Stat(name)
	if err == nil && fi.IsDir() {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: ErrIsDir}
	}
	return fi, err
}

// StatDir describes the directory name: see [Typed].
func StatDir(fsys afero.Fs, name string) (os.FileInfo, error) {
	if t, ok := fsys.(Typed); ok {
		return t.StatDir(name)
	}
	fi, err := fsys.Stat(name)
	if err == nil && !fi.IsDir() {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: ErrNotDir}
	}
	return fi, err
}

// RemoveFile removes the file name: see [Typed].
func RemoveFile(fsys afero.Fs, name string) error {
	if t, ok := fsys.(Typed); ok {
		return t.RemoveFile(name)
	}
	fi, err := Lstat(fsys, name)
	if err == nil && fi.IsDir() {
		err = &fs.PathError{Op: "remove", Path: name, Err: ErrIsDir}
	}
	if err != nil {
		return err
	}
	return fsys.Remove(name)
}

// RemoveDir removes the empty directory name: see [Typed].
func RemoveDir(fsys afero.Fs, name string) error {
	if t, ok := fsys.(Typed); ok {
		return t.RemoveDir(name)
	}
	fi, err := Lstat(fsys, name)
	if err == nil && !fi.IsDir() {
		err = &fs.PathError{Op: "remove", Path: name, Err: ErrNotDir}
	}
	if err != nil {
		return err
	}
	return fsys.Remove(name)
}
