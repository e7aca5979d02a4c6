package object

import (
	"context"
	"io"
	"os"
	"time"
)

// listPage is how many keys are asked for at a time: the most that S3 gives.
const listPage = 1000

// lister reads the pages of a directory, one ahead of its caller.
type lister struct {
	ctx    context.Context
	cancel context.CancelFunc
	t      *tree
	prefix string

	// What is no object yet: parked uploads, and files that wait for their rename. They are known before the first page is given to
	// the caller, so that they take the place of an older object; the others come last.
	noted      map[string]Attrs // by key
	notedAhead chan error       // nil: they are there

	found   bool // the directory has a marker or an entry
	entries []os.FileInfo
	last    string    // the last directory of the page before, which some servers repeat
	ahead   chan page // of the page under way; nil: there is none
	err     error     // io.EOF after the last page
}

type page struct {
	Page
	err error
}

func newLister(ctx context.Context, t *tree, prefix string) *lister {
	l := &lister{t: t, prefix: prefix}
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.fetch("")
	l.fetchNoted()
	return l
}

// fetch asks for a page. Its goroutine ends with the answer, or when the
// context is done.
func (l *lister) fetch(token string) {
	ch := make(chan page, 1)
	l.ahead = ch
	go func() {
		p, err := l.t.store.List(l.ctx, l.prefix, token, listPage)
		if err == nil && p.Next == token && token != "" {
			err = io.ErrNoProgress // would never end
		}
		ch <- page{p, err}
	}()
}

// fill waits for a page with entries, or for the end.
func (l *lister) fill() error {
	for len(l.entries) == 0 && l.err == nil {
		p := <-l.ahead
		l.ahead = nil
		if err := l.waitNoted(); p.err == nil {
			p.err = err
		}
		switch {
		case p.err != nil:
			l.err = p.err
			if l.ctx.Err() != nil {
				l.err = context.Cause(l.ctx)
			}
			return l.err
		case p.Next != "":
			l.fetch(p.Next)
		default:
			l.err = io.EOF
		}
		if len(p.Objects)+len(p.Prefixes) > 0 {
			l.found = true
			l.merge(p.Page)
		}
		if l.err == io.EOF && len(l.noted) > 0 {
			l.found = true
			l.entries = append(l.entries, l.rest()...)
		}
	}
	return nil
}

// merge makes entries of a page, in the order of the keys. Objects and
// prefixes are two sorted lists.
func (l *lister) merge(p Page) {
	entries := make([]os.FileInfo, 0, len(p.Objects)+len(p.Prefixes))
	objects, prefixes := p.Objects, p.Prefixes
	for len(objects) > 0 || len(prefixes) > 0 {
		if len(prefixes) == 0 || len(objects) > 0 && objects[0].Key < prefixes[0] {
			o := objects[0]
			objects = objects[1:]
			if o.Key == "" || o.Key[len(o.Key)-1] == '/' {
				continue // a marker: of this directory, or one that comes as a prefix as well
			}
			if a, ok := l.noted[o.Key]; ok {
				if a.Stored.IsZero() || !newer(o, a.Stored) {
					o = a
				}
				delete(l.noted, a.Key)
			}
			if name, ok := entryName(o.Key, l.prefix); ok {
				entries = append(entries, fileInfo(name, o))
			}
			continue
		}
		dir := prefixes[0]
		prefixes = prefixes[1:]
		if dir == l.last || dir == l.t.hidden {
			continue
		}
		l.last = dir
		if name, ok := entryName(dir, l.prefix); ok {
			entries = append(entries, dirInfo(name, time.Time{}))
		}
	}
	l.entries = entries
}

// next returns up to n entries of the current page.
func (l *lister) next(n int) ([]os.FileInfo, error) {
	if err := l.fill(); err != nil {
		return nil, err
	}
	if len(l.entries) == 0 {
		return nil, l.err
	}
	n = min(n, len(l.entries))
	out := l.entries[:n:n]
	l.entries = l.entries[n:]
	return out, nil
}

// stop ends the page under way and waits for its goroutine.
func (l *lister) stop() {
	l.cancel()
	if l.ahead != nil {
		<-l.ahead
		l.ahead = nil
	}
	l.waitNoted()
	l.entries = nil
	l.err = io.EOF
}
