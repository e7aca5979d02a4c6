package local

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var _ vfs.Spacer = (*FS)(nil)

// Space returns how much room the volume of the directory name has, or that of
// the directory in which the file name is: see [vfs.Spacer]. Where the system
// has quotas it may be less.
func (l *FS) Space(name string) (int64, error) {
	rel, err := l.in("space", name)
	if err != nil {
		return 0, err
	}
	free, err := l.space(rel)
	if err != nil {
		return 0, l.fail("space", name, err)
	}
	return free, nil
}

func (l *FS) space(rel string) (int64, error) {
	fi, err := l.root.Stat(rel)
	if err != nil {
		return 0, err
	}
	if !fi.IsDir() {
		rel = filepath.Dir(rel)
	}
	d, err := l.root.OpenFile(rel, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return 0, err
	}
	free, err := freeSpace(d)
	return free, errors.Join(err, d.Close())
}
