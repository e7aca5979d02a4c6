package protocol

import (
	"fmt"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// cmdAVBL tells how many bytes may still be stored in a directory, draft-peterson-streamlined-ftp-command-extensions
// section 4: 213 and the number; 550 where there is no such directory or nobody knows, as in a bucket.
func (s *session) cmdAVBL(p string) {
	fsys, done := s.bound()
	defer done()
	free, err := vfs.Space(fsys, p)
	if err != nil {
		s.failure("AVBL", p, err, asking)
		return
	}
	s.replyf(213, "%d", max(0, free-s.srv.MinFree))
}

// siteUMASK tells or sets which permission bits new files and directories do not get. It can only take bits
// away that the server's own umask would have left.
func (s *session) siteUMASK(arg string) {
	arg = strings.TrimSpace(arg)
	if arg == "" {
		s.replyf(200, "UMASK is %03o, in addition to the server's own", s.files.umask)
		return
	}
	mask, ok := parseMode(arg)
	if !ok {
		s.reply(501, "An octal mask is needed")
		return
	}
	old := s.files.umask
	s.files.umask = mask
	s.replyf(200, "UMASK set to %03o (was %03o)", mask, old)
}

// siteIDLE tells or sets how long the session may be silent, in seconds, up to the server's limit.
func (s *session) siteIDLE(arg string) {
	arg = strings.TrimSpace(arg)
	limit := s.srv.idleTimeout()
	if arg == "" {
		s.reply(200, fmt.Sprintf("IDLE time limit is %d seconds, at most %d", int64(s.idleTimeout()/time.Second), int64(limit/time.Second)))
		return
	}
	n, ok := parseCount(arg)
	if !ok || n < 1 || n > int64(limit/time.Second) {
		s.replyf(501, "A number of seconds from 1 to %d is needed", int64(limit/time.Second))
		return
	}
	s.files.idle = time.Duration(n) * time.Second
	s.replyf(200, "IDLE time limit set to %d seconds", n)
}
