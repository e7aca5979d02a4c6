package object

import (
	"errors"
	"io"
	"io/fs"
	"sync"
)

// body is a chain of blocks and implements Body.
//
// An HTTP transport may go on reading a request's body for a moment after the
// request has failed. Without care it would read blocks that already hold
// another client's bytes. So every access is locked, and after close there is
// nothing to read.
type body struct {
	size int64
	sum  uint32
	hold holding

	mu     sync.Mutex
	blocks []block
	off    int64
	closed bool
}

func (b *body) Size() int64   { return b.size }
func (b *body) Sum32() uint32 { return b.sum }

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, fs.ErrClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	chunk := b.rest()
	if len(chunk) == 0 {
		return 0, io.EOF
	}
	n := copy(p, chunk)
	b.off += int64(n)
	return n, nil
}

// WriteTo holds the lock while it writes. Closing waits for it: a transport
// that gives up a request closes the connection under the write.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var total int64
	for !b.closed {
		chunk := b.rest()
		if len(chunk) == 0 {
			return total, nil
		}
		n, err := w.Write(chunk)
		b.off += int64(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, fs.ErrClosed
}

// rest returns what is left of the block at the offset.
func (b *body) rest() []byte {
	if b.off >= b.size {
		return nil
	}
	i := b.off / blockSize
	end := min(blockSize, b.size-i*blockSize)
	return b.blocks[i].buf[b.off%blockSize : end]
}

func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += b.off
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, errors.New("object: seek before the start of a body")
	}
	b.off = offset
	return offset, nil
}

// taken reports whether all of the body has been taken to be sent.
func (b *body) taken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.off >= b.size
}

// close gives the memory back.
func (b *body) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.hold.release(b.blocks)
		b.blocks = nil
	}
}
