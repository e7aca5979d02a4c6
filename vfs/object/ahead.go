package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// errRevoked: the memory of a range that was read ahead was needed for uploads.
var errRevoked = errors.New("object: read ahead in vain")

// ahead is a range of an object that is fetched before the client wants it, into blocks of the
// budget. It may lose them again: see [ahead.revoke].
type ahead struct {
	b      *Budget
	cancel context.CancelFunc
	off    int64 // of the first byte in the object
	size   int64 // bytes of the range
	wake   chan struct{}
	done   chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	unused  int     // blocks reserved and not taken
	blocks  []block // filled, from the one with the byte at read on
	read    int64   // bytes that the client has
	filled  int64   // bytes that have arrived
	err     error   // why no more arrive
	revoked bool
}

// readAhead begins to fetch a range if there is memory for it that nobody else
// wants. Its goroutine ends with the range, with ctx, or when close is called.
func readAhead(ctx context.Context, b *Budget, off, size int64, get func(ctx context.Context, off, n int64) (io.ReadCloser, error)) *ahead {
	a := &ahead{b: b, off: off, size: size, unused: blocks(size), wake: make(chan struct{}, 1), done: make(chan struct{})}
	if !b.reserveAhead(a) {
		return nil
	}
	ctx, a.cancel = context.WithCancel(ctx)
	go func() {
		defer close(a.done)
		a.end(a.fetch(ctx, get))
	}()
	return a
}

// fetch fills block after block.
func (a *ahead) fetch(ctx context.Context, get func(ctx context.Context, off, n int64) (io.ReadCloser, error)) error {
	body, err := get(ctx, a.off, a.size)
	if err != nil {
		return err
	}
	defer body.Close()
	for left := a.size; left > 0; {
		blk, err := a.take()
		if err != nil {
			return err
		}
		n, err := io.ReadFull(body, blk.buf[:min(left, blockSize)])
		left -= int64(n)
		if !a.add(blk, int64(n)) {
			return errRevoked
		}
		if err != nil && left > 0 {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = fmt.Errorf("object: the range from %d ended %d bytes early: %w", a.off, left, io.ErrUnexpectedEOF)
			}
			return err
		}
	}
	return nil
}

// take returns a block that was reserved.
func (a *ahead) take() (block, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.revoked {
		return block{}, errRevoked
	}
	blk, err := a.b.takeAhead()
	if err == nil {
		a.unused--
	}
	return blk, err
}

// add hands n bytes in a block to the reader. It is false when they are not wanted any more.
func (a *ahead) add(blk block, n int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.revoked {
		a.b.returnAhead([]block{blk}, 0)
		return false
	}
	a.blocks = append(a.blocks, blk)
	a.filled += n
	a.signal()
	return true
}

// end tells the reader that no more comes, and why.
func (a *ahead) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
	a.b.returnAhead(nil, a.unused)
	a.unused = 0
	a.signal()
}

func (a *ahead) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// revoke gives the memory back at once. What was not read is lost. It does not wait for the goroutine,
// which keeps at most the block that it is filling for a moment.
func (a *ahead) revoke() {
	a.cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.revoked {
		a.revoked = true
		a.b.returnAhead(a.blocks, a.unused)
		a.blocks, a.unused = nil, 0
		a.signal()
	}
}

// close gives everything back and waits for the goroutine.
func (a *ahead) close() {
	a.revoke()
	<-a.done
	a.b.forgetAhead(a)
}

// next copies what has arrived into p and waits for it if need be. The range ends with io.EOF;
// errRevoked means that the rest has to be fetched again.
func (a *ahead) next(ctx context.Context, p []byte) (int, error) {
	for {
		n, err := a.copy(p)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-a.wake:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// copy returns 0 and nil when nothing is there yet.
func (a *ahead) copy(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.read == a.size:
		return 0, io.EOF
	case a.revoked:
		return 0, errRevoked
	case a.read == a.filled:
		return 0, a.err
	}
	at := a.read % blockSize
	n := copy(p, a.blocks[0].buf[at:min(blockSize, at+a.filled-a.read)])
	a.read += int64(n)
	if a.read%blockSize == 0 || a.read == a.size {
		a.b.returnAhead(a.blocks[:1], 0)
		a.blocks = a.blocks[1:]
	}
	return n, nil
}

// reserveAhead reserves all blocks of a range, unless an upload waits or the
// budget is half used.
func (b *Budget) reserveAhead(a *ahead) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queues.len() > 0 || 2*(b.used+a.unused) > b.total {
		return false
	}
	b.used += a.unused
	b.reading += a.unused
	b.aheads[a] = struct{}{}
	return true
}

// takeAhead returns one of the blocks that were reserved.
func (b *Budget) takeAhead() (block, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	blk, err := b.slabs.take()
	if err == nil {
		b.filled++
	}
	return blk, err
}

// returnAhead takes back blocks that were filled, and the reservation of others.
func (b *Budget) returnAhead(blks []block, unused int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, blk := range blks {
		b.slabs.put(blk)
	}
	b.slabs.expire(&b.mu)
	b.filled -= len(blks)
	b.used -= len(blks) + unused
	b.reading -= len(blks) + unused
	b.serve()
}

func (b *Budget) forgetAhead(a *ahead) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.aheads, a)
}

// unread returns the ranges whose memory has to come back. The budget is locked.
func (b *Budget) unread() []*ahead {
	if b.reading == 0 {
		return nil
	}
	list := make([]*ahead, 0, len(b.aheads))
	for a := range b.aheads {
		list = append(list, a)
	}
	return list
}

// ReadingAhead returns how many bytes downloads have reserved for what their clients do not want yet.
func (b *Budget) ReadingAhead() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.reading) * blockSize
}
