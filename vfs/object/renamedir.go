package object

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
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
	// noteDir holds the notes of directory renames under way, below the tree's prefix.
	noteDir = ".ftpgw/rename/"
	// noteFor is how long a note counts: a rename that was broken off has been repeated by then.
	noteFor = 24 * time.Hour
)

// dirRename is the renaming of a directory: of all keys below one prefix, one by one. Its
// order loses nothing whenever it ends:
//
//  1. All keys below the old prefix are listed. Too many, an archived object
//     or a name that gets too long are refusals, with nothing done.
//  2. A note is stored that says which directory becomes which.
//  3. All are copied, by some workers at once, each pinned to its ETag.
//  4. The old prefix is listed again. What is new or has changed is copied, once.
//  5. What has been copied, and nothing else, is deleted, if it still has the ETag.
//  6. The note is removed.
//
// Broken off before 5 the old directory is whole; after that the new one. A
// repetition finds the note, takes the new directory for its own
// although it is not empty, and comes to the same end. In a store that can move objects, 3 and 5
// are one step for each object.
type dirRename struct {
	f        *FS
	src, dst string // prefixes with their slash
	move     bool   // the store is a Mover that can

	mu     sync.Mutex
	copied map[string]Attrs // by source key
	err    error            // the first that is not only about one object that has changed
	busy   error            // an object changed while it was copied
}

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
	r := &dirRename{f: f, src: src, dst: dst, copied: make(map[string]Attrs)}
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
	}
	found, err := r.list()
	if err != nil {
		return err
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
	return r.f.t.prefix + noteDir + hex.EncodeToString(sum[:])
}

func (r *dirRename) writeNote() error {
	u, err := r.f.t.store.Put(r.f.ctx, r.note(), PutOptions{ContentType: "text/plain; charset=utf-8"})
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(u, "%q becomes %q\n", r.src, r.dst); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.f.ctx), r.f.t.o.AbortTimeout)
		defer cancel()
		return errors.Join(err, u.Abort(ctx))
	}
	ctx, cancel := context.WithTimeout(r.f.ctx, r.f.t.o.CommitTimeout)
	defer cancel()
	return u.Commit(ctx)
}

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
	if m, ok := r.f.t.store.(Mover); ok && r.moving() {
		err := m.Move(ctx, dst, a, CopyOptions{})
		if !errors.Is(err, errors.ErrUnsupported) {
			return r.settled(a, err, false)
		}
		r.mu.Lock()
		r.move = false
		r.mu.Unlock()
	}
	err := r.f.t.store.Copy(ctx, dst, a, CopyOptions{})
	if err != nil && a.Size == 0 && strings.HasSuffix(a.Key, "/") && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		// versitygw makes directories of markers, and does not copy them.
		err = r.f.putMarker(ctx, dst, false)
	}
	return r.settled(a, err, true)
}

func (r *dirRename) moving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.move
}

func (r *dirRename) settled(a Attrs, err error, copied bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
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
		if strings.HasSuffix(a.Key, "/") {
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
