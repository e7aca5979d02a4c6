package object

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Rule predicts which name a file is going to get from the name that it is uploaded under, both without their directory:
// a client that stores "x.tmp" and renames it to "x" makes no copy of it then.
type Rule struct {
	// From and To are what stands before and behind the part that stays.
	From, To [2]string
}

// predict returns the name that a file is going to get.
func (r Rule) predict(base string) (string, bool) {
	rest, ok := strings.CutPrefix(base, r.From[0])
	if !ok {
		return "", false
	}
	rest, ok = strings.CutSuffix(rest, r.From[1])
	if !ok || rest == "" {
		return "", false
	}
	to := r.To[0] + rest + r.To[1]
	return to, to != base && to != "." && to != ".."
}

// predict returns the name that the file of a clean name is going to get, if the tree holds it back until then.
func (t *tree) predict(name string) (string, bool) {
	if t.o.Pending == nil {
		return "", false
	}
	dir, base := path.Split(name)
	for _, r := range t.o.Publish {
		if to, ok := r.predict(base); ok {
			return dir + to, true
		}
	}
	return "", false
}

// waits returns the file that waits for its rename under a key; nil where there is none. Of names that no rule
// speaks of it knows that without a request.
func (t *tree) waits(ctx context.Context, key string) (*madeNote, error) {
	if _, ok := t.predict("/" + key); !ok {
		return nil, nil
	}
	return t.o.Pending.waits(ctx, key)
}

// errUnseen is the refusal of what needs the bytes of a file that waits for its rename.
func errUnseen(n *madeNote) error {
	return fmt.Errorf("object: %q waits for its rename to %q and cannot be read before: %w", n.Key, n.Final, vfs.ErrBusy)
}

// unseen returns an error if the file waits for its rename.
func (t *tree) unseen(ctx context.Context, key string) error {
	n, err := t.waits(ctx, key)
	if err == nil && n != nil {
		err = errUnseen(n)
	}
	return err
}

// replaced removes what waits under a key that something else has got.
func (t *tree) replaced(ctx context.Context, key string) error {
	n, err := t.waits(ctx, key)
	if err == nil && n != nil {
		_, err = t.o.Pending.remove(ctx, key)
	}
	return err
}

// taken removes what is parked of a key, or waits under it, that a rename or a copy has given to another file.
func (t *tree) taken(ctx context.Context, key string) error {
	if t.o.Parks != nil {
		if err := t.o.Parks.supplant(ctx, key); err != nil {
			return err
		}
	}
	return t.replaced(ctx, key)
}

// createHeld begins a file that is not seen before it is renamed. It is nil, without an error, where the final name cannot
// be a file's: then the file is one like all others, and its rename is refused as always.
func (f *FS) createHeld(given, name, final, key string, excl bool) (*writer, error) {
	dst, err := f.newKey(final)
	if err != nil {
		return nil, nil
	}
	clear := time.Now()
	err = f.freeForFile(final, dst)
	if errors.Is(err, vfs.ErrIsDir) || errors.Is(err, vfs.ErrNotDir) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := f.t.putOptions(final, false)
	w := &writer{fs: f, given: given, name: name}
	w.u, err = f.t.store.(Holder).PutHeld(f.ctx, dst, o, func(ctx context.Context, id string, parts []Part) error {
		w.held = id
		return f.t.o.Pending.hold(ctx, note{Key: key, Final: dst, ID: id}, parts, excl, clear)
	})
	return w, err
}

// publish renames a file that was held back for that. Under the name that was predicted it becomes visible in one step;
// no other name is possible in the store, so one that is wanted all the same costs a copy, and the predicted name
// must be nobody's.
func (f *FS) publish(n *madeNote, newname, dst string, o CopyOptions) error {
	if f.dirs.has(newname) {
		return vfs.ErrIsDir
	}
	if dst != n.Final || time.Since(n.clear) >= lookedFor {
		if err := f.freeForFile(newname, dst); err != nil {
			return err
		}
	}
	p := f.t.o.Pending
	var done note
	var err error
	if o.IfAbsent {
		// What waits there is no object, so the store's condition does not speak of it.
		if taken, err := f.t.waits(f.ctx, dst); err != nil || taken != nil {
			return cmp.Or(err, fs.ErrExist)
		}
	}
	if dst == n.Final {
		done, _, err = p.publish(f.ctx, n.note, o.IfAbsent)
	} else {
		done, err = f.publishElsewhere(n, dst, o)
	}
	if err != nil {
		return err
	}
	f.left.drop(n.Key)
	if err := p.settled(f.ctx, done); err != nil {
		f.t.log().Warn("a file that was renamed seems to wait for it still", "key", n.Key, "err", err)
	}
	return nil
}

func (f *FS) publishElsewhere(n *madeNote, dst string, o CopyOptions) (note, error) {
	if o.IfAbsent {
		if err := f.absent(dst); err != nil {
			return n.note, err
		}
	}
	log := f.t.log().With("key", n.Key, "predicted", n.Final, "renamed_to", dst)
	done, etag, err := f.t.o.Pending.publish(f.ctx, n.note, true)
	if errors.Is(err, fs.ErrExist) {
		return done, fmt.Errorf("%q was uploaded to become %q, which exists; it waits on: %w", n.Key, n.Final, err)
	}
	if err != nil {
		return done, err
	}
	a, err := f.t.store.Head(f.ctx, n.Final)
	if err == nil && (a.Size != done.Whole || etag != "" && a.ETag != etag) {
		err = fmt.Errorf("%q has been replaced: %w", n.Final, vfs.ErrBusy)
	}
	if err == nil {
		err = f.move(dst, a, o)
	}
	if err != nil {
		log.Warn("a file is visible under the name that was predicted for it: the rename to another one has failed", "err", err)
		return done, err
	}
	log.Warn("publish_on_rename did not predict this name: the file was copied, and was visible under the predicted one for a moment")
	return done, nil
}

// left are the files that a session has uploaded and not renamed yet.
type left struct {
	mu    sync.Mutex
	ids   map[string]string // by key
	more  int               // that are not among them
	ended bool
}

// mostLeft is how many of them a session remembers, and mostTold how many it tells of.
const (
	mostLeft = 1024
	mostTold = 10
)

func (l *left) add(key, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.ids[key]; !ok && len(l.ids) >= mostLeft {
		l.more++
		return
	}
	if l.ids == nil {
		l.ids = make(map[string]string)
	}
	l.ids[key] = id
}

func (l *left) drop(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ids, key)
}

// Release implements vfs.Releaser: it tells, once, which files the session leaves without a name that anybody can see.
func (f *FS) Release() {
	p := f.t.o.Pending
	if p == nil {
		return
	}
	f.left.mu.Lock()
	defer f.left.mu.Unlock()
	maps.DeleteFunc(f.left.ids, func(key, id string) bool { return !p.made.still(key, id) })
	if n := len(f.left.ids) + f.left.more; n > 0 && !f.left.ended {
		keys := slices.Sorted(maps.Keys(f.left.ids))
		f.t.log().Warn("the session has left files that wait for a rename and are visible to nobody else",
			"count", n, "keys", keys[:min(len(keys), mostTold)])
	}
	f.left.ended = true
}

func (t *tree) log() *slog.Logger {
	if t.o.Log != nil {
		return t.o.Log
	}
	return slog.Default()
}
