package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var (
	_ vfs.Copier   = (*FS)(nil)
	_ vfs.Replacer = (*FS)(nil)
)

// Copy copies a file: see [vfs.Copier]. The kernel moves the bytes, or shares them
// where the file system can; the copy grows in a hidden file also without
// [Options.Atomic]. It gets the old file's permission bits, unless it replaces a file: then that one's stay.
func (l *FS) Copy(oldname, newname string) error { return l.copyTo(oldname, newname, 0) }

// copyTo is Copy with further flags for the opening of the copy.
func (l *FS) copyTo(oldname, newname string, flag int) error {
	if err := l.copyFile(oldname, newname, flag); err != nil {
		if e, ok := err.(*fs.PathError); ok {
			err = e.Err
		}
		return &os.LinkError{Op: "copy", Old: oldname, New: newname, Err: l.kind(err)}
	}
	return nil
}

func (l *FS) copyFile(oldname, newname string, flag int) error {
	oldrel, err := l.in("copy", oldname)
	if err != nil {
		return err
	}
	newrel, err := l.in("copy", newname)
	if err != nil {
		return err
	}
	src, fi, err := l.open(oldrel, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	if fi.IsDir() || newrel == "." {
		return vfs.ErrIsDir
	}
	if err := blocking(src); err != nil {
		return err
	}
	if old, err := l.root.Stat(newrel); err == nil && os.SameFile(old, fi) {
		return fs.ErrExist
	}
	dst, err := l.replace(newname, newrel, fi.Mode().Perm(), flag)
	if err != nil {
		return err
	}
	if err := l.copySteps(dst.f, src); err != nil {
		return errors.Join(err, dst.Abort(err))
	}
	return dst.Close()
}

// copySteps copies to the end of src. Between two steps the context is looked at.
func (l *FS) copySteps(dst, src *os.File) error {
	for {
		if l.ctx.Err() != nil {
			return context.Cause(l.ctx)
		}
		// On Linux this is copy_file_range.
		_, err := io.CopyN(dst, src, copyStep)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Replace opens a file for writing that appears whole, as with [Options.Atomic].
func (l *FS) Replace(name string) (afero.File, error) {
	rel, err := l.inside("open", name)
	if err != nil {
		if rel == "." {
			err = &fs.PathError{Op: "open", Path: name, Err: vfs.ErrIsDir}
		}
		return nil, err
	}
	f, err := l.replace(name, rel, 0o666, 0)
	if err != nil {
		return nil, l.fail("open", name, err)
	}
	return f, nil
}

func (l *FS) replace(name, rel string, perm os.FileMode, flag int) (*File, error) {
	o := opening{l: l, name: name, rel: rel, flag: os.O_WRONLY | os.O_CREATE | os.O_TRUNC | flag, perm: perm, anew: true}
	return o.aside()
}
