package object

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// parkWait is how long a resume waits for an upload of this process that is being parked.
const parkWait = 5 * time.Second

// takenOver is how many numbers of parts stay free for a process whose upload another one goes on with: what it has under way may
// land behind that.
const takenOver = 32

// lookEvery is less than takenOver parts, with those under way, so that a process that does not know of the other one never comes to
// the other's numbers: what it stored there would count as the other's.
const lookEvery = 64 << 20

// parking is the right to park one upload that is under way in this process.
type parking struct {
	p    *Parks
	note note      // as it is, or will be, in the store
	base int64     // bytes before this upload's own
	kept bool      // there is a note in the store
	from time.Time // when the writing began
	// left is closed when the upload, which is being parked, has let go of its key; nil while it is under way.
	left chan struct{}
}

// begin takes key for a new upload, whoever had it: what is
// uploaded from its beginning replaces all that was before. The right to park it is nil where it cannot be.
func (p *Parks) begin(ctx context.Context, key string, o PutOptions) (Upload, *parking, error) {
	old, err := p.read(ctx, p.noteKey(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if err == nil && old.Key == key && old.Final != "" {
		// One that waits for its rename stays until the new one is whole, and so does its note: a cut leaves nothing.
		u, err := p.store.Put(ctx, key, o)
		return u, nil, err
	}
	k := &parking{p: p, from: time.Now(), note: note{Key: key, Type: o.ContentType, Absent: o.IfAbsent, Metadata: o.Metadata, Tags: o.Tags}}
	p.mu.Lock()
	before := p.busy[key]
	var left <-chan struct{}
	if before != nil {
		left = before.left
	}
	p.busy[key] = k
	p.mu.Unlock()
	looked := before == nil
	if left != nil { // what it is about to note is to be removed, too
		t := time.NewTimer(parkWait)
		defer t.Stop()
		select {
		case <-left:
			before = nil
		case <-t.C:
		case <-ctx.Done():
			k.release()
			return nil, nil, context.Cause(ctx)
		}
	}
	if !looked { // it may have written its note since the look
		old, err = p.read(ctx, p.noteKey(key))
	}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
	case err != nil || old.Key != key || !looked && old.Final != "":
		err = nil
	case before == nil || old.ID == "" || before.id() != old.ID:
		p.made.forget(key)
		err = p.drop(ctx, old)
	default: // one under way ends itself, but nobody goes on with it any more
		err = p.store.Delete(ctx, p.noteKey(key), old.etag)
		if errors.Is(err, vfs.ErrBusy) {
			err = nil
		}
	}
	var u Upload
	if err == nil {
		u, err = p.store.PutParkable(ctx, key, p.scratch("parts"), o, k.begun)
	}
	if err != nil {
		k.release()
		return nil, nil, err
	}
	return u, k, nil
}

func (k *parking) id() string {
	k.p.mu.Lock()
	defer k.p.mu.Unlock()
	return k.note.ID
}

// begun writes the note before the first part is stored, in the place of whatever cut upload was noted there. If it is the store's only
// trace of the upload, a crash leaves no more than a lifecycle rule finds. The note of a file that has become whole meanwhile and
// waits for its rename stays: that has had its 226.
func (k *parking) begun(ctx context.Context, id string) error {
	k.p.mu.Lock()
	k.note.ID, k.note.Runs = id, []run{{First: 1}}
	n, mine := k.note, k.p.busy[k.note.Key] == k
	k.p.mu.Unlock()
	if !mine {
		return nil
	}
	n.Nonce, n.By, n.Age = rand.Text(), k.p.self, time.Since(k.from)
	k.p.mu.Lock()
	k.note.Nonce, k.note.By = n.Nonce, n.By
	k.p.mu.Unlock()
	err, o := vfs.ErrBusy, PutOptions{IfAbsent: true}
	var old note // that is to be replaced
	for range holdTries {
		var etag string
		if etag, err = k.p.save(ctx, n, o); !errors.Is(err, vfs.ErrBusy) {
			if k.kept = err == nil; k.kept && old.Key == n.Key {
				if old.ID == n.ID {
					old.ID = ""
				}
				if old.Tail == n.Tail { // this upload has gone on with it
					old.Tail = ""
				}
				_ = k.p.forget(ctx, old) // of one that began later than this one, and was cut; or it is the janitor's
			}
			if k.kept && etag != "" && !k.owner() { // another one has begun meanwhile, and looked for the note before it was there
				k.kept = false
				if err = k.p.store.Delete(ctx, k.p.noteKey(n.Key), etag); errors.Is(err, vfs.ErrBusy) {
					err = nil
				}
			}
			return err
		}
		switch now, rerr := k.p.read(ctx, k.p.noteKey(n.Key)); {
		case errors.Is(rerr, fs.ErrNotExist):
			old, o = note{}, PutOptions{IfAbsent: true}
		case rerr != nil && !errors.Is(rerr, errBadNote): // which is worth nothing
			return errors.Join(err, rerr)
		case now.Nonce == n.Nonce: // the answer was lost
			k.kept = true
			return nil
		case now.Key == n.Key && now.Final != "":
			return fmt.Errorf("object: %q waits for its rename by now: %w", n.Key, vfs.ErrBusy)
		default:
			old, o = now, PutOptions{IfMatch: now.etag}
		}
	}
	return err
}

// taken returns vfs.ErrBusy if another process goes on with the parts of this upload.
func (k *parking) taken(ctx context.Context) error {
	k.p.mu.Lock()
	mine := k.note
	k.p.mu.Unlock()
	if mine.ID == "" {
		return nil
	}
	now, err := k.p.read(ctx, k.p.noteKey(mine.Key))
	if err == nil && now.ID == mine.ID && now.Nonce != mine.Nonce {
		return fmt.Errorf("object: another process goes on with %q: %w", mine.Key, vfs.ErrBusy)
	}
	return nil // or nobody knows; the end tells
}

// owner reports whether this upload still is the one that may be parked under its key.
func (k *parking) owner() bool {
	k.p.mu.Lock()
	defer k.p.mu.Unlock()
	return k.p.busy[k.note.Key] == k
}

// release ends the right.
func (k *parking) release() {
	k.p.mu.Lock()
	defer k.p.mu.Unlock()
	if k.p.busy[k.note.Key] == k {
		delete(k.p.busy, k.note.Key)
	}
	if k.left != nil {
		close(k.left)
		k.left = nil
	}
}

// take returns the right to go on with the upload of key. For one that is being parked it waits, as SIZE tells of
// it a moment before; one that is under way is vfs.ErrBusy.
func (p *Parks) take(ctx context.Context, key string) (*parking, error) {
	busy := fmt.Errorf("object: %q is being uploaded: %w", key, vfs.ErrBusy)
	k := &parking{p: p, kept: true, note: note{Key: key}}
	var late <-chan time.Time
	for {
		p.mu.Lock()
		other := p.busy[key]
		if other == nil {
			p.busy[key] = k
			p.mu.Unlock()
			return k, nil
		}
		left := other.left
		p.mu.Unlock()
		if left == nil {
			return nil, busy
		}
		if late == nil {
			t := time.NewTimer(parkWait)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-left:
		case <-late:
			return nil, busy
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// resume continues the parked upload of key at offset, -1 for its end, and
// returns where that is. Without such an upload all is nil.
func (p *Parks) resume(ctx context.Context, key string, offset int64) (u Upload, k *parking, at int64, err error) {
	if k, err = p.take(ctx, key); err != nil {
		return nil, nil, 0, err
	}
	defer func() {
		if u == nil {
			k.release()
			k = nil
		}
	}()
	pk, n, err := p.find(ctx, key)
	if errors.Is(err, errGone) {
		return nil, k, 0, errors.Join(err, p.drop(ctx, *n))
	}
	if errors.Is(err, errSuperseded) {
		return nil, k, 0, p.drop(ctx, *n)
	}
	if err == nil && pk == nil && n != nil {
		return nil, k, 0, errWaits(key, offset)
	}
	if err != nil || pk == nil {
		return nil, k, 0, err
	}
	if pk.size == 0 { // nothing of it has become durable
		return nil, k, 0, p.drop(ctx, *n)
	}
	if offset < 0 {
		offset = pk.size
	}
	if err := pk.cut(offset); err != nil {
		return nil, k, 0, err
	}
	next := pk.note
	k.from, next.Age = time.Now(), 0
	if next.Nonce = rand.Text(); next.By != p.self {
		next.By = p.self
		pk.last += takenOver
	}
	if next.ID != "" {
		next.Runs = pk.runs()
	}
	stale := ""
	if !pk.tail { // else it would count again where as many bytes stand before it
		stale = next.Tail
		next.Tail, next.Off, next.Size = "", 0, 0
	}
	// Taking it is a condition of the store: of two processes one gets it.
	if next.etag, err = p.save(ctx, next, PutOptions{IfMatch: pk.note.etag}); err != nil {
		return nil, k, 0, err
	}
	p.mu.Lock()
	k.note = next
	p.mu.Unlock()
	if stale != "" {
		_ = p.store.Delete(ctx, stale, "") // what cannot be removed now is the janitor's
	}
	o := PutOptions{ContentType: next.Type, IfAbsent: next.Absent, Metadata: next.Metadata, Tags: next.Tags}
	if next.ID != "" {
		u, err = p.store.Continue(ctx, key, next.ID, pk.parts, pk.last, o)
	} else {
		u, err = p.store.PutParkable(ctx, key, p.scratch("parts"), o, k.begun)
	}
	if err != nil {
		return nil, k, 0, err
	}
	k.base = offset
	if pk.tail {
		k.base = next.Off
		if err := p.load(ctx, u, next); err != nil {
			// As it was: what is in the store stays there. Without its tail it is worth nothing.
			err = errors.Join(err, leave(ctx, u))
			if errors.Is(err, errGone) && next.etag != "" {
				err = errors.Join(err, p.drop(ctx, next))
			}
			return nil, k, 0, err
		}
	}
	return u, k, offset, nil
}

// cut makes offset the end of the upload, if a part ends there.
func (pk *parked) cut(offset int64) error {
	if offset == pk.size {
		return nil
	}
	var at int64
	for i, part := range pk.parts {
		if at += part.Size; at == offset {
			pk.parts, pk.size, pk.tail = pk.parts[:i+1], at, false
			return nil
		}
	}
	return fmt.Errorf("object: %d is no place to continue: %w", offset, vfs.ErrBadOffset)
}

// runs names the parts that count, and makes room for new ones behind all that
// were ever stored: a part that does not count can have landed late.
func (pk *parked) runs() []run {
	var list []run
	for _, part := range pk.parts {
		if n := len(list); n > 0 && list[n-1].Last+1 == part.Number {
			list[n-1].Last = part.Number
			continue
		}
		list = append(list, run{part.Number, part.Number})
	}
	return append(list, run{First: pk.last + 1})
}

// load writes the tail to the upload that goes on behind it.
func (p *Parks) load(ctx context.Context, u Upload, n note) error {
	r, _, err := p.store.Get(ctx, n.Tail, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return errGone
	}
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.Copy(u, io.LimitReader(r, n.Size+1))
	if err == nil && got != n.Size {
		err = errGone
	}
	return err
}

// leave ends an upload and changes nothing in the store.
func leave(ctx context.Context, u Upload) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	return u.(Parkable).Park(ctx, nil)
}

// worth reports whether an upload that ended with err can be continued. What the store, or a limit, has
// refused will be refused again.
func worth(err error) bool {
	return !slices.ContainsFunc([]error{fs.ErrPermission, fs.ErrExist, vfs.ErrTooLarge, vfs.ErrQuota, vfs.ErrFull,
		vfs.ErrBadName, vfs.ErrIsDir, vfs.ErrNotDir}, func(no error) bool { return errors.Is(err, no) })
}

// park leaves the upload u, which was cut, in the store. If the note there is another's by now, who uploads
// the file anew, or goes on with it after taking this process for dead, theirs stays.
func (k *parking) park(ctx context.Context, u Upload) error {
	k.p.mu.Lock()
	k.left = make(chan struct{})
	k.p.mu.Unlock()
	defer k.release()
	return u.(Parkable).Park(ctx, k.save)
}

// save is called when no part of the upload is under way any more.
func (k *parking) save(ctx context.Context, before int64, tail Body) error {
	p, o := k.p, PutOptions{IfAbsent: true}
	mine := k.owner()
	if k.kept {
		now, err := p.read(ctx, p.noteKey(k.note.Key))
		switch {
		case err == nil && now.Nonce == k.note.Nonce:
			o = PutOptions{IfMatch: now.etag}
		case err == nil && now.ID == k.note.ID && now.ID != "":
			return nil // another process goes on with these parts
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		default:
			mine = false
			if k.note.Tail != "" && (err != nil || now.Tail != k.note.Tail) { // given up, and nobody else's
				if err := p.store.Delete(ctx, k.note.Tail, ""); err != nil {
					return err
				}
			}
		}
	}
	switch {
	case k.note.ID != "" && !(mine && k.kept): // nobody would find it
		return p.store.Forget(ctx, k.note.Key, k.note.ID)
	case !mine || tail == nil:
		return nil // the note, if there is one, is right as it is
	}
	next := k.note
	next.Nonce, next.By, next.Tail = rand.Text(), p.self, p.scratch("tails")
	next.Off, next.Size, next.Age = k.base+before, tail.Size(), time.Since(k.from)
	if _, err := p.store.Save(ctx, next.Tail, tail, PutOptions{}); err != nil {
		return err
	}
	if err := p.write(ctx, next, o); err != nil {
		return errors.Join(err, p.store.Delete(ctx, next.Tail, ""))
	}
	if k.note.Tail != "" {
		return p.store.Delete(ctx, k.note.Tail, "")
	}
	return nil
}

// over removes what was noted of an upload that has been completed, or given up. What cannot be removed
// now is the janitor's.
func (k *parking) over(ctx context.Context) error {
	defer k.release()
	var err error
	if k.note.Tail != "" {
		err = k.p.store.Delete(ctx, k.note.Tail, "")
	}
	if !k.kept {
		return err
	}
	now, rerr := k.p.read(ctx, k.p.noteKey(k.note.Key))
	if errors.Is(rerr, fs.ErrNotExist) || rerr == nil && (now.ID != k.note.ID || now.ID == "" && now.Nonce != k.note.Nonce) {
		return err // another's
	}
	if rerr == nil && now.Nonce != k.note.Nonce { // another process went on with it, and may have stored more
		rerr = k.p.forget(ctx, now)
	}
	if rerr == nil {
		rerr = k.p.store.Delete(ctx, k.p.noteKey(k.note.Key), now.etag)
	}
	return errors.Join(err, rerr)
}
