package protocol

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// timeVal is RFC 3659's time-val without fraction (section 2.3), in UTC.
const timeVal = "20060102150405"

// bound returns the tree bound to the command's time limit, and what ends the binding.
func (s *session) bound() (afero.Fs, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.commandTimeout())
	return vfs.WithContext(ctx, s.fs), cancel
}

func (s *session) cmdCWD(p string) {
	fsys, done := s.bound()
	defer done()
	var made []string
	err := s.withParents(fsys, p, &made, func() error {
		_, err := vfs.StatDir(fsys, p)
		return err
	})
	s.tellMade(&made)
	if err != nil {
		s.failure("CWD", p, err, asking)
		return
	}
	s.cwd = p
	s.reply(250, quote(p)+" is the current directory")
}

func (s *session) cmdCDUP(string) {
	p := path.Dir(s.cwd)
	if s.allowed(commands["CDUP"].perm, p) {
		s.cmdCWD(p)
	}
}

func (s *session) cmdPWD(string) { s.reply(257, quote(s.cwd)+" is the current directory") }

func (s *session) cmdMKD(p string) {
	fsys, done := s.bound()
	defer done()
	var made []string
	err := s.withParents(fsys, path.Dir(p), &made, func() error { return fsys.Mkdir(p, 0o777&^s.files.umask) })
	s.tellMade(&made)
	if s.profile.ExistingDir && errors.Is(err, fs.ErrExist) {
		if _, derr := vfs.StatDir(fsys, p); derr == nil {
			s.reply(257, quote(p)+" exists")
			return
		}
	}
	if err != nil {
		s.failure("MKD", p, err, asking)
		return
	}
	s.changed("MKD", p, "")
	s.reply(257, quote(p)+" created")
}

func (s *session) cmdRMD(p string) {
	fsys, done := s.bound()
	defer done()
	if p == "/" {
		s.reply(550, "The root cannot be removed")
		return
	}
	if err := vfs.RemoveDir(fsys, p); err != nil {
		s.failure("RMD", p, err, asking)
		return
	}
	s.changed("RMD", p, "")
	s.reply(250, "Directory removed")
}

func (s *session) cmdDELE(p string) {
	fsys, done := s.bound()
	defer done()
	if err := vfs.RemoveFile(fsys, p); err != nil {
		s.failure("DELE", p, err, asking)
		return
	}
	s.changed("DELE", p, "")
	s.reply(250, "File removed")
}

func (s *session) cmdRNFR(p string) {
	fsys, done := s.bound()
	defer done()
	if p == "/" {
		s.reply(550, "The root cannot be renamed")
		return
	}
	fi, err := fsys.Stat(p)
	if err != nil {
		s.failure("RNFR", p, err, asking)
		return
	}
	if fi.IsDir() && !s.account.Permissions.Below(p, auth.PermRename) {
		s.reply(550, "Not enough privileges")
		return
	}
	s.renameFrom = p
	s.reply(350, "Ready for RNTO")
}

// cmdRNTO renames. A bucket copies what is renamed, perhaps for an hour: see work. It goes on when the client is gone.
func (s *session) cmdRNTO(p string) {
	from := s.renameFrom
	s.renameFrom = ""
	if from == "" {
		s.reply(503, "Send RNFR first")
		return
	}
	var made []string
	s.beginWork("RNTO", from+" -> "+p, work{
		outlives: true,
		do: func(t *transfer, _ afero.Fs) (answer, error) {
			ctx, done := context.WithTimeout(t.ctx, s.srv.renameTimeout())
			defer done()
			fsys := vfs.WithContext(ctx, s.fs)
			return answer{250, "Renamed"}, s.withParents(fsys, path.Dir(p), &made, func() error { return fsys.Rename(from, p) })
		},
		changes: func() {
			s.tellMade(&made)
			s.changed("RNTO", from, p)
		},
		refuse: func(err error) replyTo {
			s.tellMade(&made)
			return replyFor(err, naming)
		},
	})
}

// siteCHMOD sets a file's mode: SITE CHMOD octal path.
func (s *session) siteCHMOD(arg string) {
	octal, name, _ := strings.Cut(strings.TrimLeft(arg, " "), " ")
	p, ok := resolve(s.cwd, name)
	mode, valid := parseMode(octal)
	if !ok || !valid || name == "" {
		s.reply(501, "An octal mode and a path are needed")
		return
	}
	if !s.allowed(site["CHMOD"].perm, p) {
		return
	}
	fsys, done := s.bound()
	defer done()
	if err := fsys.Chmod(p, mode); err != nil {
		s.failure("SITE CHMOD", p, err, asking)
		return
	}
	s.reply(200, "Mode changed")
}

// parseMode reads up to four octal digits; bits beyond rwx for all are refused.
func parseMode(octal string) (os.FileMode, bool) {
	if len(octal) < 1 || len(octal) > 4 {
		return 0, false
	}
	var m os.FileMode
	for _, c := range octal {
		if c < '0' || c > '7' {
			return 0, false
		}
		m = m<<3 | os.FileMode(c-'0')
	}
	return m, m&^os.ModePerm == 0
}
