package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// writer is a file being written.
type writer struct {
	fs    *FS
	given string // the name as the caller wrote it
	name  string // clean
	u     Upload
	park  *parking // nil where a cut upload is discarded
	held  string   // the id of a file that waits for its rename once it is whole
	size  int64
	look  int64 // how large it was when it was last looked whether the upload is still this process's
	fresh bool  // nothing had the name when the file was opened to be appended to
	err   error // of the first Write that failed
	ended bool
}

var (
	_ afero.File  = (*writer)(nil)
	_ vfs.Aborter = (*writer)(nil)
	_ vfs.Storer  = (*writer)(nil)
)

func (w *writer) fail(op string, err error) error { return pathError(op, w.given, err) }

func (w *writer) Name() string { return w.given }

func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, w.fail("write", fs.ErrClosed)
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.park != nil && w.size-w.look >= w.park.p.look {
		w.look = w.size
		if err := w.park.taken(w.fs.ctx); err != nil {
			w.err = w.fail("write", err)
			return 0, w.err
		}
	}
	n, err := w.u.Write(p)
	w.size += int64(n)
	w.err = w.fail("write", err)
	return n, w.err
}

func (w *writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// WriteAt writes where Write would; anywhere else is errors.ErrUnsupported.
func (w *writer) WriteAt(p []byte, off int64) (int, error) {
	if off != w.size {
		return 0, w.fail("write", errors.ErrUnsupported)
	}
	return w.Write(p)
}

// Close commits: nil means that the store has the object, durably. It is not
// called off by the file system's context, as it is too late for that once the last
// byte is there, but has a limit of its own. After a failed Write, or Abort, nothing is committed.
func (w *writer) Close() error {
	if w.ended {
		return nil
	}
	if w.err != nil {
		if err := w.Abort(w.err); err != nil {
			return errors.Join(w.err, err)
		}
		return w.err
	}
	w.ended = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.fs.ctx), w.fs.t.o.CommitTimeout)
	defer cancel()
	alone := w.park != nil && w.park.owner() // else nothing has kept others from leaving something under the name
	err := w.u.Commit(ctx)
	if w.park != nil {
		// What could not be removed is the janitor's. The file is what it is.
		_ = w.park.over(ctx)
	}
	if err != nil {
		if w.fresh && errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: %w", vfs.ErrBusy, err) // somebody else has made it in the meantime
		}
		return w.fail("close", err)
	}
	w.fs.dirs.addParent(w.name)
	key := w.fs.t.prefix + strings.TrimPrefix(w.name, "/")
	if w.held != "" {
		w.fs.left.add(key, w.held)
		return nil
	}
	gone := w.fs.t.replaced
	if !alone {
		gone = w.fs.t.taken
	}
	if err := gone(ctx, key); err != nil {
		w.fs.t.log().Warn("a file is stored, and what was cut, or waits for its rename, under its name hides it", "key", key, "err", err)
	}
	return nil
}

// Stored implements vfs.Storer.
func (w *writer) Stored() vfs.Stored {
	s := vfs.Stored{Backend: w.fs.t.o.Name, Key: w.fs.t.prefix + strings.TrimPrefix(w.name, "/"), Size: w.size}
	if b, ok := w.fs.t.store.(Bucketer); ok {
		s.Bucket = b.Bucket()
	}
	if r, ok := w.u.(Receipter); ok {
		receipt := r.Receipt()
		s.Version, s.Checksum = receipt.Version, receipt.Checksum
	}
	return s
}

// Abort implements vfs.Aborter. With Options.Parks what has arrived is kept for a resume, unless the file was refused.
func (w *writer) Abort(cause error) error {
	if w.ended {
		return nil
	}
	w.ended = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.fs.ctx), w.fs.t.o.AbortTimeout)
	defer cancel()
	if w.park != nil && w.size > 0 && worth(w.err) && worth(cause) {
		return w.fail("park", w.park.park(ctx, w.u))
	}
	err := w.u.Abort(ctx)
	if w.park != nil {
		err = errors.Join(err, w.park.over(ctx))
	}
	return w.fail("abort", err)
}

func (w *writer) Stat() (os.FileInfo, error) {
	return fileInfo(w.name, Attrs{Size: w.size, ModTime: time.Now()}), nil
}

// Seek tells where the next byte goes; it moves nothing.
func (w *writer) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart {
		offset += w.size
	}
	if offset != w.size {
		return w.size, w.fail("seek", errors.ErrUnsupported)
	}
	return offset, nil
}

func (w *writer) Read([]byte) (int, error)           { return 0, w.fail("read", fs.ErrPermission) }
func (w *writer) ReadAt([]byte, int64) (int, error)  { return 0, w.fail("read", fs.ErrPermission) }
func (w *writer) Readdir(int) ([]os.FileInfo, error) { return nil, w.fail("readdir", vfs.ErrNotDir) }
func (w *writer) Readdirnames(int) ([]string, error) { return nil, w.fail("readdir", vfs.ErrNotDir) }
func (w *writer) Sync() error                        { return w.fail("sync", errors.ErrUnsupported) }

// Truncate accepts the size that the file has.
func (w *writer) Truncate(size int64) error {
	if size != w.size {
		return w.fail("truncate", errors.ErrUnsupported)
	}
	return nil
}
