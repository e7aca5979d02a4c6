package local

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// renameNew is a rename that replaces nothing. The directories are looked up by os.Root, so that they are inside of it; what
// is left of the names has no way out, as the call follows no link at the end of a name.
func renameNew(root *os.Root, oldrel, newrel string) error {
	const flags = unix.O_PATH | unix.O_DIRECTORY // one may have no right to read them
	from, err := root.OpenFile(filepath.Dir(oldrel), flags, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := root.OpenFile(filepath.Dir(newrel), flags, 0)
	if err != nil {
		return err
	}
	defer to.Close()
	err = unix.Renameat2(int(from.Fd()), filepath.Base(oldrel), int(to.Fd()), filepath.Base(newrel), unix.RENAME_NOREPLACE)
	if err == unix.EINVAL { // a file system that cannot, or a directory into itself, which the usual way finds out
		err = errors.ErrUnsupported
	}
	return err
}
