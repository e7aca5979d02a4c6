package protocol

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

const (
	// kernelChunk is how much sendfile and splice move before counters and deadlines have their turn.
	kernelChunk = 4 << 20
	// kernelSlice is how long they may take for it before the progress is counted.
	kernelSlice = 5 * time.Second
)

// cmdSTOR stores a file; behind REST it goes on writing in the middle of one.
func (s *session) cmdSTOR(p string) { s.store("STOR", p, s.rest) }

// cmdAPPE appends to a file, or makes it.
func (s *session) cmdAPPE(p string) {
	s.rest = 0
	s.store("APPE", p, -1)
}

// store begins an upload. Offset is 0 for a new content, -1 for the end of the file.
func (s *session) store(verb, p string, offset int64) {
	s.rest = 0
	if !s.ready() || !s.restartable(offset) {
		return
	}
	announced := s.announced()
	if offset != 0 {
		announced = -1
	}
	s.receive(verb, p, offset, announced, "Opening data connection for "+path.Base(p), func(fsys afero.Fs, made *[]string) (f afero.File, err error) {
		if offset > 0 {
			return vfs.OpenAt(fsys, p, offset)
		}
		err = s.withParents(fsys, path.Dir(p), made, func() (err error) {
			if offset != 0 {
				f, err = vfs.OpenAt(fsys, p, offset)
				return err
			}
			f, err = fsys.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666&^s.files.umask)
			return err
		})
		return f, err
	})
}

// cmdSTOU stores a file under a name that nobody else has, told in the 150 reply in
// the form of RFC 1123 section 4.1.2.9. The name is random enough to be unique
// without a look; O_EXCL makes sure.
func (s *session) cmdSTOU(arg string) {
	s.rest = 0
	prefix := strings.TrimSpace(arg)
	if prefix == "" {
		prefix = "ftp"
	}
	dir, ok := resolve(s.cwd, prefix)
	if !ok {
		s.reply(501, "Invalid path")
		return
	}
	p := dir + "." + strings.ToLower(rand.Text()[:16])
	if !s.allowed(commands["STOU"].perm, p) || !s.ready() {
		return
	}
	s.receive("STOU", p, 0, s.announced(), "FILE: "+path.Base(p), func(fsys afero.Fs, made *[]string) (f afero.File, err error) {
		err = s.withParents(fsys, path.Dir(p), made, func() (err error) {
			f, err = fsys.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666&^s.files.umask)
			return err
		})
		return f, err
	})
}

// announced is the size that ALLO has told for the upload that begins now, or -1. It holds for one upload.
func (s *session) announced() int64 {
	n := s.allo
	s.allo = -1
	return n
}

// receive begins an upload at the offset, -1 for the end, into the file that open opens. What can be refused is refused before the 150.
func (s *session) receive(verb, p string, offset, announced int64, text string, open func(fsys afero.Fs, made *[]string) (afero.File, error)) {
	if s.takeRange() != nil {
		s.reply(504, "RANG is for RETR and HASH")
		return
	}
	t, fsys := s.newTransfer(verb, p, true)
	t.size, t.exact = announced, announced >= 0 && s.profile.StrictALLO && !s.typeA
	var f afero.File
	var limit *bound
	var made []string
	s.prepare(t, func() (err error) {
		if limit, err = s.limits(fsys, p, offset, announced); err != nil {
			return err
		}
		opened, err := open(fsys, &made)
		if err == nil { // what comes with an error may be a nil pointer in an interface
			f = opened
		}
		return err
	}, func(err error) {
		s.tellMade(&made)
		if err != nil {
			if f != nil {
				vfs.Abort(f, err)
			}
			s.refuseTransfer(t, err, naming)
			return
		}
		if name := f.Name(); name != p && path.IsAbs(name) {
			// The tree has chosen another name, as STOU does.
			t.path, text = name, "FILE: "+path.Base(name)
		}
		t.body, t.publishes = &upload{f: f, ascii: s.ascii(), limit: limit}, vfs.Publishes(f) || s.srv.Hooks.Received != nil
		s.begin(t, text)
	})
}

// upload is a file being received.
type upload struct {
	f     afero.File
	ascii bool
	limit *bound
}

func (u *upload) commit() error { return u.f.Close() }

func (u *upload) giveUp(cause error) { vfs.Abort(u.f, cause) }

func (u *upload) move(t *transfer, c *dataConn) error {
	if f := vfs.OSFile(u.f); f != nil && c.tcp != nil && !u.ascii {
		return u.splice(t, c, f)
	}
	var w io.Writer = u.f
	if u.limit != nil {
		w = &boundWriter{w: u.f, limit: u.limit}
	}
	if u.ascii {
		w = &fromNetwork{w: w}
	}
	pool := &smallPool
	b := pool.Get().(*[]byte)
	defer func() { pool.Put(b) }()
	for {
		n, rerr := c.Read(*b)
		if n > 0 {
			moved := t.moved.Add(int64(n))
			if _, err := w.Write((*b)[:n]); err != nil {
				return err
			}
			if pool == &smallPool && moved > bufferSize {
				pool.Put(b)
				pool = &bufferPool
				b = pool.Get().(*[]byte)
			}
		}
		switch {
		case rerr == io.EOF:
			if a, ok := w.(*fromNetwork); ok {
				return a.flush()
			}
			return nil
		case rerr != nil:
			return dataFailure(rerr)
		}
	}
}

// splice lets the kernel move the bytes from the socket to the disk:
// os.File.ReadFrom finds the *net.TCPConn behind the LimitedReader.
func (u *upload) splice(t *transfer, c *dataConn, f *os.File) error {
	stall := c.raw.stall
	slice := min(stall, kernelSlice)
	last := time.Now() // of the last progress
	for {
		c.tcp.SetReadDeadline(time.Now().Add(slice))
		r := io.LimitedReader{R: c.tcp, N: u.limit.next(kernelChunk)}
		n, err := f.ReadFrom(&r)
		t.moved.Add(n)
		if lerr := u.limit.take(n); lerr != nil {
			return lerr
		}
		if n > 0 {
			last = time.Now()
		}
		switch {
		case err == nil && r.N > 0:
			return nil
		case err == nil:
		case isTimeout(err):
			if time.Since(last) >= stall {
				return errStalled
			}
		case isNetwork(err):
			return &dataError{err}
		default:
			return vfs.OSError(u.f, "write", err)
		}
	}
}

// isNetwork tells an error of the connection from one of the disk, after a call
// that had to do with both.
func isNetwork(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.As(err, new(*net.OpError)) || isConnErrno(err)
}

func sizeText(n int64) string {
	if n < 0 {
		return ""
	}
	return fmt.Sprintf(" (%d bytes)", n)
}
