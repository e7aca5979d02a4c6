package protocol

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// cmdMDTM tells a file's time of change, RFC 3659 section 3: 213, or 550 for what is no file. Some old clients set
// it with "MDTM YYYYMMDDhhmmss name", as MFMT does; a file of that whole name is meant first.
func (s *session) cmdMDTM(arg string) {
	p, ok := resolve(s.cwd, arg)
	if !ok {
		s.reply(501, "Invalid path")
		return
	}
	if !s.allowed(auth.PermList, p) {
		return
	}
	fsys, done := s.bound()
	defer done()
	fi, err := vfs.StatFile(fsys, p)
	if stamp, name, two := strings.Cut(arg, " "); two && errors.Is(err, fs.ErrNotExist) && !s.profile.Strict {
		if mtime, valid := parseTime(stamp); valid {
			s.setTime("MDTM", fsys, stamp, mtime, name)
			return
		}
	}
	if err != nil {
		s.failure("MDTM", p, err, asking)
		return
	}
	s.reply(213, fi.ModTime().In(s.zone()).Format(timeVal))
}

// cmdMFMT sets a file's time of change, draft-somers-ftp-mfxx section 3: 213.
func (s *session) cmdMFMT(arg string) {
	stamp, name, _ := strings.Cut(arg, " ")
	mtime, valid := parseTime(stamp)
	if !valid {
		s.reply(501, "YYYYMMDDhhmmss and a path are needed")
		return
	}
	fsys, done := s.bound()
	defer done()
	s.setTime("MFMT", fsys, stamp, mtime, name)
}

// setTime sets a file's time of change, and answers.
func (s *session) setTime(verb string, fsys afero.Fs, stamp string, mtime time.Time, name string) {
	p, ok := resolve(s.cwd, name)
	if !ok || name == "" {
		s.reply(501, "YYYYMMDDhhmmss and a path are needed")
		return
	}
	if !s.allowed(auth.PermTime, p) {
		return
	}
	if err := fsys.Chtimes(p, mtime, mtime); err != nil {
		s.failure(verb, p, err, asking)
		return
	}
	s.replyf(213, "Modify=%s; %s", stamp, p)
}

// cmdMFF sets facts of a file, draft-somers-ftp-mfxx section 5: "MFF modify=…;UNIX.mode=…; path". 213 with
// what was set. 504 for a fact that cannot be set, and then none is: they are checked before the first.
func (s *session) cmdMFF(arg string) {
	facts, name, _ := strings.Cut(arg, " ")
	p, ok := resolve(s.cwd, name)
	if !ok || name == "" || !strings.HasSuffix(facts, ";") {
		s.reply(501, "Facts, each with a semicolon behind it, and a path are needed")
		return
	}
	var mtime time.Time
	var mode os.FileMode
	var setTime, setMode bool
	for fact := range strings.SplitSeq(strings.TrimSuffix(facts, ";"), ";") {
		name, value, _ := strings.Cut(fact, "=")
		switch strings.ToUpper(name) {
		case "MODIFY":
			mtime, ok = parseTime(value)
			setTime = true
		case "UNIX.MODE":
			mode, ok = parseMode(value)
			setMode = true
		default:
			s.reply(504, "Only modify and UNIX.mode can be set")
			return
		}
		if !ok {
			s.reply(501, "Invalid value of a fact")
			return
		}
	}
	if setTime && !s.allowed(auth.PermTime, p) || setMode && !s.allowed(auth.PermChmod, p) {
		return
	}
	fsys, done := s.bound()
	defer done()
	var err error
	if setMode {
		err = fsys.Chmod(p, mode)
	}
	if err == nil && setTime {
		err = fsys.Chtimes(p, mtime, mtime)
	}
	if err != nil {
		s.failure("MFF", p, err, asking)
		return
	}
	s.reply(213, facts+" "+p)
}

// parseTime reads a time-val, fractions included (RFC 3659 section 2.3). Years that do not fit into an
// int64 of nanoseconds, in which disks are told times, are refused: another time would be set.
func parseTime(stamp string) (time.Time, bool) {
	t, err := time.ParseInLocation(timeVal, stamp, time.UTC)
	return t, err == nil && t.Year() >= 1678 && t.Year() <= 2261
}

// siteUTIME sets a file's times, in UTC, in one of the two forms that clients send:
//
//	SITE UTIME YYYYMMDDhhmm[ss] path
//	SITE UTIME path YYYYMMDDhhmmss YYYYMMDDhhmmss YYYYMMDDhhmmss UTC
//
// the second with the times of the last access, of the last change and of the making, which no system can set.
func (s *session) siteUTIME(arg string) {
	name, atime, mtime, ok := parseUTIME(arg)
	p, valid := resolve(s.cwd, name)
	if !ok || !valid {
		s.reply(501, "YYYYMMDDhhmm[ss] and a path are needed")
		return
	}
	if !s.allowed(auth.PermTime, p) {
		return
	}
	fsys, done := s.bound()
	defer done()
	if err := fsys.Chtimes(p, atime, mtime); err != nil {
		s.failure("SITE UTIME", p, err, asking)
		return
	}
	s.log.Info("SITE UTIME", "path", p, "code", 200)
	s.reply(200, "Times set")
}

func parseUTIME(arg string) (name string, atime, mtime time.Time, ok bool) {
	if rest, utc := strings.CutSuffix(arg, " UTC"); utc {
		var at [3]time.Time // made, changed, accessed: from the end
		for i := range at {
			j := strings.LastIndexByte(rest, ' ')
			if ok = j > 0; !ok {
				break
			}
			if at[i], ok = parseTime(rest[j+1:]); !ok {
				break
			}
			rest = rest[:j]
		}
		if ok {
			return rest, at[2], at[1], true
		}
	}
	stamp, name, _ := strings.Cut(arg, " ")
	if len(stamp) == len("200601021504") {
		stamp += "00"
	}
	mtime, ok = parseTime(stamp)
	return name, mtime, mtime, ok && name != ""
}
