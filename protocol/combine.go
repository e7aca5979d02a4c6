package protocol

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// cmdCOMB puts parts together, as the servers do that brought it up: "COMB target part part …". What the
// parts hold is appended to the target, which need not exist, and then they are removed. 250 once the
// target is durable; until then it holds what it held before, and the parts are all there. Names with spaces are in quotes. 501
// for less than two names or the target among the parts.
func (s *session) cmdCOMB(arg string) {
	list, ok := names(arg)
	if !ok || len(list) < 2 {
		s.reply(501, "A target and its parts are needed, names with spaces in quotes")
		return
	}
	for i, name := range list {
		if list[i], ok = resolve(s.cwd, name); !ok {
			s.reply(501, "Invalid path")
			return
		}
	}
	c := combining{target: list[0], parts: list[1:]}
	if slices.Contains(c.parts, c.target) {
		s.reply(501, "The target is one of its parts")
		return
	}
	for _, p := range c.parts {
		if !s.allowed(auth.PermRead, p) || !s.allowed(auth.PermDelete, p) {
			return
		}
	}
	perm := s.account.Permissions.AtFile(c.target)
	if !perm.Has(auth.PermAppend) && !perm.Has(auth.PermWrite) {
		s.reply(550, "Not enough privileges")
		return
	}
	c.mayAppend, c.mayWrite = perm.Has(auth.PermAppend), perm.Has(auth.PermWrite)
	c.limits = func(fsys afero.Fs, offset int64) (*bound, error) { return s.limits(fsys, c.target, offset, -1) }
	var left map[string]error // written by the work before its end, read behind it
	s.beginWork("COMB", c.target, work{
		do: func(t *transfer, fsys afero.Fs) (a answer, err error) {
			if left, err = c.run(t, fsys); err != nil {
				return answer{}, err
			}
			for p, err := range left {
				s.log.Warn("COMB: a part could not be removed", "path", p, "err", err)
			}
			if len(left) > 0 {
				return answer{250, fmt.Sprintf("Combined, but %d parts could not be removed", len(left))}, nil
			}
			return answer{250, "Combined"}, nil
		},
		changes: func() {
			for _, p := range c.parts {
				s.changed("COMB", p, c.target)
			}
			gone := map[string]bool{}
			for _, p := range c.parts {
				if left[p] == nil && !gone[p] {
					gone[p] = true
					s.changed("DELE", p, "")
				}
			}
		},
	})
}

// combining is one COMB.
type combining struct {
	target              string
	parts               []string
	mayAppend, mayWrite bool
	limits              func(fsys afero.Fs, offset int64) (*bound, error) // what the target may hold: see session.limits
}

// run returns the parts that could not be removed, with the reason.
func (c combining) run(t *transfer, fsys afero.Fs) (left map[string]error, err error) {
	fsys = vfs.WithContext(vfs.Whole(t.ctx), fsys)
	f, sources, err := c.open(fsys)
	if err != nil {
		return nil, err
	}
	offset := int64(-1)
	if sources[0] == c.target { // written anew
		offset = 0
	}
	limit, err := c.limits(fsys, offset)
	if err != nil {
		vfs.Abort(f, err)
		return nil, err
	}
	copied := map[string]os.FileInfo{}
	for _, p := range sources {
		if copied[p], err = copyInto(t, &boundWriter{f, limit}, fsys, p); err != nil {
			vfs.Abort(f, err)
			return nil, err
		}
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	left = map[string]error{}
	for _, p := range c.parts {
		// One that is named twice is gone the second time.
		if err := removeCopied(fsys, p, copied[p]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			left[p] = err
		}
	}
	return left, nil
}

// removeCopied removes a part, unless somebody has stored another file under its name since it was copied.
func removeCopied(fsys afero.Fs, p string, was os.FileInfo) error {
	now, err := vfs.StatFile(fsys, p)
	if err != nil {
		return err
	}
	if !vfs.Unchanged(was, now) {
		return &fs.PathError{Op: "remove", Path: p, Err: vfs.ErrBusy}
	}
	return vfs.RemoveFile(fsys, p)
}

// open opens the target so that nobody sees a part of it, and tells what has to be written. Where
// appending would show each byte as it comes, as on a disk, the target is written anew beside itself.
func (c combining) open(fsys afero.Fs) (f afero.File, sources []string, err error) {
	denied := &fs.PathError{Op: "combine", Path: c.target, Err: fs.ErrPermission}
	_, err = vfs.StatFile(fsys, c.target)
	switch {
	case err == nil && !c.mayAppend, errors.Is(err, fs.ErrNotExist) && !c.mayWrite:
		return nil, nil, denied
	case errors.Is(err, fs.ErrNotExist):
		f, err = vfs.Replace(fsys, c.target)
		return f, c.parts, err
	case err != nil:
		return nil, nil, err
	}
	f, err = vfs.OpenAt(fsys, c.target, -1)
	if err == nil && vfs.Publishes(f) {
		return f, c.parts, nil
	}
	if err == nil {
		err = f.Close() // nothing was written
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, nil, err
	}
	f, err = vfs.Replace(fsys, c.target)
	return f, append([]string{c.target}, c.parts...), err
}

// copyInto writes what the file p holds to w, and returns what it was.
func copyInto(t *transfer, w io.Writer, fsys afero.Fs, p string) (os.FileInfo, error) {
	src, err := vfs.OpenFrom(fsys, p, 0)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	fi, err := src.Stat()
	if err != nil {
		return nil, err
	}
	if fi.IsDir() {
		return nil, &fs.PathError{Op: "combine", Path: p, Err: vfs.ErrIsDir}
	}
	_, err = readInto(t, w, src, math.MaxInt64)
	return fi, err
}

// siteCPFR and siteCPTO copy a file, as RNFR and RNTO rename one: 350, then 250 when the copy is
// durable. A bucket copies by itself. A file of the new name is replaced, when the copy is whole.
func (s *session) siteCPFR(arg string) {
	s.files.copyFrom = ""
	p, ok := resolve(s.cwd, arg)
	if !ok || arg == "" {
		s.reply(501, "A path is needed")
		return
	}
	if !s.allowed(auth.PermRead, p) {
		return
	}
	fsys, done := s.bound()
	defer done()
	if _, err := vfs.StatFile(fsys, p); err != nil {
		s.failure("SITE CPFR", p, err, asking)
		return
	}
	s.files.copyFrom = p
	s.reply(350, "Ready for SITE CPTO")
}

func (s *session) siteCPTO(arg string) {
	from := s.files.copyFrom
	s.files.copyFrom = ""
	p, ok := resolve(s.cwd, arg)
	switch {
	case from == "":
		s.reply(503, "Send SITE CPFR first")
		return
	case !ok || arg == "":
		s.reply(501, "A path is needed")
		return
	case !s.allowed(auth.PermWrite, p):
		return
	}
	s.beginWork("SITE CPTO", p, work{
		do: func(t *transfer, fsys afero.Fs) (answer, error) {
			fsys = vfs.WithContext(vfs.Whole(t.ctx), fsys)
			if s.bounded() {
				fi, err := vfs.StatFile(fsys, from)
				if err != nil {
					return answer{}, err
				}
				if _, err := s.limits(fsys, p, 0, fi.Size()); err != nil {
					return answer{}, err
				}
			}
			return answer{250, "Copied"}, vfs.Copy(fsys, from, p)
		},
		refuse:  func(err error) replyTo { return replyFor(err, naming) },
		changes: func() { s.changed("SITE CPTO", from, p) },
	})
}
