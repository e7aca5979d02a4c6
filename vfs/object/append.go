package object

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// abortTime bounds the cleaning up after a commit that failed, where nothing else is said.
const abortTime = 30 * time.Second

// Appender is a Store whose uploads can begin with bytes that it has already.
type Appender interface {
	// Append begins a new content for the object key: the first n bytes of
	// the one that is there, or all of it for n = -1, and behind them what is
	// written. It returns the offset at which writing begins.
	//
	// The object keeps its metadata. It is replaced by the commit, and only if it is
	// still the one that Append has found; else the commit, or a write before it, gives vfs.ErrBusy and
	// the other one's bytes stay. A missing object gives fs.ErrNotExist, and n behind its
	// end vfs.ErrBadOffset. Scratch is a key, free to use, for what has to be
	// stored beside the object meanwhile; nothing is left there.
	Append(ctx context.Context, key string, n int64, scratch string) (Upload, int64, error)
}

// OpenAt implements vfs.Resumer: the file begins with the bytes of the object that is there, which the
// store copies, and is replaced as a whole when it is closed. If another object has the
// name by then, the file is given up with vfs.ErrBusy.
func (f *FS) OpenAt(name string, offset int64) (afero.File, error) {
	w, err := f.openAt(name, offset)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return w, nil
}

func (f *FS) openAt(name string, offset int64) (*writer, error) {
	if offset < -1 {
		return nil, vfs.ErrBadOffset
	}
	key, err := f.newKey(name)
	if err != nil {
		return nil, err
	}
	w := &writer{fs: f, given: name, name: clean(name)}
	if f.dirs.has(w.name) {
		return nil, vfs.ErrIsDir
	}
	if n, err := f.t.waits(f.ctx, key); err != nil {
		return nil, err
	} else if n != nil {
		return nil, errWaits(key, offset)
	}
	if p := f.t.parks(f.ctx); p != nil {
		w.u, w.park, w.size, err = p.resume(f.ctx, key, offset)
		w.look = w.size
		if err != nil || w.u != nil {
			return w, err
		}
	}
	store, ok := f.t.store.(Appender)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	w.u, w.size, err = store.Append(f.ctx, key, offset, f.t.scratch("append"))
	if errors.Is(err, fs.ErrNotExist) && offset < 0 {
		if f.t.o.StrictClash {
			if err := f.noClash(w.name, key); err != nil {
				return nil, err
			}
		}
		w.fresh = true
		w.u, err = f.t.store.Put(f.ctx, key, PutOptions{IfAbsent: true, ContentType: contentType(w.name),
			Metadata: f.t.o.Metadata, Tags: f.t.o.Tags})
	}
	return w, err
}

// Headed returns u with bytes in front of what is written to it: open is called, once, at the first
// Write or at the Commit, and all that it gives is written first. Its context is done when the upload is aborted.
func Headed(ctx context.Context, u Upload, open func(ctx context.Context) (io.ReadCloser, error)) Upload {
	h := &headed{u: u, open: open}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	return h
}

type headed struct {
	u      Upload
	open   func(context.Context) (io.ReadCloser, error)
	ctx    context.Context
	cancel context.CancelCauseFunc
	err    error
}

// fill writes the head.
func (h *headed) fill(ctx context.Context) error {
	if h.open == nil || h.err != nil {
		return h.err
	}
	r, err := h.open(ctx)
	h.open = nil
	if err == nil {
		_, err = io.Copy(h.u, r)
		r.Close()
	}
	h.err = err
	return err
}

func (h *headed) Write(p []byte) (int, error) {
	if err := h.fill(h.ctx); err != nil {
		return 0, err
	}
	return h.u.Write(p)
}

func (h *headed) Commit(ctx context.Context) error {
	both, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.ctx, func() { cancel(errAborted) })
	err := h.fill(both)
	stop()
	cancel(nil)
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
		defer cancel()
		return errors.Join(err, h.u.Abort(clean))
	}
	defer h.cancel(nil)
	return h.u.Commit(ctx)
}

func (h *headed) Abort(ctx context.Context) error {
	h.cancel(errAborted)
	return h.u.Abort(ctx)
}

// Receipt implements Receipter.
func (h *headed) Receipt() Receipt {
	if r, ok := h.u.(Receipter); ok {
		return r.Receipt()
	}
	return Receipt{}
}
