// Package quota bounds what a user may keep in a tree: so many bytes, so many files.
//
// A [Book] has a ledger for each home: it counts the regular files in it by walking
// through them once, when the home is first opened, and from then on by what is
// done through the server. Several users of one home share its ledger. What others do to the files
// past the server is seen at the next count, see [Recount]; a home is counted again before anything in it
// is refused for its quota, if the last count is older than [Doubt].
//
//	book := &quota.Book{}
//	home, err := book.Open(ctx, "disk:/homes/joe", tree, quota.Limit{Bytes: 1 << 30})
//
// An upload takes its bytes from the allowance as they are written, so that many at
// once stay within it together, and what it replaces is given back as it begins. A write that
// does not fit fails with vfs.ErrQuota and the whole file with it.
//
// Counting is for trees in which listing is cheap: local disks. Links are not
// followed and count nothing.
package quota

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"sync"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Recount is how old a count may be when a home is opened; Doubt how old when something is refused.
const (
	Recount = time.Hour
	Doubt   = time.Minute
)

// Limit is what a home may hold; zero is no limit.
type Limit struct {
	Bytes int64
	Files int64
}

// Book has the ledgers of all homes. The zero value is empty and ready. It is safe for use by many goroutines.
type Book struct {
	mu      sync.Mutex
	ledgers map[string]*ledger
}

// Open returns fsys with the limit. Place names the tree: it is the same for all who
// share it. The first Open of a place counts what is there, and ctx may call that off.
func (b *Book) Open(ctx context.Context, place string, fsys afero.Fs, limit Limit) (*FS, error) {
	b.mu.Lock()
	if b.ledgers == nil {
		b.ledgers = map[string]*ledger{}
	}
	l := b.ledgers[place]
	if l == nil {
		l = &ledger{open: map[string]*entry{}}
		b.ledgers[place] = l
	}
	b.mu.Unlock()
	f := &FS{fsys: fsys, settled: fsys, l: l, limit: limit}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(vfs.WithContext(ctx, fsys), Recount); err != nil {
		return nil, fmt.Errorf("quota: count: %w", err)
	}
	return f, nil
}

// ledger is what is in one home. Commands that change it hold the lock; only the bytes of
// uploads move without.
type ledger struct {
	mu      sync.Mutex
	counted time.Time // zero: never, or in doubt
	used    Limit     // all but the files in open
	pending Limit     // the files in open as far as they are written
	open    map[string]*entry
}

// entry is a name that is being written to.
type entry struct {
	writers int
	bytes   int64 // in pending for it
	moved   bool  // what is written may have another name by now
}

// refresh counts anew what is older than the age. The lock is held.
func (l *ledger) refresh(fsys afero.Fs, age time.Duration) error {
	if !l.counted.IsZero() && time.Since(l.counted) < age {
		return nil
	}
	begun := time.Now()
	var used Limit
	if err := l.count(fsys, "/", &used); err != nil {
		return err
	}
	l.used, l.counted = used, begun
	return nil
}

// count adds up the regular files below dir, but for those that are being written.
func (l *ledger) count(fsys afero.Fs, dir string, sum *Limit) error {
	for fi, err := range vfs.List(fsys, dir) {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return nil // removed meanwhile, or nothing that the user could have written
		case err != nil:
			return err
		case fi.IsDir():
			if err := l.count(fsys, path.Join(dir, fi.Name()), sum); err != nil {
				return err
			}
		case fi.Mode().IsRegular() && l.open[path.Join(dir, fi.Name())] == nil:
			sum.Bytes += fi.Size()
			sum.Files++
		}
	}
	return nil
}

// left is what the limit leaves.
func (l *ledger) left(limit Limit) Limit {
	left := Limit{math.MaxInt64, math.MaxInt64}
	if limit.Bytes > 0 {
		left.Bytes = max(0, limit.Bytes-l.used.Bytes-l.pending.Bytes)
	}
	if limit.Files > 0 {
		left.Files = max(0, limit.Files-l.used.Files-l.pending.Files)
	}
	return left
}

// fits reports whether so much more may be stored, looking again where the count is in doubt.
func (l *ledger) fits(fsys afero.Fs, limit, more Limit) error {
	enough := func() bool { left := l.left(limit); return more.Bytes <= left.Bytes && more.Files <= left.Files }
	if !l.counted.IsZero() && enough() {
		return nil
	}
	if err := l.refresh(fsys, Doubt); err != nil {
		return err
	}
	if enough() {
		return nil
	}
	return vfs.ErrQuota
}

// size is what a name counts for now.
func size(fsys afero.Fs, name string) (n Limit) {
	if fi, err := vfs.Lstat(fsys, name); err == nil && fi.Mode().IsRegular() {
		return Limit{fi.Size(), 1}
	}
	return Limit{}
}

// begin makes an entry for a name that is going to be written to. Kept says that the old bytes stay.
// The lock is held.
func (l *ledger) begin(fsys afero.Fs, limit Limit, name string, kept int64) (*entry, error) {
	if err := l.refresh(fsys, Recount); err != nil {
		return nil, err
	}
	if e := l.open[name]; e != nil { // two who write one file pay twice until they have ended
		if err := l.fits(fsys, limit, Limit{Bytes: kept}); err != nil {
			return nil, err
		}
		e.writers++
		e.bytes += kept
		l.pending.Bytes += kept
		return e, nil
	}
	old := size(fsys, name)
	if err := l.fits(fsys, limit, Limit{kept - old.Bytes, 1 - old.Files}); err != nil {
		return nil, err
	}
	e := &entry{writers: 1, bytes: kept}
	l.used.Bytes -= old.Bytes
	l.used.Files -= old.Files
	l.pending.Bytes += kept
	l.pending.Files++
	l.open[name] = e
	return e, nil
}

// end settles what has become of a name once nobody writes to it any more.
func (l *ledger) end(fsys afero.Fs, name string, e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(fsys, name, e)
}

// settle is end with the lock held.
func (l *ledger) settle(fsys afero.Fs, name string, e *entry) {
	if e.writers--; e.writers > 0 {
		return
	}
	delete(l.open, name)
	l.pending.Bytes -= e.bytes
	l.pending.Files--
	now := size(fsys, name)
	l.used.Bytes += now.Bytes
	l.used.Files += now.Files
	if e.moved { // a count meanwhile has seen a part of it under its new name, and nobody knows which that is
		l.counted = time.Time{}
	}
}

// forget gives back what a name counted for that is gone or replaced.
func (l *ledger) forget(name string, old Limit) {
	if l.open[name] != nil {
		return // its end settles it
	}
	l.used.Bytes -= old.Bytes
	l.used.Files -= old.Files
}
