package quota

import (
	"io/fs"
	"os"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// file is a file being written. It hides the system's file: the kernel would move bytes past the ledger.
type file struct {
	f    afero.File
	fs   *FS
	name string
	e    *entry
	at   int64 // where the next Write goes
	end  int64 // of what is paid for
	err  error // the first refusal: such a file is given up
	done bool
}

var (
	_ afero.File    = (*file)(nil)
	_ vfs.Aborter   = (*file)(nil)
	_ vfs.Publisher = (*file)(nil)
	_ vfs.Storer    = (*file)(nil)
)

// pay takes from the allowance what makes the file longer than it is.
func (f *file) pay(end int64) error {
	if f.err != nil || end <= f.end {
		return f.err
	}
	l := f.fs.l
	l.mu.Lock()
	defer l.mu.Unlock()
	more := end - f.end
	if err := l.fits(f.fs.fsys, f.fs.limit, Limit{Bytes: more}); err != nil {
		f.err = &fs.PathError{Op: "write", Path: f.name, Err: err}
		return f.err
	}
	f.e.bytes += more
	l.pending.Bytes += more
	f.end = end
	return nil
}

// settle is called once, when the file is closed or given up.
func (f *file) settle() {
	if !f.done {
		f.done = true
		f.fs.l.end(f.fs.settled, f.name, f.e)
	}
}

func (f *file) Close() error {
	if f.err != nil && !f.done {
		err := f.err
		_ = f.Abort(err) // the error that counts is the first
		return err
	}
	err := f.f.Close()
	f.settle()
	return err
}

func (f *file) Abort(cause error) error {
	err := vfs.Abort(f.f, cause)
	f.settle()
	return err
}

func (f *file) Write(p []byte) (int, error) {
	if err := f.pay(f.at + int64(len(p))); err != nil {
		return 0, err
	}
	n, err := f.f.Write(p)
	f.at += int64(n)
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.pay(off + int64(len(p))); err != nil {
		return 0, err
	}
	return f.f.WriteAt(p, off)
}

func (f *file) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

func (f *file) Truncate(size int64) error {
	if err := f.pay(size); err != nil {
		return err
	}
	return f.f.Truncate(size)
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	at, err := f.f.Seek(offset, whence)
	if err == nil {
		f.at = at
	}
	return at, err
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.f.Read(p)
	f.at += int64(n)
	return n, err
}

func (f *file) Publishes() bool                         { return vfs.Publishes(f.f) }
func (f *file) Stored() vfs.Stored                      { return vfs.StoredAs(f.f) }
func (f *file) Name() string                            { return f.f.Name() }
func (f *file) Sync() error                             { return f.f.Sync() }
func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }
func (f *file) Readdir(n int) ([]os.FileInfo, error)    { return f.f.Readdir(n) }
func (f *file) Readdirnames(n int) ([]string, error)    { return f.f.Readdirnames(n) }
func (f *file) Stat() (os.FileInfo, error)              { return f.f.Stat() }
