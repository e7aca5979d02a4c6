package object

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// parkWait is how long a resume waits for an upload of this process that is being parked.
const parkWait = 5 * time.Second

// maxNote bounds what is read of an object that should be a note.
const maxNote = 64 << 10

// errBadNote: what should be a note is none.
var errBadNote = fmt.Errorf("not a note: %w", vfs.ErrUnavailable)

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

	*running
}

// running is what the uploads of this process share.
type running struct {
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
	return &Parks{store: c, prefix: prefix, running: &running{busy: make(map[string]*parking)}}, nil
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

// note is what the store keeps of an upload that is under way or parked, or whole and waiting for a rename.
type note struct {
	Key      string            `json:"key"`
	ID       string            `json:"id,omitempty"`     // of the upload; empty where no part was stored
	Runs     []run             `json:"runs,omitempty"`   // which of its parts count
	Type     string            `json:"type,omitempty"`   // media type
	Absent   bool              `json:"absent,omitempty"` // PutOptions.IfAbsent
	Metadata map[string]string `json:"metadata,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Tail     string            `json:"tail,omitempty"` // key of the tail
	Off      int64             `json:"off,omitempty"`  // where the tail begins
	Size     int64             `json:"size,omitempty"` // of the tail
	Nonce    string            `json:"nonce"`          // makes each note another object

	// Of an upload that waits for a rename: see held.go.
	Final string     `json:"final,omitempty"` // the key that it gets
	Whole int64      `json:"whole,omitempty"` // bytes
	At    time.Time  `json:"at,omitzero"`     // when it was whole
	Parts []heldPart `json:"parts,omitempty"` // unless they are too many for a note

	etag  string
	mtime time.Time
}

// run is a range of part numbers that were stored one behind the other. An open one has no last.
type run struct {
	First int `json:"first"`
	Last  int `json:"last,omitempty"`
}

// parked is an upload that can be continued.
type parked struct {
	note  note
	parts []Part // that count, without a hole
	last  int    // the highest number that the store has
	size  int64  // durable bytes, tail included
	tail  bool   // the tail follows the parts
}

func (p *Parks) noteKey(key string) string { return p.noteDir(path.Dir("/"+key)) + digest(key) }

// noteDir is the prefix of the notes of a directory's files.
func (p *Parks) noteDir(dir string) string {
	return p.prefix + "parked/" + digest(strings.Trim(dir, "/")) + "/"
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

func (p *Parks) scratch(kind string) string {
	return p.prefix + kind + "/" + strings.ToLower(rand.Text())
}

// read returns the note with that key; fs.ErrNotExist where there is none.
func (p *Parks) read(ctx context.Context, noteKey string) (note, error) {
	r, a, err := p.store.Get(ctx, noteKey, 0)
	if err != nil {
		return note{}, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxNote))
	if err != nil {
		return note{}, err
	}
	n := note{etag: a.ETag, mtime: a.ModTime}
	if err := json.Unmarshal(data, &n); err != nil {
		return note{etag: a.ETag}, fmt.Errorf("object: note %q: %w: %w", noteKey, errBadNote, err)
	}
	return n, nil
}

// target is the key that the store knows the upload by.
func (n note) target() string { return cmp.Or(n.Final, n.Key) }

// write stores a note in the place of the one that it was read from; another one there gives vfs.ErrBusy.
func (p *Parks) write(ctx context.Context, n note, o PutOptions) error {
	_, err := p.save(ctx, n, o)
	return err
}

// save is write that tells the note's ETag, empty where it is not known.
func (p *Parks) save(ctx context.Context, n note, o PutOptions) (string, error) {
	data, err := json.Marshal(n)
	if err != nil {
		return "", err
	}
	o.ContentType = "application/json"
	etag, err := p.store.Save(ctx, p.noteKey(n.Key), newPlain(data, p.store.Sums()), o)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: %w", vfs.ErrBusy, err)
	}
	return etag, err
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
	return pk, &n, err
}

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

// parking is the right to park one upload that is under way in this process.
type parking struct {
	p    *Parks
	note note  // as it is, or will be, in the store
	base int64 // bytes before this upload's own
	kept bool  // there is a note in the store
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
	k := &parking{p: p, note: note{Key: key, Type: o.ContentType, Absent: o.IfAbsent, Metadata: o.Metadata, Tags: o.Tags}}
	p.mu.Lock()
	before := p.busy[key]
	p.busy[key] = k
	p.mu.Unlock()
	if err == nil && old.Key == key && (before == nil || before.id() != old.ID) {
		p.made.forget(key)
		err = p.drop(ctx, old)
	} else {
		err = nil // one under way ends itself
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
	n.Nonce = rand.Text()
	k.note.Nonce = n.Nonce
	err, o := vfs.ErrBusy, PutOptions{IfAbsent: true}
	for range holdTries {
		if err = k.p.write(ctx, n, o); !errors.Is(err, vfs.ErrBusy) {
			k.kept = err == nil
			return err
		}
		switch now, rerr := k.p.read(ctx, k.p.noteKey(n.Key)); {
		case errors.Is(rerr, fs.ErrNotExist):
			o = PutOptions{IfAbsent: true}
		case rerr != nil && !errors.Is(rerr, errBadNote): // which is worth nothing
			return errors.Join(err, rerr)
		case now.Nonce == n.Nonce: // the answer was lost
			k.kept = true
			return nil
		case now.Key == n.Key && now.Final != "":
			return fmt.Errorf("object: %q waits for its rename by now: %w", n.Key, vfs.ErrBusy)
		default:
			o = PutOptions{IfMatch: now.etag}
		}
	}
	return err
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
	next.Nonce = rand.Text()
	if next.ID != "" {
		next.Runs = pk.runs()
	}
	// Taking it is a condition of the store: of two processes one gets it.
	if err := p.write(ctx, next, PutOptions{IfMatch: pk.note.etag}); err != nil {
		return nil, k, 0, err
	}
	p.mu.Lock()
	k.note = next
	p.mu.Unlock()
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
			// As it was: what is in the store stays there.
			return nil, k, 0, errors.Join(err, leave(ctx, u))
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

// worth reports whether an upload that ended with err can be continued. What the store has
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
		}
	}
	switch {
	case k.note.ID != "" && !(mine && k.kept): // nobody would find it
		return p.store.Forget(ctx, k.note.Key, k.note.ID)
	case !mine || tail == nil:
		return nil // the note, if there is one, is right as it is
	}
	next := k.note
	next.Nonce, next.Tail = rand.Text(), p.scratch("tails")
	next.Off, next.Size = k.base+before, tail.Size()
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
	if rerr == nil {
		rerr = k.p.store.Delete(ctx, k.p.noteKey(k.note.Key), now.etag)
	}
	return errors.Join(err, rerr)
}
