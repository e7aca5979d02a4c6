package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

const (
	// rangeSize is how many bytes a download asks for at a time. A file up to that size is one request.
	rangeSize = 8 << 20
	// mostRanges is how many requests of one download are under way at a time.
	mostRanges = 8
	// judgeAfter is how many bytes go by before the number of requests is thought over.
	judgeAfter = 1 << 20
	// readAtOnce is how many bytes are read with one request in any case: clients that read
	// the head of a file and call the rest off are not worth a second one.
	readAtOnce = rangeSize / 2
)

// window is the content of an object from an offset on, read range by range.
//
// The first request asks for the first range and so tells the size: a small
// file is exactly one request. All others are pinned to the object that the first has found; a
// change in the middle ends the stream with vfs.ErrBusy.
//
// The range that the client reads comes right from its connection and needs no
// memory. Where the client waits for the store, ranges behind it are fetched at
// the same time, up to eight, into memory of the budget that no upload wants. A
// client that is slower than one connection has one.
type window struct {
	ctx    context.Context
	cancel context.CancelFunc
	t      *tree
	key    string
	a      Attrs

	begin  int64         // where the client has begun
	off    int64         // of the next byte for the client
	end    int64         // of the ranges asked for
	head   io.ReadCloser // being read; nil when the first of ahead is, or nothing was asked for
	left   int64         // bytes of head to come
	ahead  []*ahead      // the ranges behind head
	want   int           // requests that should be under way
	last   time.Time     // when the client was given the last bytes
	waited time.Duration // the client waited for the store
	busy   time.Duration // the store waited for the client
	moved  int64         // bytes since want was thought over
}

// openWindow sends the first request. What is known of the object from an
// earlier one is in known; a zero Attrs means nothing.
func openWindow(ctx context.Context, t *tree, key string, known Attrs, off int64) (*window, error) {
	w := &window{t: t, key: key, a: known, begin: off, off: off, want: 1, last: time.Now()}
	w.ctx, w.cancel = context.WithCancel(ctx)
	body, a, err := t.store.GetRange(w.ctx, key, known.ETag, off, rangeSize)
	if err == nil && known.Key != "" && changed(a, known) {
		body.Close()
		err = vfs.ErrBusy
	}
	if err != nil {
		w.cancel()
		return nil, err
	}
	w.a, w.head = a, body
	w.end = min(off+rangeSize, a.Size)
	w.left = w.end - off
	return w, nil
}

// changed reports whether two answers are about different contents. A server
// that gives no ETag is known by size and time.
func changed(a, b Attrs) bool {
	return a.ETag != b.ETag || a.Size != b.Size || a.ETag == "" && !a.ModTime.Equal(b.ModTime)
}

// get asks for a range of the same object.
func (w *window) get(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	body, a, err := w.t.store.GetRange(ctx, w.key, w.a.ETag, off, n)
	if err == nil && changed(a, w.a) {
		body.Close()
		err = errors.New("the object is another one")
	} else if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrBadOffset) && !errors.Is(err, vfs.ErrBusy) {
		return body, err
	}
	// Deleted, or replaced: in the middle of a file that is all the same.
	return nil, fmt.Errorf("%w: %q has changed while it was read: %v", vfs.ErrBusy, w.key, err)
}

func (w *window) Read(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx) // also where bytes are left in a buffer
	}
	now := time.Now()
	w.busy += now.Sub(w.last)
	n, err := w.read(p)
	w.last = time.Now()
	w.waited += w.last.Sub(now)
	w.off += int64(n)
	if w.moved += int64(n); w.moved >= judgeAfter && w.off >= w.begin+readAtOnce && w.off < w.a.Size {
		w.judge()
	}
	return n, err
}

// judge decides how many requests there should be.
func (w *window) judge() {
	switch {
	case 2*w.waited > w.busy:
		w.want = min(w.want+1, mostRanges)
	case 10*w.waited < w.busy:
		w.want = max(w.want-1, 1)
	}
	w.moved, w.waited, w.busy = 0, 0, 0
	for w.t.o.Budget != nil && w.end < w.a.Size && len(w.ahead)+1 < w.want {
		n := min(rangeSize, w.a.Size-w.end)
		a := readAhead(w.ctx, w.t.o.Budget, w.end, n, w.get)
		if a == nil {
			return // no memory to spare
		}
		w.ahead = append(w.ahead, a)
		w.end += n
	}
}

// read reads from the first range.
func (w *window) read(p []byte) (int, error) {
	for {
		switch {
		case w.off >= w.a.Size:
			return 0, io.EOF
		case w.head != nil:
			n, err := w.head.Read(p[:min(int64(len(p)), w.left)])
			if w.left -= int64(n); w.left > 0 {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return n, err
			}
			w.head.Close()
			w.head = nil
			return n, nil
		case len(w.ahead) > 0:
			a := w.ahead[0]
			n, err := a.next(w.ctx, p)
			if err == nil {
				return n, nil
			}
			a.close()
			w.ahead = w.ahead[1:]
			if errors.Is(err, errRevoked) {
				err = w.open(a.off + a.size - w.off)
			}
			if err != nil && err != io.EOF {
				return 0, err
			}
		default:
			n := min(rangeSize, w.a.Size-w.end)
			w.end += n
			if err := w.open(n); err != nil {
				return 0, err
			}
		}
	}
}

// open asks for the next n bytes, to be read from the connection.
func (w *window) open(n int64) (err error) {
	w.head, err = w.get(w.ctx, w.off, n)
	w.left = n
	return err
}

// Close ends all requests at once, in the middle of their bodies if need be,
// and gives the memory back.
func (w *window) Close() error {
	w.cancel()
	if w.head != nil {
		w.head.Close()
		w.head = nil
	}
	for _, a := range w.ahead {
		a.close()
	}
	w.ahead = nil
	return nil
}
