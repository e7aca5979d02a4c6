package object

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// Sweep removes from the scratch place what nobody is going to need: parked uploads that nobody went
// on with, and what killed processes have left, if it is older than olderThan. It returns how many objects
// and uploads it has removed, and goes on behind one that cannot be. What is
// under way in this process stays; where other processes use the place too, olderThan has to be longer
// than their longest upload.
func (p *Parks) Sweep(ctx context.Context, olderThan time.Duration) (int, error) {
	var (
		before = time.Now().Add(-olderThan)
		live   = p.live()
		n      int
		errs   []error
		unread bool // a note: nobody knows what it needs
	)
	fail := func(err error) {
		if len(errs) < 10 {
			errs = append(errs, err)
		}
	}
	// Notes first: they say what of the rest is still needed.
	for a, err := range p.notes(ctx) {
		if err != nil {
			return n, errors.Join(append(errs, err)...)
		}
		note := a.note
		switch {
		case errors.Is(a.err, fs.ErrNotExist): // it has ended meanwhile
			continue
		case a.err != nil:
			fail(a.err)
			unread = unread || !errors.Is(a.err, errBadNote)
			continue
		}
		if !a.ModTime.Before(before) || live[note.ID] || p.held(note.Key) {
			live[note.ID], live[note.Tail] = true, true
			delete(live, "")
			continue
		}
		if note.Final != "" {
			p.log().Warn("a file that nobody has renamed in time is removed", "key", note.Key, "final", note.Final, "size", note.Whole)
			p.made.forget(note.Key)
		}
		if err := p.drop(ctx, note); err != nil {
			fail(err)
			continue
		}
		n++
	}
	if unread {
		return n, errors.Join(errs...)
	}
	for a, err := range p.each(ctx, "") {
		if err != nil {
			return n, errors.Join(append(errs, err)...)
		}
		rest := strings.TrimPrefix(a.Key, p.prefix)
		if strings.HasPrefix(rest, "parked/") || !a.ModTime.Before(before) || live[a.Key] {
			continue
		}
		if i := strings.LastIndexByte(a.Key, '/'); live[a.Key[:i+1]] {
			continue
		}
		if err := p.store.Delete(ctx, a.Key, a.ETag); err != nil {
			fail(err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// Uploads returns the ids of the uploads that notes speak of, and that have to stay therefore.
func (p *Parks) Uploads(ctx context.Context) (map[string]bool, error) {
	ids := make(map[string]bool)
	for a, err := range p.notes(ctx) {
		if err != nil {
			return nil, err
		}
		switch {
		case errors.Is(a.err, fs.ErrNotExist), errors.Is(a.err, errBadNote):
		case a.err != nil:
			return nil, a.err
		case a.note.ID != "":
			ids[a.note.ID] = true
		}
	}
	return ids, nil
}

// live names the uploads under way in this process.
func (p *Parks) live() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	live := make(map[string]bool, len(p.busy))
	for _, k := range p.busy {
		live[k.note.ID], live[k.note.Tail] = true, true
	}
	delete(live, "")
	return live
}

func (p *Parks) held(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy[key] != nil
}

// storedNote is a note as it is in the store, or why it could not be read.
type storedNote struct {
	Attrs
	note note
	err  error
}

// notes gives all of them, in the order of their keys. A few are read at a time.
func (p *Parks) notes(ctx context.Context) func(yield func(storedNote, error) bool) {
	return func(yield func(storedNote, error) bool) {
		var batch []storedNote
		flush := func() bool {
			var wg sync.WaitGroup
			for i := range batch {
				wg.Go(func() { batch[i].note, batch[i].err = p.read(ctx, batch[i].Key) })
			}
			wg.Wait()
			for _, n := range batch {
				if !yield(n, nil) {
					return false
				}
			}
			batch = batch[:0]
			return true
		}
		for a, err := range p.each(ctx, "parked/") {
			if err != nil {
				if flush() {
					yield(storedNote{}, err)
				}
				return
			}
			if batch = append(batch, storedNote{Attrs: a}); len(batch) == noteReaders && !flush() {
				return
			}
		}
		flush()
	}
}

// each gives all objects of the scratch place below dir.
func (p *Parks) each(ctx context.Context, dir string) func(yield func(Attrs, error) bool) {
	return func(yield func(Attrs, error) bool) {
		for token := ""; ; {
			page, err := p.store.ListAll(ctx, p.prefix+dir, token, listPage)
			if err == nil && page.Next == token && token != "" {
				err = io.ErrNoProgress
			}
			if err != nil {
				yield(Attrs{}, err)
				return
			}
			for _, a := range page.Objects {
				if !yield(a, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			token = page.Next
		}
	}
}
