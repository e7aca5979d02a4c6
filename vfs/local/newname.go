package local

import (
	"errors"
	"os"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var _ vfs.NewNamer = (*FS)(nil)

// RenameNew implements vfs.NewNamer where the system and the file system do it in one step, and
// is errors.ErrUnsupported elsewhere.
func (l *FS) RenameNew(oldname, newname string) error {
	oldrel, err := l.inside("rename", oldname)
	if err != nil {
		return err
	}
	newrel, err := l.inside("rename", newname)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: errors.Unwrap(err)}
	}
	if err := renameNew(l.root, oldrel, newrel); err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: l.kind(err)}
	}
	return l.syncParents(newname, oldrel, newrel)
}

// CopyNew implements vfs.NewNamer: see [FS.Copy].
func (l *FS) CopyNew(oldname, newname string) error {
	return l.copyTo(oldname, newname, os.O_EXCL)
}
