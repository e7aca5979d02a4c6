package object

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// mostListed is how many parked and waiting files of a directory its listing shows: each is a request, a
	// parked one two.
	mostListed = 1000
	// noteReaders is how many of these requests are under way at a time.
	noteReaders = 16
)

// notes are where the tree notes what is no object yet; nil for nowhere.
func (t *tree) notes() *Parks {
	if t.o.Pending != nil {
		return t.o.Pending
	}
	return t.o.Parks
}

// anyWaits reports whether files wait for their rename directly below a prefix. It asks nothing where no name could.
func (t *tree) anyWaits(ctx context.Context, prefix string) (bool, error) {
	if t.o.Pending == nil {
		return false, nil
	}
	found, _, err := t.noted(ctx, prefix)
	for key := range found {
		if _, ok := t.predict("/" + key); ok {
			return true, err
		}
	}
	return false, err
}

// anyWaitsBelow is anyWaits for all directories below the prefix as well, for what would lose sight of them. The keys of
// notes do not tell what is below what, so it looks at all there are, if they are not too many: files that it overlooks then stay
// where they are, and can be renamed from there.
func (t *tree) anyWaitsBelow(ctx context.Context, prefix string) (bool, error) {
	if any, err := t.anyWaits(ctx, prefix); any || err != nil || t.o.Pending == nil {
		return any, err
	}
	seen := 0
	for n, err := range t.o.Pending.notes(ctx) {
		switch {
		case err != nil:
			return false, err
		case n.err == nil && n.note.Final != "" && strings.HasPrefix(n.note.Key, prefix):
			if _, ok := t.predict("/" + n.note.Key); ok {
				return true, nil
			}
		case n.err != nil && !errors.Is(n.err, fs.ErrNotExist) && !errors.Is(n.err, errBadNote):
			return false, n.err
		}
		if seen++; seen >= mostListed {
			t.log().Warn("too many files are cut or wait for their rename: a directory is removed or renamed without a look at all of them",
				"prefix", prefix, "looked_at", seen)
			break
		}
	}
	return false, nil
}

// anyCutBelow reports whether cut uploads are shown anywhere below a prefix. Like anyWaitsBelow it looks at all notes there are, if they are not
// too many.
func (t *tree) anyCutBelow(ctx context.Context, prefix string) (bool, error) {
	if t.o.Parks == nil {
		return false, nil
	}
	seen := 0
	for n, err := range t.o.Parks.notes(ctx) {
		if err != nil {
			return false, err
		}
		if n.err == nil && n.note.Final == "" && strings.HasPrefix(n.note.Key, prefix) {
			pk, err := t.o.Parks.count(ctx, n.note)
			if err == nil && pk.size > 0 {
				return true, nil
			}
			if err != nil && !errors.Is(err, errGone) {
				return false, err
			}
		}
		if n.err != nil && !errors.Is(n.err, fs.ErrNotExist) && !errors.Is(n.err, errBadNote) {
			return false, n.err
		}
		if seen++; seen >= mostListed {
			t.log().Warn("too many files are cut or wait for their rename: a directory is renamed without a look at all of them",
				"prefix", prefix, "looked_at", seen)
			break
		}
	}
	return false, nil
}

// noted returns the files directly below a prefix that are no objects yet: one List, and one Get for each, two for one that was cut. It
// reports whether there are more than it has looked at.
func (t *tree) noted(ctx context.Context, prefix string) (found map[string]Attrs, more bool, err error) {
	p := t.notes()
	page, err := p.store.List(ctx, p.noteDir(prefix), "", mostListed)
	if err != nil || len(page.Objects) == 0 {
		return nil, false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	found = make(map[string]Attrs)
	var (
		next atomic.Int64
		wg   sync.WaitGroup
		mu   sync.Mutex
	)
	for range min(noteReaders, len(page.Objects)) {
		wg.Go(func() { // ends with the last note, or ctx
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(len(page.Objects)) {
					return
				}
				a, err := t.notedFile(ctx, prefix, page.Objects[i].Key)
				if err != nil {
					cancel(err)
					return
				}
				if a.Key != "" {
					mu.Lock()
					found[a.Key] = a
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	return found, page.Next != "", nil
}

// notedFile describes the file of a note below prefix, as SIZE does. It has no Key where there is nothing to show.
func (t *tree) notedFile(ctx context.Context, prefix, noteKey string) (Attrs, error) {
	p := t.notes()
	n, err := p.read(ctx, noteKey)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errBadNote): // it has ended meanwhile; it is nobody's
		return Attrs{}, nil
	case err != nil:
		return Attrs{}, err
	}
	if rest, ok := strings.CutPrefix(n.Key, prefix); !ok || strings.Contains(rest, "/") || p.noteKey(n.Key) != noteKey {
		return Attrs{}, nil
	}
	if n.Final != "" {
		if _, ok := t.predict("/" + n.Key); !ok {
			return Attrs{}, nil
		}
		return n.attrs(), nil
	}
	if t.o.Parks == nil {
		return Attrs{}, nil
	}
	pk, err := p.count(ctx, n)
	if errors.Is(err, errGone) {
		return Attrs{}, nil
	}
	if err != nil || pk.size == 0 {
		return Attrs{}, err
	}
	return Attrs{Key: n.Key, Size: pk.size, ModTime: n.mtime, Stored: n.since()}, nil
}

// fetchNoted asks for the files of the directory that are no objects yet. Its goroutine ends with the answer, or
// when the context is done.
func (l *lister) fetchNoted() {
	if l.t.notes() == nil {
		return
	}
	ch := make(chan error, 1)
	l.notedAhead = ch
	go func() {
		found, more, err := l.t.noted(l.ctx, l.prefix)
		if more {
			l.t.log().Warn("too many files of a directory are cut or wait for their rename: its listing leaves some of them out",
				"prefix", l.prefix, "shown", len(found))
		}
		l.noted = found
		ch <- err
	}()
}

// waitNoted waits for them, once.
func (l *lister) waitNoted() error {
	if l.notedAhead == nil {
		return nil
	}
	err := <-l.notedAhead
	l.notedAhead = nil
	return err
}

// rest are the noted files that took the place of no object.
func (l *lister) rest() []os.FileInfo {
	var entries []os.FileInfo
	for _, key := range slices.Sorted(maps.Keys(l.noted)) {
		if name, ok := entryName(key, l.prefix); ok {
			entries = append(entries, fileInfo(name, l.noted[key]))
		}
	}
	l.noted = nil
	return entries
}
