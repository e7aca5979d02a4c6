package object

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// UploadOptions are the rules of a store for [NewUpload]. Sizes are in bytes.
type UploadOptions struct {
	// FirstPart is the size of the first part: an object of at most so many bytes is
	// stored with Sink.Single. Default 5 MiB.
	FirstPart int64
	// PartSize returns the size of the part that begins at offset; nil means that all
	// parts have the size of the first. Parts are whole blocks of 64 KiB, and
	// none is larger than a quarter of the budget (or FirstPart, if that is more), so that
	// one upload cannot keep all others waiting.
	PartSize func(offset int64) int64
	// Parallel is how many parts are sent at once. 1 means one after the other,
	// in order. Else, while more than half of the budget is free, twice as many. Default 2.
	Parallel int
	// MaxParts is how many parts an object can have, 0 for no limit.
	MaxParts int
	// MaxSize is the size of the largest object, 0 for no limit.
	MaxSize int64
	// Table is the polynomial of Body.Sum32, nil for crc32.IEEETable.
	Table *crc32.Table
	// Parkable: the upload may be parked, so that the end of the context of the writing does not end the parts under way.
	Parkable bool
	// Begun: the store has something of the upload already, which an Abort has to remove.
	Begun bool
	// AbortTimeout bounds the cleaning up after a commit that failed. Default 30 s.
	AbortTimeout time.Duration
}

// errAborted is what a Write gets that was under way when the upload was given up.
var errAborted = errors.New("object: upload given up")

// NewUpload returns an upload that sends what is written to it through sink,
// with memory from budget. A file that ends within the first part becomes one
// request; a longer one is sent in parts while the rest still arrives.
//
// Write blocks while the budget has no room or enough parts are under way. ctx
// is the context of the writing: when it is done, Write fails; Commit and Abort have
// contexts of their own. The first part that fails ends the others, and the
// next Write or the Commit returns its error; a Commit that fails has cleaned
// up already, a failed Write wants an Abort.
//
// Write and Commit are for one goroutine; Abort may come from another one while
// they run. There is one goroutine per part under way; all have ended when Commit or Abort
// returns.
func NewUpload(ctx context.Context, budget *Budget, sink Sink, o UploadOptions) Upload {
	if o.FirstPart <= 0 {
		o.FirstPart = minPart
	}
	if o.PartSize == nil {
		o.PartSize = func(int64) int64 { return o.FirstPart }
	}
	if o.Parallel <= 0 {
		o.Parallel = 2
	}
	if o.Table == nil {
		o.Table = crc32.IEEETable
	}
	if o.AbortTimeout <= 0 {
		o.AbortTimeout = abortTime
	}
	u := &upload{
		put:    ctx,
		budget: budget,
		sink:   sink,
		o:      o,
		begun:  make(chan struct{}),
		freed:  make(chan struct{}, 1),
	}
	// The parts outlive the context of the writing: it may be done by the time
	// of the commit.
	u.ctx, u.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	// Begin is not called off with the parts: its answer names what has to be
	// cleaned up.
	u.beginCtx, u.stopBegin = context.WithCancel(context.WithoutCancel(ctx))
	u.pending = o.Begun
	u.limit = blocks(o.FirstPart)
	if err := budget.Fits(o.FirstPart); err != nil {
		u.fail(err)
	}
	u.account = budget.open(min(u.limit, budget.total))
	return u
}

type upload struct {
	put    context.Context
	ctx    context.Context // of the parts; done after the first failure
	cancel context.CancelCauseFunc
	budget *Budget
	sink   Sink
	o      UploadOptions

	// The writer's own, held by whoever writes, commits or cleans up.
	writing sync.Mutex
	account *account
	cur     *body // the part being filled, nil before its first byte
	limit   int   // its size in blocks
	offset  int64 // bytes written so far
	parts   int   // parts handed to goroutines
	ended   bool
	cut     error // the writing was called off; the parts were not

	beginCtx  context.Context
	stopBegin context.CancelFunc

	begun chan struct{} // closed when Sink.Begin has succeeded
	freed chan struct{} // a part has ended
	wg    sync.WaitGroup

	pending bool // Begin has been called: there may be something to abort

	mu       sync.Mutex
	err      error
	late     error // of a part that a limit of time has ended: what the store said until then
	inFlight int
}

func (u *upload) Write(p []byte) (int, error) {
	u.writing.Lock()
	defer u.writing.Unlock()
	if u.ended {
		return 0, fs.ErrClosed
	}
	n, err := u.write(p)
	if err != nil {
		if u.o.Parkable && u.put.Err() != nil && u.failed() == nil {
			u.cut = err
			return n, err
		}
		err = u.fail(err) // what is missing now must never be committed
	}
	return n, err
}

func (u *upload) write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if err := u.ready(); err != nil {
			return n, err
		}
		chunk := p[n:]
		if u.o.MaxSize > 0 {
			left := u.o.MaxSize - u.offset
			if left <= 0 {
				return n, fmt.Errorf("object: more than %d bytes: %w", u.o.MaxSize, vfs.ErrTooLarge)
			}
			chunk = chunk[:min(int64(len(chunk)), left)]
		}
		room, err := u.room()
		if err != nil {
			return n, err
		}
		c := copy(room, chunk)
		u.cur.sum = crc32.Update(u.cur.sum, u.o.Table, room[:c])
		u.cur.size += int64(c)
		u.offset += int64(c)
		n += c
	}
	return n, nil
}

// ready returns why the upload cannot go on.
func (u *upload) ready() error {
	if err := u.failed(); err != nil {
		return err
	}
	if u.put.Err() != nil {
		return context.Cause(u.put)
	}
	return nil
}

// room returns the free rest of the last block, after taking a new one and
// sending a full part if need be. A full part waits for the next byte, as the first
// part of a file that ends with it is the whole file.
func (u *upload) room() ([]byte, error) {
	if u.cur == nil {
		u.cur = &body{}
	}
	used := int(u.cur.size % blockSize)
	if used > 0 {
		last := u.cur.blocks[len(u.cur.blocks)-1]
		return last.buf[used:], nil
	}
	ctx, stop := u.either(u.put)
	defer stop()
	if len(u.cur.blocks) == u.limit {
		if err := u.dispatch(ctx, true); err != nil {
			return nil, err
		}
		u.cur = &body{}
	}
	blk, err := u.account.take(ctx)
	if err != nil {
		if ferr := u.ready(); ferr != nil {
			return nil, ferr
		}
		return nil, err
	}
	u.cur.blocks = append(u.cur.blocks, blk)
	return blk.buf, nil
}

// either returns ctx, which is done as well when the upload has failed.
func (u *upload) either(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(u.ctx, func() { cancel(context.Cause(u.ctx)) })
	return ctx, func() { stop(); cancel(nil) }
}

// dispatch hands the current part to a goroutine, which ends when the store has
// answered. It waits while enough parts are under way.
func (u *upload) dispatch(ctx context.Context, more bool) error {
	if u.o.MaxParts > 0 && (u.parts == u.o.MaxParts || more && u.parts+1 == u.o.MaxParts) {
		return fmt.Errorf("object: more than %d parts: %w", u.o.MaxParts, vfs.ErrTooLarge)
	}
	for !u.start() {
		select {
		case <-u.freed:
		case <-ctx.Done():
			if err := u.ready(); err != nil {
				return err
			}
			return context.Cause(ctx)
		}
	}
	u.pending = true
	u.parts++
	n, part := u.parts, u.cur
	u.limit = u.nextPart()
	part.hold = u.account.seal(u.limit)
	u.cur = nil
	u.wg.Go(func() {
		defer u.finish()
		defer part.close()
		if n == 1 {
			if err := u.sink.Begin(u.beginCtx); err != nil {
				u.fail(err)
				return
			}
			close(u.begun)
		}
		select {
		case <-u.begun:
		case <-u.ctx.Done():
		}
		if u.ctx.Err() != nil { // also where both are so: nothing is sent behind a failure
			return
		}
		ctx, stop := untilAnswered(u.ctx, part)
		defer stop()
		if err := u.sink.Part(ctx, n, part); err != nil {
			u.fail(err)
		}
	})
	return nil
}

// nextPart returns the size in blocks of the part that begins at the offset.
func (u *upload) nextPart() int {
	quarter := u.budget.Limit() / 4 &^ (1<<20 - 1)
	most := max(u.o.FirstPart, quarter)
	return blocks(min(u.o.PartSize(u.offset), most))
}

// start counts a part in if one more may be under way.
func (u *upload) start() bool {
	most := u.o.Parallel
	if most > 1 && u.budget.idle() {
		most *= 2
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.inFlight >= most {
		return false
	}
	u.inFlight++
	return true
}

func (u *upload) finish() {
	u.mu.Lock()
	u.inFlight--
	u.mu.Unlock()
	select {
	case u.freed <- struct{}{}:
	default:
	}
}

// fail keeps the first failure, ends what is under way and returns the first failure.
func (u *upload) fail(err error) error {
	u.mu.Lock()
	if u.err == nil {
		u.err = err
	} else if u.late == nil && err != u.err {
		u.late = err
	}
	err = u.err
	u.mu.Unlock()
	u.cancel(err)
	return err
}

// because returns err; when that is the end of the time for the commit, with what kept the parts so long.
func (u *upload) because(err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == context.DeadlineExceeded && u.late != nil {
		return fmt.Errorf("%w: %w", err, u.late)
	}
	return err
}

func (u *upload) failed() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// Commit implements Upload.
func (u *upload) Commit(ctx context.Context) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	if u.ended {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		u.fail(context.Cause(ctx))
		u.stopBegin()
	})
	defer stop()
	err := u.commit(ctx)
	if err != nil {
		u.fail(err)
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), u.o.AbortTimeout)
		defer cancel()
		aerr := u.abort(clean)
		err = u.because(err)
		if aerr != nil {
			err = errors.Join(err, aerr)
		}
	}
	u.end()
	return err
}

func (u *upload) commit(ctx context.Context) error {
	if err := cmp.Or(u.failed(), u.cut); err != nil {
		return err
	}
	if u.parts == 0 {
		if u.cur == nil {
			u.cur = &body{}
		}
		u.cur.hold = u.account.seal(0)
		return u.sink.Single(ctx, u.cur)
	}
	if u.cur != nil && u.cur.size > 0 {
		both, stop := u.either(ctx)
		defer stop()
		if err := u.dispatch(both, false); err != nil {
			return err
		}
	}
	u.wg.Wait()
	if err := u.failed(); err != nil {
		return err
	}
	return u.sink.Complete(ctx)
}

// Receipt implements Receipter.
func (u *upload) Receipt() Receipt {
	if r, ok := u.sink.(Receipter); ok {
		return r.Receipt()
	}
	return Receipt{}
}

// Abort implements Upload.
func (u *upload) Abort(ctx context.Context) error {
	u.fail(errAborted) // a Write or Commit under way returns
	u.writing.Lock()
	defer u.writing.Unlock()
	if u.ended {
		return nil
	}
	err := u.abort(ctx)
	u.end()
	return err
}

// abort waits for the parts under way, which end as the context of the parts is
// done, and has the sink clean up. A part that lands after the cleaning would stay for ever.
func (u *upload) abort(ctx context.Context) error {
	stop := context.AfterFunc(ctx, u.stopBegin)
	defer stop()
	u.wg.Wait()
	if !u.pending {
		return nil
	}
	u.pending = false
	return u.sink.Abort(ctx)
}

// end gives back all memory. The upload is over.
func (u *upload) end() {
	u.ended = true
	u.cancel(nil)
	u.stopBegin()
	if u.cur != nil {
		if u.cur.hold.b == nil {
			u.cur.hold = u.account.seal(0)
		}
		u.cur.close()
		u.cur = nil
		return
	}
	u.account.seal(0)
}
