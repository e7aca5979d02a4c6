package object

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Holder is a Store whose uploads can wait, whole and unseen, until somebody says that they are to be seen. The key
// that they get is fixed from the beginning.
type Holder interface {
	Continuer

	// Holds reports whether this bucket gains by it: one that renames without a copy does not.
	Holds() bool

	// PutHeld is Put of an upload whose Commit leaves it in the store, whole and unseen. Before it returns, held is
	// called with the id and all parts of the upload; an error of it is one of the Commit, which then removes the upload,
	// unless it is an [ErrInDoubt].
	PutHeld(ctx context.Context, key string, o PutOptions, held func(ctx context.Context, id string, parts []Part) error) (Upload, error)

	// Publish makes such an upload the object of its key, by any process. Of o it takes the conditions. An upload that
	// the store does not know gives fs.ErrNotExist, unless the object is what the upload would have become, as it is
	// when the answer to an earlier call was lost. Any error but that leaves the upload as it was. It returns the object's ETag,
	// empty where the store does not tell.
	Publish(ctx context.Context, key, id string, parts []Part, o PutOptions) (etag string, err error)
}

// ErrInDoubt means that nobody knows whether an upload that is held has been noted. It has to stay, as the note may speak of it by now.
var ErrInDoubt = fmt.Errorf("the note of the upload is in doubt: %w", vfs.ErrUnavailable)

const (
	// mostNoted is how many parts a note can hold; of more the store is asked.
	mostNoted = 500
	// holdTries is how often a note is written anew when others write it at the same time.
	holdTries = 16
	// mostMade is how many files that wait for a rename a process remembers, mostMadeParts of how many parts in all.
	mostMade      = 4096
	mostMadeParts = 64 << 10
)

// heldPart is a Part in a note.
type heldPart struct {
	Number int    `json:"n"`
	Size   int64  `json:"s"`
	ETag   string `json:"e,omitempty"`
	Sum    uint32 `json:"c"`
	Summed bool   `json:"d,omitempty"`
}

// attrs describe the file that waits.
func (n note) attrs() Attrs { return Attrs{Key: n.Key, Size: n.Whole, ModTime: n.At} }

// errWaits is the refusal to go on writing a file that waits for a rename.
func errWaits(key string, offset int64) error {
	kind := errors.ErrUnsupported
	if offset >= 0 {
		kind = vfs.ErrBadOffset // the client begins anew
	}
	return fmt.Errorf("object: %q is whole and waits for its rename: nothing can be added: %w", key, kind)
}

// waiting are the files that wait for a rename, as far as this process has made them.
type waiting struct {
	mu    sync.Mutex
	notes map[string]madeNote // by key
	parts int
}

type madeNote struct {
	note
	at    time.Time
	clear time.Time // when no directory had the final name
}

func (w *waiting) remember(n madeNote) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(n.Key)
	for len(w.notes) > 0 && (len(w.notes) >= mostMade || w.parts+len(n.Parts) > mostMadeParts) {
		for key := range w.notes { // any: forgetting costs one request
			w.drop(key)
			break
		}
	}
	if w.notes == nil {
		w.notes = make(map[string]madeNote)
	}
	n.at = time.Now()
	w.notes[n.Key] = n
	w.parts += len(n.Parts)
}

func (w *waiting) drop(key string) {
	w.parts -= len(w.notes[key].Parts)
	delete(w.notes, key)
}

func (w *waiting) forget(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(key)
}

// recent returns what this process has made a moment ago: another one may have done something with it, but a
// rename finds that out.
func (w *waiting) recent(key string) (madeNote, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, ok := w.notes[key]
	return n, ok && time.Since(n.at) < lookedFor
}

// still reports whether the upload is waiting, as far as this process knows.
func (w *waiting) still(key, id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, ok := w.notes[key]
	return ok && n.ID == id
}

// hold notes that an upload is whole and waits for its rename. What waited under the name before is removed
// once the new one is durable: of several the last one stays. With absent, one that is there is fs.ErrExist.
func (p *Parks) hold(ctx context.Context, n note, parts []Part, absent bool, clear time.Time) error {
	for _, part := range parts {
		n.Whole += part.Size
	}
	n.Nonce, n.At = rand.Text(), time.Now().UTC().Truncate(time.Second)
	if len(parts) <= mostNoted {
		for _, part := range parts {
			n.Parts = append(n.Parts, heldPart(part))
		}
		if data, err := json.Marshal(n); err != nil || len(data) > maxNote { // of a server with long ETags
			n.Parts = nil
		}
	}
	var (
		old note // that is to be replaced
		err error
		o   = PutOptions{IfAbsent: true}
	)
	for range holdTries {
		if n.etag, err = p.save(ctx, n, o); err == nil {
			p.noted(ctx, n, old, clear)
			return nil
		}
		if !errors.Is(err, vfs.ErrBusy) {
			break
		}
		now, rerr := p.read(ctx, p.noteKey(n.Key))
		switch {
		case errors.Is(rerr, fs.ErrNotExist):
			old, o = note{}, PutOptions{IfAbsent: true}
		case rerr != nil && !errors.Is(rerr, errBadNote): // which is worth nothing
			return p.unsure(old, errors.Join(err, rerr))
		case now.Nonce == n.Nonce: // an answer was lost
			n.etag = now.etag
			p.noted(ctx, n, old, clear)
			return nil
		case absent && errors.Is(err, fs.ErrExist) && now.Key == n.Key && now.Final != "":
			return fmt.Errorf("%q waits for a rename already: %w", n.Key, fs.ErrExist)
		default:
			old, o = now, PutOptions{IfMatch: now.etag}
		}
	}
	// It may have been stored all the same: then it is, and another one is not.
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	now, rerr := p.read(look, p.noteKey(n.Key))
	switch {
	case rerr == nil && now.Nonce == n.Nonce:
		n.etag = now.etag
		p.noted(look, n, old, clear)
		return nil
	case rerr != nil && !errors.Is(rerr, fs.ErrNotExist) && !errors.Is(rerr, errBadNote):
		return p.unsure(old, err)
	}
	return err
}

// noted is called when the note n is durable, perhaps in the place of an old one.
func (p *Parks) noted(ctx context.Context, n, old note, clear time.Time) {
	p.made.remember(madeNote{note: n, clear: clear})
	if old.Key == n.Key && old.ID != n.ID {
		// What cannot be removed now is the janitor's, the new file is what it is.
		_ = p.forget(ctx, old)
	}
}

// unsure is the error of a note that may have been stored. Where it would have taken the place of another one, that
// file is lost if this upload is removed.
func (p *Parks) unsure(old note, err error) error {
	if old.ID == "" {
		return err
	}
	return fmt.Errorf("%w: %w", ErrInDoubt, err)
}

// waits returns the file that waits under a name; nil where there is none.
func (p *Parks) waits(ctx context.Context, key string) (*madeNote, error) {
	if n, ok := p.made.recent(key); ok {
		return &n, nil
	}
	n, err := p.read(ctx, p.noteKey(key))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.made.forget(key)
		return nil, nil
	case err != nil:
		return nil, err
	case n.Key != key || n.Final == "":
		return nil, nil
	}
	return &madeNote{note: n}, nil
}

// publish makes the file that waits visible under its final key, and returns which that was, and the object's ETag: another
// process may have put another file in its place, and then that is the one.
func (p *Parks) publish(ctx context.Context, n note, absent bool) (_ note, etag string, _ error) {
	store := p.store.(Holder)
	for range holdTries {
		parts, err := p.parts(ctx, n)
		if err == nil {
			etag, err = store.Publish(ctx, n.Final, n.ID, parts, PutOptions{IfAbsent: absent})
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return n, etag, err
		}
		p.made.forget(n.Key)
		now, rerr := p.read(ctx, p.noteKey(n.Key))
		switch {
		case errors.Is(rerr, fs.ErrNotExist):
			return n, "", err
		case rerr != nil:
			return n, "", errors.Join(err, rerr)
		case now.ID == n.ID:
			return n, "", errors.Join(fmt.Errorf("the store has removed the upload: %w", err), p.drop(ctx, now))
		case now.Final != n.Final:
			return n, "", fmt.Errorf("another file has taken its place: %w", vfs.ErrBusy)
		}
		n = now
	}
	return n, "", fmt.Errorf("%q is stored again and again: %w", n.Key, vfs.ErrBusy)
}

// parts returns the parts of an upload that waits.
func (p *Parks) parts(ctx context.Context, n note) ([]Part, error) {
	if len(n.Parts) > 0 {
		parts := make([]Part, len(n.Parts))
		for i, part := range n.Parts {
			parts[i] = Part(part)
		}
		return parts, nil
	}
	parts, err := p.store.Parts(ctx, n.Final, n.ID)
	if err != nil {
		return nil, err
	}
	var size int64
	for _, part := range parts {
		size += part.Size
	}
	if size != n.Whole {
		return nil, fmt.Errorf("object: the parts of %q have %d bytes, not %d: %w", n.Key, size, n.Whole, vfs.ErrUnavailable)
	}
	return parts, nil
}

// settled removes the note of a file that waits no more. What cannot be removed now is the janitor's: until then the
// file seems to wait still, and a repeated rename is safe.
func (p *Parks) settled(ctx context.Context, n note) error {
	p.made.forget(n.Key)
	etag := n.etag
	if etag == "" { // the answer was lost
		now, err := p.read(ctx, p.noteKey(n.Key))
		if errors.Is(err, fs.ErrNotExist) || err == nil && now.Nonce != n.Nonce {
			return nil
		}
		if err != nil {
			return err
		}
		etag = now.etag
	}
	err := p.store.Delete(ctx, p.noteKey(n.Key), etag)
	if errors.Is(err, vfs.ErrBusy) || errors.Is(err, fs.ErrNotExist) {
		err = nil // another file waits there by now
	}
	return err
}

func (p *Parks) log() *slog.Logger { return cmp.Or(p.Log, slog.Default()) }
