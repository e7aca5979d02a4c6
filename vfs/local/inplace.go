package local

import (
	"os"
	"path/filepath"
)

// upload is what happens at the end of a file that was opened for writing.
// Either method closes f, whatever else fails.
type upload interface {
	commit(f *os.File) error
	// With discard nothing of it is kept.
	abort(f *os.File, discard bool) error
}

// inPlace is an upload into the file itself.
type inPlace struct {
	l    *shared
	rel  string
	base int64 // bytes of the old content that are kept, if not anew
	anew bool
}

func (u *inPlace) commit(f *os.File) error {
	var err error
	if u.l.o.Sync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && u.l.o.Sync {
		err = syncDir(u.l.root, filepath.Dir(u.rel))
	}
	return err
}

func (u *inPlace) abort(f *os.File, discard bool) error {
	var err error
	if discard || u.l.o.Cut == CutDiscard {
		err = u.discard(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func (u *inPlace) discard(f *os.File) error {
	if !u.anew {
		return f.Truncate(u.base)
	}
	// The name may belong to another file by now, or be a link to this one.
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	if named, err := u.l.root.Lstat(u.rel); err != nil || !os.SameFile(ours, named) {
		return f.Truncate(0)
	}
	return u.l.root.Remove(u.rel)
}
