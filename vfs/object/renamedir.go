package object

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

const (
	// renameWorkers is how many objects of a directory are copied or removed at once.
	renameWorkers = 16
	// deleteBatch is how many objects one request removes: the most that S3 takes.
	deleteBatch = 1000
	// noteDir holds the notes of directory renames under way, in the scratch place: there the janitor finds one that nobody has
	// needed again, and it keeps no home from being removed.
	noteDir = "rename/"
	// noteFor is how long a note counts: a rename that was broken off has been repeated by then.
	noteFor = 24 * time.Hour
)

// dirRename is the renaming of a directory: of all keys below one prefix, one by one. Its
// order loses nothing whenever it ends:
//
//  1. All keys below the old prefix are listed. Too many, an archived object
//     or a name that gets too long are refusals, with nothing done.
//  2. A note is stored that says which directory becomes which.
//  3. All are copied, by some workers at once, each pinned to its ETag. A file that somebody stores
//     below the new name meanwhile is not replaced: that is the end, before anything is deleted.
//  4. The old prefix is listed again. What is new or has changed is copied, once.
//  5. The new prefix is listed, and the note gets what the copies are.
//  6. What has been copied, and nothing else, is deleted, if it still has the ETag, and its copy is there.
//  7. The note is removed.
//
// Broken off before 6 the old directory is whole; after that the new one. A
// repetition finds the note, takes the new directory for its own
// although it is not empty, and comes to the same end. It replaces what an earlier try has copied, by the note or
// by its content; any other file is somebody's who has stored it since, and a refusal with nothing done. In a store
// that can move objects, 3 and 6 are one step for each object.
type dirRename struct {
	f        *FS
	src, dst string // prefixes with their slash
	move     bool   // the store is a Mover that can

	mu     sync.Mutex
	copied map[string]Attrs  // by source key
	ours   map[string]bool   // by source key: the target may be replaced
	copies map[string]string // ETags of what this rename, or an earlier try of it, has copied, by the key below the new prefix
	err    error             // the first that is not only about one object that has changed
	busy   error             // an object changed while it was copied
}

// renameNote is what the note of a rename says.
type renameNote struct {
	From   string            `json:"from"`
	To     string            `json:"to"`
	Copies map[string]string `json:"copies,omitempty"` // see dirRename
}

// mostCopies bounds what is read of a note.
const mostCopies = 256 << 20

func (f *FS) renameDir(oldname, newname, src, dst string) error {
	if _, err := f.statDir(oldname); err != nil {
		return err
	}
	if any, err := f.t.anyWaitsBelow(f.ctx, src); err != nil {
		return err
	} else if any {
		return fmt.Errorf("files in it wait for their own rename: %w", vfs.ErrBusy)
	}
	if strings.HasPrefix(dst, src) {
		return fmt.Errorf("a directory into itself: %w", vfs.ErrBadName)
	}
	// A file of the new name, or above it.
	if _, err := f.t.store.Head(f.ctx, strings.TrimSuffix(dst, "/")); err == nil {
		return vfs.ErrNotDir
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f.t.o.RenameDirMax < 0 {
		return fmt.Errorf("renaming directories is off: %w", errors.ErrUnsupported)
	}
	r := &dirRename{f: f, src: src, dst: dst, copied: make(map[string]Attrs), ours: make(map[string]bool)}
	if err := r.run(); err != nil {
		return err
	}
	f.dirs.forget(oldname)
	f.dirs.addParent(oldname)
	f.dirs.add(newname)
	f.dirs.addParent(newname)
	return nil
}

func (r *dirRename) run() error {
	f := r.f
	marker, taken, err := f.peek(f.ctx, r.dst, 2)
	if err != nil {
		return err
	}
	if !taken { // a cut upload is listed, so the directory is not free
		if any, err := f.t.anyCutBelow(f.ctx, r.dst); err != nil || any {
			return cmp.Or(err, vfs.ErrNotEmpty)
		}
	}
	if m, ok := f.t.store.(PrefixMover); ok && !taken && marker.Key == "" {
		if err := m.MovePrefix(f.ctx, r.dst, r.src); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if taken {
		// Somebody's directory, or what an earlier try has left?
		n, err := f.t.store.Head(f.ctx, r.note())
		if errors.Is(err, fs.ErrNotExist) || err == nil && time.Since(n.ModTime) > noteFor {
			return vfs.ErrNotEmpty
		}
		if err != nil {
			return err
		}
		if r.copies, err = r.readNote(); err != nil {
			return err
		}
	}
	found, err := r.list()
	if err != nil {
		return err
	}
	if taken {
		if err := r.claim(found); err != nil {
			return err
		}
	}
	if len(found) > 0 { // else it is a directory of this session alone
		if err := r.writeNote(); err != nil {
			return err
		}
	}
	_, r.move = f.t.store.(Mover)
	if err := r.each(found, r.transfer); err != nil {
		return err
	}
	again, err := r.list()
	if err != nil {
		return err
	}
	r.busy = nil
	late := slices.DeleteFunc(again, func(a Attrs) bool {
		c, ok := r.copied[a.Key]
		return ok && c.ETag == a.ETag
	})
	if err := r.each(late, r.transfer); err != nil {
		return err
	}
	if len(r.copied) > 0 {
		if err := r.noteCopies(); err != nil {
			return err
		}
	}
	if len(late) > 0 {
		// That may have taken long, and not every store compares before it deletes.
		if err := r.unchanged(); err != nil {
			return err
		}
	}
	if err := r.deleteCopied(); err != nil {
		return err
	}
	if r.busy != nil {
		return r.busy // the old directory keeps what has changed twice
	}
	if len(found) == 0 {
		return nil
	}
	// A note that stays does no harm: it stands for an empty directory.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), f.t.o.AbortTimeout)
	defer cancel()
	f.t.store.Delete(ctx, r.note(), "")
	return nil
}

// list returns all objects below the old prefix, its marker included.
func (r *dirRename) list() ([]Attrs, error) {
	f := r.f
	var all []Attrs
	for token := ""; ; {
		p, err := f.t.store.ListAll(f.ctx, r.src, token, listPage)
		if err != nil {
			return nil, err
		}
		for _, a := range p.Objects {
			switch {
			case len(all) >= f.t.o.RenameDirMax:
				return nil, fmt.Errorf("more than %d objects: %w", f.t.o.RenameDirMax, errors.ErrUnsupported)
			case archived(a.Class):
				return nil, fmt.Errorf("%q: %w", a.Key, vfs.ErrArchived)
			case len(r.target(a.Key)) > maxKey:
				return nil, fmt.Errorf("%q: %w", r.target(a.Key), vfs.ErrBadName)
			}
			all = append(all, a)
		}
		if p.Next == "" || p.Next == token {
			return all, nil
		}
		token = p.Next
	}
}

// archived reports whether objects of a class of S3 have to be restored before they can be copied.
func archived(class string) bool { return class == "GLACIER" || class == "DEEP_ARCHIVE" }

func (r *dirRename) target(key string) string { return r.dst + key[len(r.src):] }

// note returns the key of the note.
func (r *dirRename) note() string {
	sum := sha256.Sum256([]byte(r.src + "\x00" + r.dst))
	return r.f.t.hidden + noteDir + hex.EncodeToString(sum[:])
}

func (r *dirRename) writeNote() error {
	u, err := r.f.t.store.Put(r.f.ctx, r.note(), PutOptions{ContentType: "application/json"})
	if err != nil {
		return err
	}
	if err = json.NewEncoder(u).Encode(renameNote{r.src, r.dst, r.copies}); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.f.ctx), r.f.t.o.AbortTimeout)
		defer cancel()
		return errors.Join(err, u.Abort(ctx))
	}
	ctx, cancel := context.WithTimeout(r.f.ctx, r.f.t.o.CommitTimeout)
	defer cancel()
	return u.Commit(ctx)
}

// readNote returns what the note says has been copied: nothing where an earlier version has written it.
func (r *dirRename) readNote() (map[string]string, error) {
	body, _, err := r.f.t.store.Get(r.f.ctx, r.note(), 0)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, mostCopies))
	if err != nil {
		return nil, err
	}
	var n renameNote
	if json.Unmarshal(data, &n) != nil || n.From != r.src || n.To != r.dst {
		return nil, nil
	}
	return n.Copies, nil
}

// targets returns which of the sources have something at their new key already, by that key. There may be any number of other objects.
func (r *dirRename) targets(sources iter.Seq[string]) (map[string]Attrs, error) {
	wanted := make(map[string]struct{})
	for key := range sources {
		wanted[r.target(key)] = struct{}{}
	}
	have := make(map[string]Attrs, len(wanted))
	for token := ""; ; {
		p, err := r.f.t.store.ListAll(r.f.ctx, r.dst, token, listPage)
		if err != nil {
			return nil, err
		}
		for _, a := range p.Objects {
			if _, ok := wanted[a.Key]; ok {
				have[a.Key] = a
			}
		}
		if p.Next == "" || p.Next == token {
			return have, nil
		}
		token = p.Next
	}
}

// claim finds out which of the objects that are to be renamed have a copy of an earlier try already. What is in the place
// of such a copy and is none, somebody else has stored: vfs.ErrNotEmpty.
func (r *dirRename) claim(found []Attrs) error {
	have, err := r.targets(func(yield func(string) bool) {
		for _, a := range found {
			if !yield(a.Key) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	var unknown []Attrs
	for _, a := range found {
		t, ok := have[r.target(a.Key)]
		if !ok || isMarker(a.Key) {
			continue
		}
		if r.copies[a.Key[len(r.src):]] == t.ETag && t.ETag != "" {
			r.ours[a.Key] = true
			continue
		}
		unknown = append(unknown, a)
	}
	return r.each(unknown, func(ctx context.Context, a Attrs) error {
		same, err := r.f.t.sameContent(ctx, a, have[r.target(a.Key)])
		if errors.Is(err, fs.ErrNotExist) { // one of them has gone this moment
			err = fmt.Errorf("%w: %w", vfs.ErrBusy, err)
		}
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("%q has been stored since: %w", r.target(a.Key), vfs.ErrNotEmpty)
		}
		r.mu.Lock()
		r.ours[a.Key] = true
		r.mu.Unlock()
		return nil
	})
}

// noteCopies notes what the copies are, before their sources go, and forgets those that somebody has taken away.
func (r *dirRename) noteCopies() error {
	have, err := r.targets(maps.Keys(r.copied))
	if err != nil {
		return err
	}
	if r.copies == nil {
		r.copies = make(map[string]string)
	}
	for key, a := range r.copied {
		if isMarker(key) {
			continue
		}
		t, ok := have[r.target(key)]
		if !ok || t.Size != a.Size {
			r.busy = fmt.Errorf("the copy %q has been removed or replaced: %w", r.target(key), vfs.ErrBusy)
			delete(r.copied, key)
			continue
		}
		r.copies[key[len(r.src):]] = t.ETag
	}
	return r.writeNote()
}

// unchanged forgets the copies whose sources have changed since.
func (r *dirRename) unchanged() error {
	now, err := r.list()
	if err != nil {
		return err
	}
	for _, a := range now {
		if c, ok := r.copied[a.Key]; ok && c.ETag != a.ETag {
			r.busy = fmt.Errorf("%q has changed again: %w", a.Key, vfs.ErrBusy)
			delete(r.copied, a.Key)
		}
	}
	return nil
}

func isMarker(key string) bool { return strings.HasSuffix(key, "/") }

// each gives the objects to some workers, which end when all is done or at the first
// error; it returns that error.
func (r *dirRename) each(objects []Attrs, do func(context.Context, Attrs) error) error {
	ctx, cancel := context.WithCancelCause(r.f.ctx)
	defer cancel(nil)
	work := make(chan Attrs)
	var wg sync.WaitGroup
	for range min(renameWorkers, len(objects)) {
		wg.Go(func() {
			for a := range work {
				if err := do(ctx, a); err != nil {
					r.mu.Lock()
					r.err = cmp.Or(r.err, err)
					r.mu.Unlock()
					cancel(err)
				}
			}
		})
	}
	for _, a := range objects {
		select {
		case work <- a:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	wg.Wait()
	if r.err == nil && ctx.Err() != nil {
		r.err = context.Cause(ctx)
	}
	return r.err
}

// transfer copies one object, or moves it. An object that vanishes or changes in that moment is no
// error: the second listing will tell.
func (r *dirRename) transfer(ctx context.Context, a Attrs) error {
	dst := r.target(a.Key)
	o := CopyOptions{IfAbsent: !isMarker(a.Key) && !r.replaces(a), Look: true}
	if m, ok := r.f.t.store.(Mover); ok && r.moving() {
		err := m.Move(ctx, dst, a, o)
		if !errors.Is(err, errors.ErrUnsupported) {
			return r.settled(a, err, false)
		}
		r.mu.Lock()
		r.move = false
		r.mu.Unlock()
	}
	err := r.f.t.store.Copy(ctx, dst, a, o)
	if err != nil && a.Size == 0 && isMarker(a.Key) && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		// versitygw makes directories of markers, and does not copy them.
		err = r.f.putMarker(ctx, dst, false)
	}
	if errors.Is(err, fs.ErrExist) {
		// Perhaps it is the copy, of a request whose answer was lost.
		if t, herr := r.f.t.store.Head(ctx, dst); herr == nil {
			if same, serr := r.f.t.sameContent(ctx, a, t); serr == nil && same {
				err = nil
			}
		}
	}
	return r.settled(a, err, true)
}

func (r *dirRename) moving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.move
}

// replaces reports whether the target is a copy of ours, which the object may replace.
func (r *dirRename) replaces(a Attrs) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, copied := r.copied[a.Key]
	return copied || r.ours[a.Key]
}

func (r *dirRename) settled(a Attrs, err error, copied bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrExist): // before ErrBusy: a store says both
		return fmt.Errorf("somebody has stored %q meanwhile: %w: %w", r.target(a.Key), vfs.ErrNotEmpty, err)
	case errors.Is(err, vfs.ErrBusy), errors.Is(err, fs.ErrNotExist):
		r.busy = fmt.Errorf("%w: %w", vfs.ErrBusy, err)
		return nil
	case err == nil && copied:
		r.copied[a.Key] = a
	}
	return err
}

// deleteCopied removes what has been copied: files first, then markers from the inside
// out, as stores that are directories underneath refuse it the other way.
func (r *dirRename) deleteCopied() error {
	var files, markers []Attrs
	for _, a := range r.copied {
		if isMarker(a.Key) {
			markers = append(markers, a)
		} else {
			files = append(files, a)
		}
	}
	slices.SortFunc(markers, func(a, b Attrs) int { return len(b.Key) - len(a.Key) })
	if b, ok := r.f.t.store.(BatchDeleter); ok {
		for batch := range slices.Chunk(append(files, markers...), deleteBatch) {
			if err := r.settled(Attrs{}, b.DeleteAll(r.f.ctx, batch), false); err != nil {
				return err
			}
		}
		return nil
	}
	remove := func(ctx context.Context, a Attrs) error {
		return r.settled(a, r.f.t.store.Delete(ctx, a.Key, a.ETag), false)
	}
	if err := r.each(files, remove); err != nil {
		return err
	}
	for _, a := range markers {
		if err := remove(r.f.ctx, a); err != nil {
			return err
		}
	}
	return nil
}
