package object

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Parks keeps uploads that were cut, so that a client can go on with them: the
// parts that the store has stay there as a multipart upload, which nobody sees; what did not fill a part is put
// beside, as an object in the scratch place; and a note, another such object,
// says what belongs together. Nothing is kept in this process but which of the uploads are under way in
// it, so that another process goes on as well, also after this one was killed:
// then the parts are there, and the tail is lost.
//
// One Parks serves all trees of a back end. It is used by many goroutines at once.
type Parks struct {
	// Log is told what becomes of files that nobody has renamed; nil for slog.Default().
	Log *slog.Logger

	store  Continuer
	prefix string // ends with a slash
	look   int64  // after so many bytes an upload looks whether another process has gone on with it

	*running
}

// running is what the uploads of this process share.
type running struct {
	self string // names this process in notes
	mu   sync.Mutex
	busy map[string]*parking // by key: the upload that may park it
	made waiting
}

// NewParks returns the parks in the scratch place with that prefix, which ends with a
// slash. A store that cannot continue uploads gives errors.ErrUnsupported.
func NewParks(store Store, prefix string) (*Parks, error) {
	c, ok := store.(Continuer)
	if !ok {
		return nil, fmt.Errorf("object: park uploads: %w", errors.ErrUnsupported)
	}
	return &Parks{store: c, prefix: prefix, look: lookEvery, running: &running{self: rand.Text(), busy: make(map[string]*parking)}}, nil
}

// On returns the parks for a login that reaches the same bucket by another Store, and perhaps may use another
// scratch place only.
func (p *Parks) On(store Store, prefix string) (*Parks, error) {
	own, err := NewParks(store, prefix)
	if err == nil {
		own.running, own.Log = p.running, p.Log
	}
	return own, err
}

// find returns the upload of key that can be continued; nil where there is
// none, with its note where there is one of another kind. An upload that the store has forgotten gives errGone, and its note with it.
func (p *Parks) find(ctx context.Context, key string) (*parked, *note, error) {
	n, err := p.read(ctx, p.noteKey(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if n.Key != key { // two keys of one digest; or not ours
		return nil, nil, nil
	}
	if n.Final != "" {
		return nil, &n, nil
	}
	pk, err := p.count(ctx, n)
	if err != nil && !errors.Is(err, errGone) {
		return nil, nil, err
	}
	if err == nil && pk.size > 0 {
		a, herr := p.store.Head(ctx, key)
		if herr != nil && !errors.Is(herr, fs.ErrNotExist) {
			return nil, nil, herr
		}
		if herr == nil && newer(a, n.since()) {
			return nil, &n, errSuperseded
		}
	}
	return pk, &n, err
}

// errSuperseded: a file of the name of a cut upload has been stored since, by a user or a program that knows nothing of that.
var errSuperseded = errors.New("object: a newer file has the name of a cut upload")

// clockSkew is how far the times of one store may be apart that it gave at the same moment.
const clockSkew = 2 * time.Second

// newer reports whether an object was certainly stored after an upload had begun at that time. A large object may have the time at which its
// upload began.
func newer(a Attrs, since time.Time) bool { return a.Stored.After(since.Add(clockSkew)) }

// count asks the store how much there is of an upload.
func (p *Parks) count(ctx context.Context, n note) (*parked, error) {
	key := n.Key
	pk := &parked{note: n}
	if n.ID != "" {
		all, err := p.store.Parts(ctx, key, n.ID)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errGone
		}
		if err != nil {
			return nil, err
		}
		pk.parts = counted(all, n.Runs)
		for _, part := range all {
			pk.last = max(pk.last, part.Number)
		}
	}
	for _, part := range pk.parts {
		pk.size += part.Size
	}
	if n.Tail != "" && n.Off == pk.size {
		pk.tail = true
		pk.size += n.Size
	}
	return pk, nil
}

// errGone: the store has removed the parts of a parked upload, as a lifecycle rule does.
var errGone = fmt.Errorf("the upload to continue is gone: %w", vfs.ErrBadOffset)

// counted returns the parts that the runs name, up to the first that is missing.
func counted(all []Part, runs []run) []Part {
	byNumber := make(map[int]Part, len(all))
	for _, part := range all {
		byNumber[part.Number] = part
	}
	var list []Part
	for _, r := range runs {
		for i := r.First; r.Last == 0 || i <= r.Last; i++ {
			part, ok := byNumber[i]
			if !ok {
				return list
			}
			list = append(list, part)
		}
	}
	return list
}

// drop removes a parked upload that nobody is going to continue.
func (p *Parks) drop(ctx context.Context, n note) error {
	if err := p.forget(ctx, n); err != nil {
		return err // the note stays, so that the janitor finds the rest
	}
	err := p.store.Delete(ctx, p.noteKey(n.Key), n.etag)
	if errors.Is(err, vfs.ErrBusy) {
		err = nil // somebody has begun anew
	}
	return err
}

// forget removes what a note speaks of.
func (p *Parks) forget(ctx context.Context, n note) error {
	var errs []error
	if n.ID != "" {
		errs = append(errs, p.store.Forget(ctx, n.target(), n.ID))
	}
	if n.Tail != "" {
		errs = append(errs, p.store.Delete(ctx, n.Tail, ""))
	}
	return errors.Join(errs...)
}

// remove drops what is parked of key, and reports whether there was something. An
// upload that is under way here is left alone.
func (p *Parks) remove(ctx context.Context, key string) (bool, error) {
	p.mu.Lock()
	held := p.busy[key] != nil
	p.mu.Unlock()
	if held {
		return false, nil
	}
	n, err := p.read(ctx, p.noteKey(key))
	if errors.Is(err, fs.ErrNotExist) || err == nil && n.Key != key {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.made.forget(key)
	return true, p.drop(ctx, n)
}

// supplant is remove for a key that has got another file: an upload that is under way here ends itself, but nobody goes on with it.
func (p *Parks) supplant(ctx context.Context, key string) error {
	p.mu.Lock()
	under := p.busy[key]
	var left <-chan struct{}
	if under != nil {
		left = under.left
	}
	delete(p.busy, key)
	p.mu.Unlock()
	if left != nil { // what it is about to note is to be removed, too
		t := time.NewTimer(parkWait)
		defer t.Stop()
		select {
		case <-left:
			under = nil
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	n, err := p.read(ctx, p.noteKey(key))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && n.Key != key:
		return nil
	case err != nil:
		return err
	}
	p.made.forget(key)
	if under == nil || n.ID == "" || under.id() != n.ID {
		return p.drop(ctx, n)
	}
	if err = p.store.Delete(ctx, p.noteKey(key), n.etag); errors.Is(err, vfs.ErrBusy) {
		err = nil
	}
	return err
}
