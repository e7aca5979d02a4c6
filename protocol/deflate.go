package protocol

import (
	"bufio"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"io"
	"net"
	"sync"
)

const (
	// defaultLevel is how hard MODE Z compresses before OPTS MODE Z LEVEL, from 0 to 9.
	defaultLevel = 6
	// maxCompressors bounds the memory of MODE Z: a compressor takes about 0.9 MiB. Downloads
	// beyond it are sent in the same format uncompressed, which takes none.
	maxCompressors = 64
	// freeExpansion is how much an upload may expand at any ratio: what is as small is no bomb.
	freeExpansion = 16 << 20
)

var (
	errDamaged   = errors.New("compressed data is damaged")
	errExpansion = errors.New("compressed data expands beyond the limit")
)

// deflated is a data connection in MODE Z (draft-preston-ftpext-deflate): one zlib stream,
// RFC 1950, from the first byte to the last. The stream ends before the connection does, so that
// what was cut off is always noticed. It is used by the transfer's goroutine alone.
type deflated struct {
	net.Conn
	srv      *Server
	level    int
	out      int64 // bytes of the file
	wire     int64 // bytes over the data connection
	inflate  *inflater
	compress io.WriteCloser
	pooled   bool // compress is one of maxCompressors
	ended    bool // the whole stream has been read
}

// deflate puts MODE Z over the connection. The kernel cannot move the bytes any more.
func (c *dataConn) deflate(srv *Server, level int) {
	c.z = &deflated{Conn: c.Conn, srv: srv, level: level}
	c.Conn, c.tcp = c.z, nil
}

// inflater is what reading a stream takes, some 45 KiB.
type inflater struct {
	from *bufio.Reader
	zlib io.ReadCloser
}

var inflaters = sync.Pool{New: func() any { return &inflater{from: bufio.NewReaderSize(nil, 4<<10)} }}

// deflater is a compressor with the buffer before the connection: by itself it writes some 240 bytes at a time.
type deflater struct {
	*zlib.Writer
	to *bufio.Writer
}

// Close ends the stream.
func (w *deflater) Close() error {
	if err := w.Writer.Close(); err != nil {
		return err
	}
	return w.to.Flush()
}

// compressors are idle ones by their level.
var compressors [zlib.BestCompression + 1]sync.Pool

// Read returns the bytes of the file. The connection has to end where the stream does.
func (d *deflated) Read(b []byte) (int, error) {
	if d.ended {
		return 0, io.EOF
	}
	if d.inflate == nil {
		if err := d.begin(); err != nil {
			return 0, err
		}
	}
	n, err := d.inflate.zlib.Read(b)
	d.out += int64(n)
	if r := d.srv.maxExpansion(); r > 0 && d.out > freeExpansion && d.out/r > d.wire {
		return 0, fmt.Errorf("%w: %d bytes of %d", errExpansion, d.out, d.wire)
	}
	if err == io.EOF {
		switch _, end := d.inflate.from.ReadByte(); end {
		case nil:
			err = fmt.Errorf("%w: something follows its end", errDamaged)
		case io.EOF:
			d.ended = true
		default:
			err = end
		}
	}
	return n, damaged(err)
}

// begin reads the head of the stream.
func (d *deflated) begin() error {
	in := inflaters.Get().(*inflater)
	d.inflate = in
	in.from.Reset(wireReader{d})
	if in.zlib != nil {
		return damaged(noEOF(in.zlib.(zlib.Resetter).Reset(in.from, nil)))
	}
	z, err := zlib.NewReader(in.from)
	if err == nil {
		in.zlib = z
	}
	return damaged(noEOF(err))
}

// noEOF makes the end of the connection before the end of the stream what it is.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// damaged marks the errors of the format, as opposed to those of the connection.
func damaged(err error) error {
	if errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum) || errors.Is(err, zlib.ErrDictionary) ||
		errors.As(err, new(flate.CorruptInputError)) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return err
}

// Write compresses bytes of the file.
func (d *deflated) Write(b []byte) (int, error) {
	if d.compress == nil {
		d.compress = d.compressor()
	}
	n, err := d.compress.Write(b)
	d.out += int64(n)
	return n, err
}

// finish ends the stream; the connection stays open.
func (d *deflated) finish() error {
	if d.compress == nil {
		d.compress = d.compressor()
	}
	return d.compress.Close()
}

func (d *deflated) compressor() io.WriteCloser {
	if d.level == 0 || d.srv.compressing.Add(1) > maxCompressors {
		if d.level != 0 {
			d.srv.compressing.Add(-1)
		}
		return &storer{w: wireWriter{d}, sum: adler32.New()}
	}
	d.pooled = true
	if w, ok := compressors[d.level].Get().(*deflater); ok {
		w.to.Reset(wireWriter{d})
		w.Reset(w.to)
		return w
	}
	to := bufio.NewWriterSize(wireWriter{d}, bufferSize)
	w, err := zlib.NewWriterLevel(to, d.level)
	if err != nil {
		panic(err) // only for a level that there is not
	}
	return &deflater{w, to}
}

// release gives back what the transfer has borrowed.
func (d *deflated) release() {
	if d == nil {
		return
	}
	if in := d.inflate; in != nil {
		d.inflate = nil
		in.from.Reset(nil) // keeps no connection alive
		inflaters.Put(in)
	}
	if d.pooled {
		d.pooled = false
		d.srv.compressing.Add(-1)
		w := d.compress.(*deflater)
		w.to.Reset(io.Discard)
		w.Reset(w.to)
		compressors[d.level].Put(w)
	}
}

// wireReader and wireWriter are the connection below, counted.
type wireReader struct{ d *deflated }

func (r wireReader) Read(b []byte) (int, error) {
	n, err := r.d.Conn.Read(b)
	r.d.wire += int64(n)
	return n, err
}

type wireWriter struct{ d *deflated }

func (w wireWriter) Write(b []byte) (int, error) {
	n, err := w.d.Conn.Write(b)
	w.d.wire += int64(n)
	return n, err
}

// storer writes a zlib stream of stored blocks, RFC 1951 section 3.2.4: level 0 without the
// memory that a compressor takes at any level.
type storer struct {
	w     io.Writer
	sum   hash.Hash32
	begun bool
}

const maxStored = 1<<16 - 1 // the bytes of a stored block

func (s *storer) head() []byte {
	if s.begun {
		return nil
	}
	s.begun = true
	return []byte{0x78, 0x01} // deflate with a window of 32 KiB, the fastest level
}

// block writes the head of a stored block and its bytes.
func (s *storer) block(b []byte, final byte) error {
	n := uint16(len(b))
	h := append(s.head(), final)
	h = binary.LittleEndian.AppendUint16(h, n)
	h = binary.LittleEndian.AppendUint16(h, ^n)
	s.sum.Write(b)
	if _, err := s.w.Write(h); err != nil {
		return err
	}
	_, err := s.w.Write(b)
	return err
}

func (s *storer) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		piece := b[done:min(len(b), done+maxStored)]
		if err := s.block(piece, 0); err != nil {
			return done, err
		}
		done += len(piece)
	}
	return done, nil
}

func (s *storer) Close() error {
	if err := s.block(nil, 1); err != nil {
		return err
	}
	_, err := s.w.Write(s.sum.Sum(nil))
	return err
}
