package object

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Options are the rules of a tree. The zero value is usable.
type Options struct {
	// Name is what vfs.Stored calls the back end.
	Name string
	// Prefix is the place in the bucket that becomes the root, such as
	// "site-1/cam7"; empty for the whole bucket.
	Prefix string
	// StrictClash asks, before a file is written, whether a directory has its name
	// or a file the name of its directory: one List more per upload, and one Head more where the
	// session does not know the directory. In a bucket both can exist, but then clients are
	// confused, and some servers (MinIO) hide what is below. Without it the tree refuses
	// what the session knows: a directory that it has visited, listed or made. Stores
	// that are directories underneath (versitygw) refuse the rest themselves.
	StrictClash bool
	// Metadata and Tags are given to every file that is written: see [PutOptions].
	Metadata, Tags map[string]string
	// Scratch is the place in the bucket for what has to be stored beside the files for a
	// while; no client sees it. It ends with a slash. Default ".ftpgw/" below Prefix.
	Scratch string
	// Budget is the memory for reading ahead of a client that is faster than one
	// connection to the store. Nil reads one range after the other.
	Budget *Budget
	// Parks keeps uploads that were cut, for a resume; it is shared by all trees of a
	// back end. Nil discards them.
	Parks *Parks
	// Publish are names of files that are uploaded to be renamed at once, and Pending is where what belongs to them is
	// noted, shared as Parks is. Such a file is no object before its rename, which then is no copy: see [Holder]. The first rule that fits a
	// name counts. A store that gains nothing by it makes files of these names as of all others.
	Publish []Rule
	Pending *Parks
	// Log is told what an operator should know and no operation fails by. Nil for slog.Default().
	Log *slog.Logger
	// CommitTimeout bounds a file's Close: what it still has to send, and the
	// store's confirmation. Default 5 minutes.
	CommitTimeout time.Duration
	// AbortTimeout bounds the cleaning up of an upload that was given up. Default 30 seconds.
	AbortTimeout time.Duration
	// RenameDirMax is how many objects a directory may have, at all depths, to be renamed
	// by copying them. Default 1,000; negative: no directory is.
	RenameDirMax int
	// KeepDirs writes the marker of a directory whose last file is removed or renamed: one List
	// more, and one Put. Without it the directory is gone, but for sessions that have seen it.
	KeepDirs bool
}

// tree is what all sessions share.
type tree struct {
	store  Store
	prefix string // "" or "a/b/"
	hidden string // ends with a slash
	o      Options
}

// FS gives a Store the shape of a tree. It implements afero.Fs and the optional
// interfaces of package vfs that a bucket can keep.
//
// An FS is used by many goroutines at once. [FS.Session] makes one for a login.
type FS struct {
	t    *tree
	ctx  context.Context // bound by WithContext: see vfs.Contexter
	dirs *sticky         // the session's
	seen *looked         // the session's
	left *left           // the session's
}

var (
	_ afero.Fs        = (*FS)(nil)
	_ afero.Symlinker = (*FS)(nil)
	_ vfs.Contexter   = (*FS)(nil)
	_ vfs.Resumer     = (*FS)(nil)
	_ vfs.FromOpener  = (*FS)(nil)
	_ vfs.Typed       = (*FS)(nil)
	_ vfs.Releaser    = (*FS)(nil)
)

// New returns the tree in store. It sends no request.
func New(store Store, o Options) (*FS, error) {
	prefix, err := cleanPrefix(o.Prefix)
	if err != nil {
		return nil, err
	}
	if o.CommitTimeout <= 0 {
		o.CommitTimeout = 5 * time.Minute
	}
	if o.AbortTimeout <= 0 {
		o.AbortTimeout = 30 * time.Second
	}
	if o.RenameDirMax == 0 {
		o.RenameDirMax = 1000
	}
	if o.Scratch == "" {
		o.Scratch = prefix + scratchDir
	}
	if h, ok := store.(Holder); !ok || !h.Holds() || len(o.Publish) == 0 {
		o.Pending = nil
	}
	t := &tree{store: store, prefix: prefix, hidden: o.Scratch, o: o}
	return &FS{t: t, ctx: context.Background(), dirs: &sticky{}, seen: &looked{}, left: &left{}}, nil
}

// Session returns the same tree with a memory of its own for directories: what one
// session has seen and made stays there for it until it ends. It costs a few small
// allocations; the program makes one per login.
func (f *FS) Session() *FS {
	return &FS{t: f.t, ctx: f.ctx, dirs: &sticky{}, seen: &looked{}, left: &left{}}
}

// WithContext implements vfs.Contexter. The copy shares the session's memory.
func (f *FS) WithContext(ctx context.Context) afero.Fs {
	return &FS{t: f.t, ctx: ctx, dirs: f.dirs, seen: f.seen, left: f.left}
}

// Name implements afero.Fs.
func (f *FS) Name() string { return "object" }

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func clean(name string) string { return path.Clean("/" + name) }

// Stat describes what has the name, a file before a directory. One Head, and
// for what is no file one List, unless the session knows the directory.
func (f *FS) Stat(name string) (os.FileInfo, error) {
	fi, err := f.statFile(name)
	if err == nil {
		if a, ok := fi.Sys().(Attrs); ok {
			f.seen.set(a)
		}
		return fi, nil
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrIsDir) {
		return fi, pathError("stat", name, err)
	}
	fi, err = f.statDir(name)
	return fi, pathError("stat", name, err)
}

// StatFile describes a file with one Head.
func (f *FS) StatFile(name string) (os.FileInfo, error) {
	fi, err := f.statFile(name)
	if errors.Is(err, fs.ErrNotExist) && f.dirs.has(clean(name)) {
		err = vfs.ErrIsDir
	}
	return fi, pathError("stat", name, err)
}

// StatDir describes a directory with one List, or without a request where the
// session knows it.
func (f *FS) StatDir(name string) (os.FileInfo, error) {
	fi, err := f.statDir(name)
	return fi, pathError("stat", name, err)
}

func (f *FS) statFile(name string) (os.FileInfo, error) {
	key, err := f.key(name)
	if err != nil {
		return nil, err
	}
	if key == f.t.prefix {
		return nil, vfs.ErrIsDir
	}
	if a, err := f.t.parked(f.ctx, key); err != nil || a.Key != "" {
		return fileInfo(clean(name), a), err
	}
	a, err := f.t.store.Head(f.ctx, key)
	if err != nil {
		return nil, err
	}
	f.dirs.addParent(clean(name))
	return fileInfo(clean(name), a), nil
}

func (f *FS) statDir(name string) (os.FileInfo, error) {
	key, err := f.key(name)
	if err != nil {
		return nil, err
	}
	if f.ctx.Err() != nil {
		return nil, context.Cause(f.ctx)
	}
	if name = clean(name); f.dirs.has(name) {
		return dirInfo(name, time.Time{}), nil
	}
	marker, any, err := f.peek(f.ctx, f.dirKey(key), 1)
	if err != nil {
		return nil, err
	}
	if !any {
		// There may be files that wait for their rename, and nothing else yet.
		if any, err = f.t.anyWaits(f.ctx, f.dirKey(key)); err != nil {
			return nil, err
		}
	}
	if !any {
		return nil, fs.ErrNotExist
	}
	f.dirs.add(name)
	f.dirs.addParent(name)
	return dirInfo(name, marker.ModTime), nil
}

// peek asks for the first max entries below prefix. It returns the directory's marker if
// it is among them, and whether there is anything else (max 2) or anything at all (max 1).
func (f *FS) peek(ctx context.Context, prefix string, max int) (marker Attrs, any bool, err error) {
	token := ""
	for {
		p, err := f.t.store.List(ctx, prefix, token, max)
		if err != nil {
			return marker, false, err
		}
		any = any || len(p.Prefixes) > 0
		for _, o := range p.Objects {
			if o.Key == prefix {
				marker = o
				any = any || max == 1
			} else {
				any = true
			}
		}
		// A store may answer with an empty page and a token.
		if any || p.Next == "" || p.Next == token {
			return marker, any, nil
		}
		token = p.Next
	}
}

// Open opens a file for reading, or a directory. For a file it sends the
// request that reads it from the start: one request for a small file, its
// size and content. What the session knows for a directory is opened without a
// request; what is neither costs a List.
func (f *FS) Open(name string) (afero.File, error) {
	key, err := f.key(name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	n, err := f.t.waits(f.ctx, key)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if n != nil { // it can be described, and not be read
		ctx, cancel := context.WithCancelCause(f.ctx)
		return &reader{fs: f, ctx: ctx, cancel: cancel, given: name, name: clean(name), key: key, waits: n}, nil
	}
	return f.OpenFrom(name, 0)
}

// OpenFrom implements vfs.FromOpener: the one request asks for the bytes from the offset on.
func (f *FS) OpenFrom(name string, offset int64) (afero.File, error) {
	if offset < 0 {
		return nil, pathError("open", name, fs.ErrInvalid)
	}
	key, err := f.key(name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	ctx, cancel := context.WithCancelCause(f.ctx)
	r := &reader{fs: f, ctx: ctx, cancel: cancel, given: name, name: clean(name), key: key, off: offset}
	if f.dirs.has(r.name) {
		r.dir = true // a file may have the name too: the first use will tell
		return r, nil
	}
	err = r.openAt(offset)
	if errors.Is(err, fs.ErrNotExist) {
		if err = r.firstPage(); err == nil {
			r.dir = true
			return r, nil
		}
	}
	if err != nil {
		r.Close()
		return nil, pathError("open", name, err)
	}
	return r, nil
}

// Create implements afero.Fs.
func (f *FS) Create(name string) (afero.File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file for reading, or for writing anew. Nothing is visible
// before Close returns nil; until then, and after Abort, an older object of
// that name stays. With O_EXCL an existing file is refused here, with one
// Head, and once more by the store at the end. To keep an older object's bytes
// (no O_TRUNC, O_APPEND) is errors.ErrUnsupported.
func (f *FS) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		if flag&(os.O_CREATE|os.O_TRUNC|os.O_APPEND) != 0 {
			return nil, pathError("open", name, errors.ErrUnsupported)
		}
		return f.Open(name)
	}
	w, err := f.create(name, flag)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return w, nil
}

func (f *FS) create(name string, flag int) (*writer, error) {
	key, err := f.newKey(name)
	if err != nil {
		return nil, err
	}
	clean := clean(name)
	if f.dirs.has(clean) {
		return nil, vfs.ErrIsDir
	}
	excl := flag&os.O_EXCL != 0
	if flag&os.O_APPEND != 0 || flag&os.O_TRUNC == 0 && !(excl && flag&os.O_CREATE != 0) {
		return nil, errors.ErrUnsupported
	}
	if excl || flag&os.O_CREATE == 0 {
		n, err := f.t.waits(f.ctx, key)
		if err == nil && n == nil {
			_, err = f.t.store.Head(f.ctx, key)
		}
		switch {
		case err == nil && excl:
			return nil, fs.ErrExist
		case errors.Is(err, fs.ErrNotExist) && excl:
		case err != nil:
			return nil, err
		}
	}
	if f.t.o.StrictClash {
		if err := f.noClash(clean, key); err != nil {
			return nil, err
		}
	}
	if final, ok := f.t.predict(clean); ok {
		if w, err := f.createHeld(name, clean, final, key, excl); err != nil || w != nil {
			return w, err
		}
	}
	u, park, err := f.t.put(f.ctx, key, f.t.putOptions(clean, excl))
	if err != nil {
		return nil, err
	}
	return &writer{fs: f, given: name, name: clean, u: u, park: park}, nil
}

// noClash returns an error if the file would have the name of a directory or
// lie below a file.
func (f *FS) noClash(name, key string) error {
	_, any, err := f.peek(f.ctx, f.dirKey(key), 1)
	if err != nil {
		return err
	}
	if any {
		f.dirs.add(name)
		return vfs.ErrIsDir
	}
	dir := path.Dir(name)
	if f.dirs.has(dir) {
		return nil
	}
	parent, err := f.key(dir)
	if err != nil {
		return err
	}
	switch _, err := f.t.store.Head(f.ctx, parent); {
	case err == nil:
		return vfs.ErrNotDir
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// Mkdir writes the marker of a directory, an empty object "dir/". Directories above it
// need not exist: in a bucket they come into being with what is below them.
func (f *FS) Mkdir(name string, perm os.FileMode) error {
	return pathError("mkdir", name, f.mkdir(name))
}

func (f *FS) mkdir(name string) error {
	key, err := f.newKey(name)
	if err != nil {
		return err
	}
	if key == f.t.prefix {
		return fs.ErrExist
	}
	_, any, err := f.peek(f.ctx, f.dirKey(key), 1)
	if err != nil {
		return err
	}
	if any {
		f.dirs.add(clean(name))
		return fs.ErrExist
	}
	if err := f.absent(key); err != nil {
		return err
	}
	if err := f.putMarker(f.ctx, f.dirKey(key), true); err != nil {
		return err
	}
	f.dirs.add(clean(name))
	f.dirs.addParent(clean(name))
	return nil
}

// putMarker writes a directory's marker, whose key ends with a slash.
func (f *FS) putMarker(ctx context.Context, key string, ifAbsent bool) error {
	u, err := f.t.store.Put(ctx, key, PutOptions{IfAbsent: ifAbsent, ContentType: "application/x-directory"})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.t.o.CommitTimeout)
	defer cancel()
	return u.Commit(ctx)
}

// MkdirAll makes a directory unless it exists.
func (f *FS) MkdirAll(name string, perm os.FileMode) error {
	if _, err := f.statDir(name); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return pathError("mkdir", name, err)
	}
	err := f.mkdir(name)
	if errors.Is(err, fs.ErrExist) && f.dirs.has(clean(name)) {
		err = nil // somebody else was faster
	}
	return pathError("mkdir", name, err)
}

// RemoveAll is not offered: nothing here removes more than it was asked for.
func (f *FS) RemoveAll(name string) error { return pathError("remove", name, errors.ErrUnsupported) }

// Chmod is errors.ErrUnsupported: objects have no mode.
func (f *FS) Chmod(name string, _ os.FileMode) error {
	return pathError("chmod", name, errors.ErrUnsupported)
}

// Chown is errors.ErrUnsupported: objects have no owner here.
func (f *FS) Chown(name string, _, _ int) error {
	return pathError("chown", name, errors.ErrUnsupported)
}

// LstatIfPossible implements afero.Symlinker: there are no links, so it is Stat.
func (f *FS) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := f.Stat(name)
	return fi, true, err
}

// SymlinkIfPossible is errors.ErrUnsupported.
func (f *FS) SymlinkIfPossible(oldname, newname string) error {
	return &os.LinkError{Op: "symlink", Old: oldname, New: newname, Err: errors.ErrUnsupported}
}

// ReadlinkIfPossible is errors.ErrUnsupported.
func (f *FS) ReadlinkIfPossible(name string) (string, error) {
	return "", pathError("readlink", name, errors.ErrUnsupported)
}
