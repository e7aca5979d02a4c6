package protocol

import (
	"errors"
	"io/fs"
	"path"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// maxParents bounds how many missing directories one command makes: devices
// make trees of dates, no deeper ones.
const maxParents = 32

// withParents runs do, and where that finds a directory missing and the profile says so, makes
// dir and what is missing above it, and tries once more. Trees that need no
// directories, as buckets, are asked nothing more than without. What was made is added to made, for tellMade: this
// may run beside the session.
func (s *session) withParents(fsys afero.Fs, dir string, made *[]string, do func() error) error {
	err := do()
	if err == nil || !s.profile.MakeParents || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	any, merr := s.makeDirs(fsys, dir, made, maxParents)
	switch {
	case merr != nil:
		return merr
	case !any:
		return err // something else is missing
	}
	s.log.Info("made missing directories", "path", dir)
	return do()
}

// tellMade tells the hooks of directories that were made on the way.
func (s *session) tellMade(made *[]string) {
	for _, dir := range *made {
		s.changed("MKD", dir, "")
	}
	*made = nil
}

// makeDirs makes a directory and those above it, as far as they are missing, and reports whether it
// made any. The user must be allowed to make each of them.
func (s *session) makeDirs(fsys afero.Fs, dir string, made *[]string, depth int) (bool, error) {
	missing := &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrNotExist}
	if depth == 0 || dir == "/" || !s.account.Permissions.AtFile(dir).Has(auth.PermMkdir) {
		return false, missing
	}
	err := fsys.Mkdir(dir, 0o777&^s.files.umask)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err = s.makeDirs(fsys, path.Dir(dir), made, depth-1); err == nil {
			err = fsys.Mkdir(dir, 0o777&^s.files.umask)
		}
	}
	if errors.Is(err, fs.ErrExist) { // it was not the directory that was missing, or another session was faster
		_, err = vfs.StatDir(fsys, dir)
		return false, err
	}
	if err == nil {
		*made = append(*made, dir)
	}
	return err == nil, err
}
