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

// listed is a line of a listing.
type listed struct {
	path    string // in the tree
	name    string // what the line calls it
	fi      os.FileInfo
	heading bool // the name of a directory in front of its entries: LIST -R
	kind    string
}

// entryWriter writes one entry of a listing, without its line end.
type entryWriter func(b []byte, e listed) []byte

func (s *session) cmdLIST(arg string) { s.list("LIST", arg) }
func (s *session) cmdNLST(arg string) { s.list("NLST", arg) }

// cmdMLSD lists a directory for programs, RFC 3659 section 7.
func (s *session) cmdMLSD(p string) {
	s.sendListing("MLSD", &listing{session: s, dir: p, self: true})
}

// list answers LIST and NLST: of a directory, of one file, and of what a pattern matches.
func (s *session) list(verb, arg string) {
	if l := s.newListing(arg); l != nil {
		l.names = verb == "NLST"
		s.sendListing(verb, l)
	}
}

// newListing reads the argument of LIST, NLST or STAT. It answers for itself and returns nil where there is nothing to list.
func (s *session) newListing(arg string) *listing {
	l := &listing{session: s, given: arg, single: true}
	if !s.profile.Strict {
		l.opts, l.given = parseOptions(arg)
	}
	var ok bool
	if l.dir, ok = resolve(s.cwd, l.given); !ok {
		s.reply(501, "Invalid path")
		return nil
	}
	if !s.allowed(auth.PermList, l.dir) {
		return nil
	}
	return l
}

// sendListing sends a listing over a data connection as the tree delivers it. The first
// entry is asked for before the 150: what does not exist gets its 550 instead
// of an empty listing.
func (s *session) sendListing(verb string, l *listing) {
	s.rest = 0
	if !s.ready() {
		return
	}
	t, fsys := s.newTransfer(verb, l.dir, false)
	s.prepare(t, func() error { return l.open(fsys) }, func(err error) {
		if err != nil {
			l.giveUp(err)
			s.refuseTransfer(t, err, asking)
			return
		}
		l.format = s.entryFormat(verb, fsys)
		t.body = l
		s.begin(t, "Here comes the directory listing")
	})
}

// entryFormat is the form of the lines of a command.
func (s *session) entryFormat(verb string, fsys afero.Fs) entryWriter {
	switch verb {
	case "NLST":
		return nameOnly
	case "MLSD":
		return s.factsFormat(fsys)
	}
	return s.longFormat(time.Now(), fsys)
}

// listing is a directory being sent, a file, or what a pattern matches.
type listing struct {
	session *session // for its encoding and rights, which no command changes during a transfer
	dir     string   // what is listed
	given   string   // how the client has called it
	opts    lsOptions
	names   bool // NLST: names that can be used as they are
	single  bool // a file is listed as itself
	self    bool // MLSD: the directory and its parent are entries
	format  entryWriter

	next  func() (listed, error, bool)
	stop  func()
	first *listed // what has been read and is still to be sent
	begun bool    // a line has been sent
}

// open fetches the first entry of the directory, or the file of that name. What a
// pattern matches is looked for later, as it may take long.
func (l *listing) open(fsys afero.Fs) error {
	if l.opts.itself {
		fi, err := vfs.Lstat(fsys, l.dir)
		if err == nil {
			l.one(fi)
			return nil
		}
		return l.openGlob(fsys, err)
	}
	if l.opts.recurse {
		shown := strings.TrimRight(l.given, "/")
		if shown == "" && l.given != "" {
			shown = "/"
		}
		l.pull(recurse(fsys, l.dir, shown, !l.names, l.allowed))
	} else {
		l.pull(l.entries(fsys))
	}
	e, err, ok := l.next()
	switch {
	case !ok:
		return nil
	case err == nil:
		l.first = &e
		return nil
	case !l.single || !skips(err) || errors.Is(err, fs.ErrPermission):
		return err
	}
	l.stop()
	fi, ferr := vfs.StatFile(fsys, l.dir)
	if ferr == nil {
		l.one(fi)
		return nil
	}
	return l.openGlob(fsys, err)
}

// openGlob begins the search for what a pattern matches; what is none gives err.
func (l *listing) openGlob(fsys afero.Fs, err error) error {
	dir, shown, segs, ok := globs(l.session.cwd, l.given)
	if !ok || !skips(err) {
		return err
	}
	l.pull(globbing{fsys: fsys, all: l.opts.all, allowed: l.allowed}.expand(dir, shown, segs))
	return nil
}

// one makes the listing one of a single thing, under the name that the client has for it.
func (l *listing) one(fi os.FileInfo) {
	name := l.given
	if name == "" {
		name = "."
	}
	l.pull(func(yield func(listed, error) bool) { yield(listed{path: l.dir, name: name, fi: fi}, nil) })
}

func (l *listing) pull(entries iter.Seq2[listed, error]) { l.next, l.stop = iter.Pull2(entries) }

func (l *listing) allowed(dir string) bool {
	return l.session.account.Permissions.AtDir(dir).Has(auth.PermList)
}

// entries are those of the directory, in front of them for MLSD itself and its parent, RFC 3659 section 7.5.1.
// They come when the directory is known to exist. Of the parent no more is told than that it is there:
// in a bucket the question would be a request.
func (l *listing) entries(fsys afero.Fs) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		self := func() bool {
			if !l.self {
				return true
			}
			l.self = false
			var fi os.FileInfo = parentInfo{}
			if got, err := vfs.StatDir(fsys, l.dir); err == nil {
				fi = got
			}
			if !yield(listed{path: l.dir, name: ".", fi: fi, kind: "cdir"}, nil) {
				return false
			}
			return l.dir == "/" || yield(listed{path: path.Dir(l.dir), name: "..", fi: parentInfo{}, kind: "pdir"}, nil)
		}
		for fi, err := range vfs.List(fsys, l.dir) {
			if err != nil {
				yield(listed{}, err)
				return
			}
			if !self() || !yield(listed{path: path.Join(l.dir, fi.Name()), name: fi.Name(), fi: fi}, nil) {
				return
			}
		}
		self()
	}
}

// parentInfo describes a directory of which nothing is known.
type parentInfo struct{}

func (parentInfo) Name() string       { return ".." }
func (parentInfo) Size() int64        { return 0 }
func (parentInfo) Mode() os.FileMode  { return os.ModeDir }
func (parentInfo) ModTime() time.Time { return time.Time{} }
func (parentInfo) IsDir() bool        { return true }
func (parentInfo) Sys() any           { return nil }

func (l *listing) commit() error { l.stop(); return nil }

func (l *listing) giveUp(error) {
	if l.stop != nil {
		l.stop()
	}
}

// line returns the next line without its end. It reports false at the end of the listing.
func (l *listing) line(b []byte) (line []byte, ok bool, err error) {
	var e listed
	if l.first != nil {
		e, l.first = *l.first, nil
	} else if e, err, ok = l.next(); err != nil || !ok {
		return nil, false, err
	}
	if e.heading && l.begun { // an empty line in front of it
		l.begun, l.first = false, &e
		return b, true, nil
	}
	l.begun = true
	if e.heading {
		return append(append(b, printable(e.name)...), ':'), true, nil
	}
	return l.format(b, e), true, nil
}

func (l *listing) move(t *transfer, c *dataConn) error {
	w := bufio.NewWriterSize(counted{c, t}, 32<<10)
	var buf []byte
	for {
		line, ok, err := l.line(buf[:0])
		if err != nil {
			w.Flush()
			return err
		}
		if !ok {
			break
		}
		buf = line
		if l.session.wire() != nil {
			line = l.session.encode(string(line))
		}
		w.Write(line)
		if _, err := w.WriteString("\r\n"); err != nil {
			break // Flush returns it again; the rest of the tree is not asked for nobody
		}
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
func nameOnly(b []byte, e listed) []byte { return append(b, printable(e.name)...) }

// longFormat is LIST's entry, in the form of ls -l that clients have learnt to read. The form
// cannot leave the time out: what has none, as most directories in a bucket, has
// that of the server's start. Year 1 would not even be read by all clients.
func (s *session) longFormat(now time.Time, fsys afero.Fs) entryWriter {
	zone := s.zone()
	old, soon := now.AddDate(0, -6, 0), now.Add(24*time.Hour)
	return func(b []byte, e listed) []byte {
		fi := e.fi
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
		b = s.appendOwner(append(b, "   1 "...), fi)
		b = appendPadded(b, fi.Size(), 12)
		b = append(b, ' ')
		b = mtime.AppendFormat(b, stamp)
		b = append(b, ' ')
		b = append(b, printable(e.name)...)
		if target := linkTarget(fsys, e); target != "" {
			b = append(append(b, " -> "...), printable(target)...)
		}
		return b
	}
}

// linkTarget is where a symbolic link leads, as it stands in the link, if that is inside the tree. Everything else, and
// with it what the world outside is called, is not told: a target that begins with a slash is a name of the disk.
func linkTarget(fsys afero.Fs, e listed) string {
	if e.fi.Mode()&os.ModeSymlink == 0 {
		return ""
	}
	target, err := vfs.Readlink(fsys, e.path)
	if err != nil || target == "" || target[0] == '/' {
		return ""
	}
	depth := strings.Count(e.path, "/") - 1 // of the directory that the link is in
	for _, seg := range strings.Split(target, "/") {
		switch seg {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return ""
			}
		default:
			depth++
		}
	}
	return target
}

// appendOwner writes the columns of user and group.
func (s *session) appendOwner(b []byte, fi os.FileInfo) []byte {
	user, group := "ftp", "ftp"
	if uid, gid, ok := vfs.Owner(fi); ok {
		switch s.srv.Owners {
		case OwnersIDs:
			user, group = strconv.FormatUint(uint64(uid), 10), strconv.FormatUint(uint64(gid), 10)
		case OwnersNames:
			user, group = s.srv.owners.user(uid), s.srv.owners.group(gid)
		}
	}
	for _, name := range []string{user, group} {
		// A space would be taken for the end of the column.
		b = append(b, strings.ReplaceAll(printable(name), " ", "_")...)
		for n := len(name); n < 8; n++ {
			b = append(b, ' ')
		}
		b = append(b, ' ')
	}
	return b
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

// maxStatLines is how many lines STAT sends of a listing: the control connection is for talking, and takes
// no ABOR meanwhile.
const maxStatLines = 10_000

// statPath is STAT with a path: a listing over the control connection.
func (s *session) statPath(arg string) {
	l := s.newListing(arg)
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.commandTimeout())
	defer cancel()
	fsys := vfs.WithContext(ctx, s.fs)
	l.format = s.longFormat(time.Now(), fsys)
	err := l.open(fsys)
	defer l.giveUp(nil)
	if err != nil {
		s.failure("STAT", l.dir, err, asking)
		return
	}
	b := append(s.appendText([]byte("213-"), "Status of "+l.dir), '\r', '\n')
	for n := 0; s.writeErr == nil; n++ {
		line, ok, err := l.line(nil)
		if !ok && err == nil {
			break
		}
		if err == nil && n == maxStatLines {
			err = errListTooLarge
		}
		if err != nil {
			s.log.Info("STAT: listing broken off", "path", l.dir, "err", err)
			b = append(b, " (incomplete)\r\n"...)
			break
		}
		b = append(s.appendText(append(b, ' '), string(line)), '\r', '\n')
		if len(b) >= 8<<10 {
			s.write(b)
			b = b[:0]
		}
	}
	s.write(b)
	s.reply(213, "End of status")
}
