package object

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
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
	for a, err := range p.each(ctx, "parked/") {
		if err != nil {
			return n, errors.Join(append(errs, err)...)
		}
		note, err := p.read(ctx, a.Key)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it has ended meanwhile
			continue
		case err != nil:
			fail(err)
			unread = unread || !errors.Is(err, errBadNote)
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
	for a, err := range p.each(ctx, "parked/") {
		if err != nil {
			return nil, err
		}
		switch note, err := p.read(ctx, a.Key); {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errBadNote):
		case err != nil:
			return nil, err
		case note.ID != "":
			ids[note.ID] = true
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
