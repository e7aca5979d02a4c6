package protocol

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// cmdRETR sends a file, from REST's offset on. A bucket answers OpenFrom and
// Stat with the one request whose body is then sent.
func (s *session) cmdRETR(p string) {
	offset, rang := s.rest, s.takeRange()
	s.rest = 0
	if rang != nil {
		offset = rang.from
	}
	if !s.ready() || !s.restartable(offset) {
		return
	}
	t, fsys := s.newTransfer("RETR", p, false)
	var f afero.File
	var size int64 // not t's, which STAT looks at meanwhile
	s.prepare(t, func() (err error) {
		opened, err := vfs.OpenFrom(fsys, p, offset)
		if err != nil {
			return err
		}
		f = opened
		fi, err := f.Stat()
		switch {
		case err != nil:
			return err
		case fi.IsDir():
			return &fs.PathError{Op: "open", Path: p, Err: vfs.ErrIsDir}
		case offset > fi.Size(), rang != nil && offset > 0 && offset == fi.Size():
			return &fs.PathError{Op: "open", Path: p, Err: vfs.ErrBadOffset}
		}
		size = max(0, fi.Size()-offset)
		if rang != nil {
			size = min(size, rang.to-rang.from)
			f = &section{File: f, left: size}
		}
		return nil
	}, func(err error) {
		if err != nil {
			if f != nil {
				f.Close()
			}
			s.refuseTransfer(t, err, asking)
			return
		}
		t.size = size
		t.body = &download{f: f, ascii: s.ascii(), kernel: !s.srv.NoSendfile}
		s.begin(t, "Opening data connection for "+path.Base(p)+sizeText(t.size))
	})
}

// download is a file being sent.
type download struct {
	f      afero.File
	ascii  bool
	kernel bool // sendfile may be used
}

func (d *download) commit() error { d.f.Close(); return nil }

func (d *download) giveUp(error) { d.f.Close() }

func (d *download) move(t *transfer, c *dataConn) error {
	if f := vfs.OSFile(d.f); f != nil && c.tcp != nil && !d.ascii && d.kernel {
		return d.sendfile(t, c, f)
	}
	var w io.Writer = c
	if d.ascii {
		w = &toNetwork{w: c}
	}
	b := bufferPool.Get().(*[]byte)
	defer bufferPool.Put(b)
	for {
		n, rerr := d.f.Read(*b)
		if n > 0 {
			if _, err := w.Write((*b)[:n]); err != nil {
				return dataFailure(err)
			}
			t.moved.Add(int64(n))
		}
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}

// sendfile lets the kernel move the bytes from the disk to the socket:
// net.TCPConn.ReadFrom finds the *os.File behind the LimitedReader.
func (d *download) sendfile(t *transfer, c *dataConn, f *os.File) error {
	begin, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return vfs.OSError(d.f, "seek", err)
	}
	stall := c.raw.stall
	slice := min(stall, kernelSlice)
	last := time.Now() // of the last progress
	for {
		c.tcp.SetWriteDeadline(time.Now().Add(slice))
		r := io.LimitedReader{R: f, N: kernelChunk}
		n, err := c.tcp.ReadFrom(&r)
		t.moved.Add(n)
		if n > 0 {
			last = time.Now()
		}
		switch {
		case err == nil && n < kernelChunk:
			return nil
		case err == nil:
		case isTimeout(err):
			if time.Since(last) >= stall {
				return errStalled
			}
			// Where the kernel refused sendfile, a buffer that went out only
			// in part has been read from the file in full.
			if _, err := f.Seek(begin+t.moved.Load(), io.SeekStart); err != nil {
				return vfs.OSError(d.f, "seek", err)
			}
		case errors.As(err, new(*fs.PathError)):
			return vfs.OSError(d.f, "read", err)
		default:
			return &dataError{err}
		}
	}
}
