package protocol

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// entryWriter writes one entry of a listing, without its line end.
type entryWriter func(b []byte, dir string, fi os.FileInfo) []byte

func (s *session) cmdLIST(arg string) { s.list("LIST", s.listArg(arg), s.longFormat(time.Now())) }
func (s *session) cmdNLST(arg string) { s.list("NLST", s.listArg(arg), nameOnly) }
func (s *session) cmdMLSD(p string)   { s.listDir("MLSD", p, s.factsFormat(), false) }

// options takes ls options off an argument: many clients send "LIST -la".
func options(arg string) string {
	for strings.HasPrefix(arg, "-") {
		_, rest, found := strings.Cut(arg, " ")
		if !found {
			return ""
		}
		arg = strings.TrimLeft(rest, " ")
	}
	return arg
}

func (s *session) list(verb, arg string, write entryWriter) {
	p, ok := resolve(s.cwd, arg)
	if !ok {
		s.reply(501, "Invalid path")
		return
	}
	if s.allowed(auth.PermList, p) {
		s.listDir(verb, p, write, true)
	}
}

// listDir sends a directory over a data connection as the tree delivers it. The first
// entry is asked for before the 150: what does not exist gets its 550 instead
// of an empty listing. Single says that a file is listed as itself.
func (s *session) listDir(verb, p string, write entryWriter, single bool) {
	s.rest = 0
	if !s.ready() {
		return
	}
	t, fsys := s.newTransfer(verb, p, false)
	l := &listing{dir: p, write: write, session: s}
	err := s.prepare(t, func() error { return l.open(fsys, single) })
	if err != nil {
		l.giveUp(err)
		s.refuseTransfer(t, err, asking)
		return
	}
	t.body = l
	s.begin(t, "Here comes the directory listing")
}

// listing is a directory being sent.
type listing struct {
	session *session // for its encoding, which no command changes during a transfer
	dir     string
	write   entryWriter

	next  func() (os.FileInfo, error, bool)
	stop  func()
	first os.FileInfo // nil in an empty directory
}

// open fetches the first entry of the directory, or the file of that name.
func (l *listing) open(fsys afero.Fs, single bool) error {
	l.next, l.stop = iter.Pull2(vfs.List(fsys, l.dir))
	fi, err, ok := l.next()
	switch {
	case !ok:
		return nil
	case err == nil:
		l.first = fi
		return nil
	case single && (errors.Is(err, vfs.ErrNotDir) || errors.Is(err, fs.ErrNotExist)):
		fi, ferr := vfs.StatFile(fsys, l.dir)
		if ferr != nil {
			return err
		}
		l.first, l.dir = fi, path.Dir(l.dir)
		return nil
	}
	return err
}

func (l *listing) commit() error { l.stop(); return nil }

func (l *listing) giveUp(error) {
	if l.stop != nil {
		l.stop()
	}
}

func (l *listing) move(t *transfer, c *dataConn) error {
	w := bufio.NewWriterSize(counted{c, t}, 32<<10)
	var line []byte
	for fi := l.first; fi != nil; {
		line = l.write(line[:0], l.dir, fi)
		if l.session.wire() != nil {
			line = l.session.encode(string(line))
		}
		line = append(line, '\r', '\n')
		if _, err := w.Write(line); err != nil {
			break // Flush returns it again; the rest of the tree is not asked for nobody
		}
		next, err, ok := l.next()
		if err != nil {
			w.Flush()
			return err
		}
		if !ok {
			break
		}
		fi = next
	}
	if err := w.Flush(); err != nil {
		return dataFailure(err)
	}
	return nil
}

// counted counts what goes over the data connection.
type counted struct {
	c *dataConn
	t *transfer
}

func (w counted) Write(b []byte) (int, error) {
	n, err := w.c.Write(b)
	w.t.moved.Add(int64(n))
	return n, err
}

// nameOnly is NLST's entry: a bare name that a client can use as it is.
func nameOnly(b []byte, _ string, fi os.FileInfo) []byte { return append(b, printable(fi.Name())...) }

// longFormat is LIST's entry, in the form of ls -l that clients have learnt to read. The form
// cannot leave the time out: what has none, as most directories in a bucket, has
// that of the server's start. Year 1 would not even be read by all clients.
func (s *session) longFormat(now time.Time) entryWriter {
	zone := s.zone()
	old, soon := now.AddDate(0, -6, 0), now.Add(24*time.Hour)
	return func(b []byte, _ string, fi os.FileInfo) []byte {
		mtime := fi.ModTime()
		if mtime.IsZero() {
			mtime = s.srv.start
		}
		mtime = mtime.In(zone)
		stamp := "Jan _2 15:04"
		if mtime.Before(old) || mtime.After(soon) {
			stamp = "Jan _2  2006"
		}
		b = appendMode(b, fi.Mode())
		b = append(b, "   1 ftp      ftp      "...)
		b = appendPadded(b, fi.Size(), 12)
		b = append(b, ' ')
		b = mtime.AppendFormat(b, stamp)
		b = append(b, ' ')
		return append(b, printable(fi.Name())...)
	}
}

// appendMode writes a mode as ls does. fs.FileMode's own String has other letters for links.
func appendMode(b []byte, mode os.FileMode) []byte {
	kind := byte('-')
	switch {
	case mode.IsDir():
		kind = 'd'
	case mode&os.ModeSymlink != 0:
		kind = 'l'
	}
	b = append(b, kind)
	const rwx = "rwxrwxrwx"
	for i := range rwx {
		if mode&(1<<(8-i)) != 0 {
			b = append(b, rwx[i])
		} else {
			b = append(b, '-')
		}
	}
	return b
}

// appendPadded writes a number with spaces before it.
func appendPadded(b []byte, n int64, width int) []byte {
	var digits [20]byte
	d := strconv.AppendInt(digits[:0], n, 10)
	for range width - len(d) {
		b = append(b, ' ')
	}
	return append(b, d...)
}

func (s *session) zone() *time.Location {
	if s.srv.LocalTime {
		return time.Local
	}
	return time.UTC
}

// printable replaces control characters, so that no name can break a line.
func printable(name string) string {
	if !strings.ContainsFunc(name, isControl) {
		return name
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return '?'
		}
		return r
	}, name)
}

// statPath is STAT with a path: a listing over the control connection.
func (s *session) statPath(arg string) {
	p, ok := resolve(s.cwd, s.listArg(arg))
	if !ok {
		s.reply(501, "Invalid path")
		return
	}
	if !s.allowed(auth.PermList, p) {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.commandTimeout())
	defer cancel()
	l := &listing{dir: p}
	err := l.open(vfs.WithContext(ctx, s.fs), true)
	defer l.giveUp(nil)
	if err != nil {
		s.failure("STAT", p, err, asking)
		return
	}
	write := s.longFormat(time.Now())
	s.write(append(s.appendText([]byte("213-"), "Status of "+p), '\r', '\n'))
	for fi := l.first; fi != nil && s.writeErr == nil; {
		b := s.appendText([]byte{' '}, string(write(nil, l.dir, fi)))
		s.write(append(b, '\r', '\n'))
		next, err, ok := l.next()
		if err != nil {
			s.log.Info("STAT: listing broken off", "path", p, "err", err)
			s.write([]byte(" (incomplete)\r\n"))
		}
		if !ok || err != nil {
			break
		}
		fi = next
	}
	s.reply(213, "End of status")
}
