package local

import (
	"os"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var _ vfs.NewNamer = (*FS)(nil)

// RenameNew implements vfs.NewNamer where the system and the file system do it in one step, and
// is errors.ErrUnsupported elsewhere.
func (l *FS) RenameNew(oldname, newname string) error {
	return l.rename(oldname, newname, func(oldrel, newrel string) error { return renameNew(l.root, oldrel, newrel) })
}

// CopyNew implements vfs.NewNamer: see [FS.Copy].
func (l *FS) CopyNew(oldname, newname string) error {
	return l.copyTo(oldname, newname, os.O_EXCL)
}
