package vfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/afero"
)

// Mount is several trees in one: a root tree, and others at directories of it.
// The longest mount point that is a prefix of a name says whose it is.
//
// Mount points show in the listing of the directory they are in, whether or not
// the tree there has such a directory, and so do directories that exist only
// as the way to one. They cannot be removed or renamed (fs.ErrPermission) and
// hide what the tree underneath has under their name. A listing asks the
// mounted trees nothing.
//
// A rename from one tree to another gives errors.ErrUnsupported: it would be a
// copy, which can take hours and be half done.
type Mount struct {
	trees []mounted           // longest point first; the last one is the root
	ways  map[string][]string // directory -> sorted names in it that lead to mount points
	since time.Time           // the time of the directories that no tree has
	ctx   context.Context     // nil, or what the trees are bound to
}

// mounted is one tree and its point, which is "" for the root.
type mounted struct {
	point string
	fsys  afero.Fs
}

var _ Wrapper = (*Mount)(nil)

// errOtherTree is the reason why a rename cannot be done.
var errOtherTree = fmt.Errorf("%w: the two names are in different trees", errors.ErrUnsupported)

// NewMount puts each of trees at its directory of root. The names are cleaned;
// "/" and two spellings of one directory are errors.
func NewMount(root afero.Fs, trees map[string]afero.Fs) (*Mount, error) {
	m := &Mount{ways: map[string][]string{}, since: time.Now()}
	for _, dir := range slices.Sorted(maps.Keys(trees)) {
		point := clean(dir)
		if point == "/" {
			return nil, errors.New("vfs: mount: the root is taken")
		}
		if slices.ContainsFunc(m.trees, func(t mounted) bool { return t.point == point }) {
			return nil, fmt.Errorf("vfs: mount: %q is given twice", point)
		}
		m.trees = append(m.trees, mounted{point, trees[dir]})
		for p := point; p != "/"; p = path.Dir(p) {
			dir, base := path.Split(p)
			dir = clean(dir)
			if i, found := slices.BinarySearch(m.ways[dir], base); !found {
				m.ways[dir] = slices.Insert(m.ways[dir], i, base)
			}
		}
	}
	slices.SortStableFunc(m.trees, func(a, b mounted) int { return len(b.point) - len(a.point) })
	m.trees = append(m.trees, mounted{"", root})
	return m, nil
}

// place is a name with the tree it belongs to.
type place struct {
	outer string // the name in the Mount
	inner string // the name in the tree
	point string // where the tree is mounted, "" for the root
	fsys  afero.Fs
	fixed bool // the root or a mount point
	way   bool // mount points lie below
}

func (m *Mount) find(name string) place {
	p := place{outer: clean(name)}
	for _, t := range m.trees {
		rest, ok := strings.CutPrefix(p.outer, t.point)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		p.inner, p.point, p.fsys = clean(rest), t.point, t.fsys
		break
	}
	if m.ctx != nil {
		p.fsys = WithContext(m.ctx, p.fsys)
	}
	p.fixed = p.inner == "/"
	p.way = len(m.ways[p.outer]) > 0
	return p
}

// done ends a command that would ask no tree, if its context is done.
func (m *Mount) done(op string, p place) error {
	if m.ctx != nil && m.ctx.Err() != nil {
		return &fs.PathError{Op: op, Path: p.outer, Err: context.Cause(m.ctx)}
	}
	return nil
}

// movable refuses to change what has to stay where it is.
func (p place) movable(op string) error {
	if p.fixed || p.way {
		return &fs.PathError{Op: op, Path: p.outer, Err: fs.ErrPermission}
	}
	return nil
}

// info describes a directory that may be in no tree.
func (m *Mount) info(name string) os.FileInfo {
	if name != "/" {
		name = path.Base(name)
	}
	return dirInfo{name: name, since: m.since}
}

// always reports whether the name is a directory whatever the tree says.
func (p place) always() bool { return p.way || p.fixed && p.point != "" }

// named gives the FileInfo of a mounted tree's root the name of its mount point.
func (p place) named(fi os.FileInfo) os.FileInfo {
	if fi == nil || !p.fixed {
		return fi
	}
	if p.outer == "/" {
		return asRoot(p.outer, fi)
	}
	return namedInfo{FileInfo: fi, name: path.Base(p.outer)}
}

func (p place) file(f afero.File, err error) (afero.File, error) {
	switch {
	case err != nil:
		return nil, rename(p.outer, err)
	case p.point == "" && p.outer == f.Name():
		return f, nil // its names are right already
	}
	return &renamed{f: f, name: p.outer}, nil
}

// Name returns the name of the kind of tree: "mount".
func (m *Mount) Name() string { return "mount" }

// WithContext returns the same trees, bound to ctx.
func (m *Mount) WithContext(ctx context.Context) afero.Fs {
	b := *m
	b.ctx = ctx
	return &b
}

// Release gives back what the trees hold for the login.
func (m *Mount) Release() {
	for _, t := range m.trees {
		Release(t.fsys)
	}
}

// Create opens a file for writing, empty.
func (m *Mount) Create(name string) (afero.File, error) {
	return m.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// Open opens a file or directory for reading.
func (m *Mount) Open(name string) (afero.File, error) {
	p := m.find(name)
	if err := m.done("open", p); err != nil {
		return nil, err
	}
	f, err := p.file(p.fsys.Open(p.inner))
	if !p.always() {
		return f, err
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrNotDir) {
		return nil, err
	}
	return &mountDir{m: m, name: p.outer, f: f, extra: m.ways[p.outer]}, nil
}

// OpenFile is the general open call.
func (m *Mount) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	p := m.find(name)
	if flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND) == 0 {
		return m.Open(name)
	}
	if p.fixed || p.way {
		return nil, &fs.PathError{Op: "open", Path: p.outer, Err: ErrIsDir}
	}
	f, err := p.fsys.OpenFile(p.inner, flag, perm)
	return p.file(f, err)
}

// OpenAt opens a file for writing from offset on: see [Resumer].
func (m *Mount) OpenAt(name string, offset int64) (afero.File, error) {
	p := m.find(name)
	if p.fixed || p.way {
		return nil, &fs.PathError{Op: "open", Path: p.outer, Err: ErrIsDir}
	}
	f, err := OpenAt(p.fsys, p.inner, offset)
	return p.file(f, err)
}

// OpenFrom opens a file for reading from offset on: see [FromOpener].
func (m *Mount) OpenFrom(name string, offset int64) (afero.File, error) {
	p := m.find(name)
	if p.fixed || p.way { // a directory
		return m.Open(name)
	}
	f, err := OpenFrom(p.fsys, p.inner, offset)
	return p.file(f, err)
}

// Hash returns a digest of a file that is known without reading it: see [Hasher].
func (m *Mount) Hash(name, algo string) ([]byte, error) {
	p := m.find(name)
	sum, err := Hash(p.fsys, p.inner, algo)
	return sum, rename(p.outer, err)
}

// Copy copies a file: see [Copier]. From one tree to another its bytes are read and written again.
func (m *Mount) Copy(oldname, newname string) error {
	return m.copyBy(Copy, false, oldname, newname)
}

// CopyNew copies to a name that nobody has: see [NewNamer].
func (m *Mount) CopyNew(oldname, newname string) error {
	return m.copyBy(CopyNew, true, oldname, newname)
}

func (m *Mount) copyBy(do func(afero.Fs, string, string) error, once bool, oldname, newname string) error {
	p, q := m.find(oldname), m.find(newname)
	var err error
	switch {
	case p.fixed || p.way || q.fixed || q.way:
		err = ErrIsDir
	case p.point == q.point:
		err = do(p.fsys, p.inner, q.inner)
	default:
		// Between two trees the name is looked at first, where that matters.
		if _, serr := Lstat(q.fsys, q.inner); once && serr == nil {
			err = fs.ErrExist
			break
		}
		err = copyBytes(p.fsys, p.inner, q.fsys, q.inner)
	}
	return copyError(p.outer, q.outer, err)
}

// Replace opens a file for writing that appears whole: see [Replacer].
func (m *Mount) Replace(name string) (afero.File, error) {
	p := m.find(name)
	if p.fixed || p.way {
		return nil, &fs.PathError{Op: "open", Path: p.outer, Err: ErrIsDir}
	}
	f, err := Replace(p.fsys, p.inner)
	return p.file(f, err)
}

// Space returns how many bytes may still be stored in the tree of the name: see [Spacer].
func (m *Mount) Space(name string) (int64, error) {
	p := m.find(name)
	free, err := Space(p.fsys, p.inner)
	return free, rename(p.outer, err)
}

// Allowance returns how many bytes the user may still store in the tree of the name: see [Allower].
func (m *Mount) Allowance(name string) (int64, error) {
	p := m.find(name)
	left, err := Allowance(p.fsys, p.inner)
	return left, rename(p.outer, err)
}

// SameDir reports whether two names are of one directory of one tree: see [Aliaser]. Mount points, and what is above them, have one name.
func (m *Mount) SameDir(a, b string) bool {
	p, q := m.find(a), m.find(b)
	if p.outer == q.outer {
		return true
	}
	return p.point == q.point && !p.always() && !q.always() && SameDir(p.fsys, p.inner, q.inner)
}

// Mkdir makes a directory.
func (m *Mount) Mkdir(name string, perm os.FileMode) error {
	p := m.find(name)
	if p.fixed || p.way {
		return &fs.PathError{Op: "mkdir", Path: p.outer, Err: fs.ErrExist}
	}
	return rename(p.outer, p.fsys.Mkdir(p.inner, perm))
}

// MkdirAll makes a directory and those above it that are missing.
func (m *Mount) MkdirAll(name string, perm os.FileMode) error {
	p := m.find(name)
	if p.fixed || p.way {
		return nil
	}
	return rename(p.outer, p.fsys.MkdirAll(p.inner, perm))
}

// Remove removes a file or an empty directory.
func (m *Mount) Remove(name string) error { return m.remove(name, afero.Fs.Remove) }

// RemoveFile removes a file, never a directory.
func (m *Mount) RemoveFile(name string) error { return m.remove(name, RemoveFile) }

// RemoveDir removes an empty directory, never a file.
func (m *Mount) RemoveDir(name string) error { return m.remove(name, RemoveDir) }

// RemoveAll removes a file, or a directory with all that is in it.
func (m *Mount) RemoveAll(name string) error { return m.remove(name, afero.Fs.RemoveAll) }

func (m *Mount) remove(name string, f func(afero.Fs, string) error) error {
	p := m.find(name)
	if err := p.movable("remove"); err != nil {
		return err
	}
	return rename(p.outer, f(p.fsys, p.inner))
}

// Rename gives oldname the name newname, in the same tree.
func (m *Mount) Rename(oldname, newname string) error {
	return m.renameBy(afero.Fs.Rename, oldname, newname)
}

// RenameNew renames to a name that nobody has: see [NewNamer].
func (m *Mount) RenameNew(oldname, newname string) error {
	return m.renameBy(RenameNew, oldname, newname)
}

func (m *Mount) renameBy(do func(afero.Fs, string, string) error, oldname, newname string) error {
	p, q := m.find(oldname), m.find(newname)
	err := p.movable("rename")
	if err == nil {
		err = q.movable("rename")
	}
	switch {
	case err != nil:
	case p.point != q.point:
		err = errOtherTree
	default:
		err = do(p.fsys, p.inner, q.inner)
	}
	return renameLink(p.outer, q.outer, err)
}

// Stat describes a file or directory, following links.
func (m *Mount) Stat(name string) (os.FileInfo, error) { return m.stat("stat", name, afero.Fs.Stat) }

// StatFile describes a file.
func (m *Mount) StatFile(name string) (os.FileInfo, error) {
	if p := m.find(name); p.fixed || p.way {
		return nil, &fs.PathError{Op: "stat", Path: p.outer, Err: ErrIsDir}
	}
	return m.stat("stat", name, StatFile)
}

// StatDir describes a directory.
func (m *Mount) StatDir(name string) (os.FileInfo, error) { return m.stat("stat", name, StatDir) }

// LstatIfPossible describes a file or directory without following a link. The
// bool tells whether the tree of the name knows the difference.
func (m *Mount) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := m.stat("lstat", name, Lstat)
	_, ok := m.find(name).fsys.(afero.Lstater)
	return fi, ok, err
}

func (m *Mount) stat(op, name string, f func(afero.Fs, string) (os.FileInfo, error)) (os.FileInfo, error) {
	p := m.find(name)
	if err := m.done(op, p); err != nil {
		return nil, err
	}
	fi, err := f(p.fsys, p.inner)
	if p.always() && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDir) || err == nil && !fi.IsDir()) {
		return m.info(p.outer), nil
	}
	return p.named(fi), rename(p.outer, err)
}

// ReadlinkIfPossible returns the target of a link. An absolute target is a name
// of the tree that has the link; it is given as a name of the Mount.
func (m *Mount) ReadlinkIfPossible(name string) (string, error) {
	p := m.find(name)
	target, err := Readlink(p.fsys, p.inner)
	if err == nil && path.IsAbs(target) {
		target = path.Join("/", p.point, target)
	}
	return target, rename(p.outer, err)
}

// SymlinkIfPossible makes a link. An absolute target has to be in the same tree.
// A relative one is for that tree to judge: no tree knows of the others.
func (m *Mount) SymlinkIfPossible(target, name string) error {
	p := m.find(name)
	err := p.movable("symlink")
	if err == nil && path.IsAbs(target) {
		q := m.find(target)
		if target = q.inner; q.point != p.point {
			err = errOtherTree
		}
	}
	if err == nil {
		err = Symlink(p.fsys, target, p.inner)
	}
	return renameLink(target, p.outer, err)
}

// Chmod changes the mode of a file.
func (m *Mount) Chmod(name string, mode os.FileMode) error {
	return m.change("chmod", name, func(fsys afero.Fs, name string) error { return fsys.Chmod(name, mode) })
}

// Chown changes the owner and group of a file.
func (m *Mount) Chown(name string, uid, gid int) error {
	return m.change("chown", name, func(fsys afero.Fs, name string) error { return fsys.Chown(name, uid, gid) })
}

// Chtimes changes the access and modification times of a file.
func (m *Mount) Chtimes(name string, atime, mtime time.Time) error {
	return m.change("chtimes", name, func(fsys afero.Fs, name string) error { return fsys.Chtimes(name, atime, mtime) })
}

func (m *Mount) change(op, name string, f func(afero.Fs, string) error) error {
	p := m.find(name)
	if err := p.movable(op); err != nil {
		return err
	}
	return rename(p.outer, f(p.fsys, p.inner))
}

// mountDir is an open directory that has mount points in it.
type mountDir struct {
	m     *Mount
	name  string
	f     afero.File // the directory of the tree, nil where it has none
	extra []string   // names that are still to be listed
	ended bool       // the tree has no more entries
}

var _ afero.File = (*mountDir)(nil)

func (d *mountDir) Name() string { return d.name }

func (d *mountDir) Close() error {
	if d.f == nil {
		return nil
	}
	return d.f.Close()
}

func (d *mountDir) Stat() (os.FileInfo, error) { return d.m.StatDir(d.name) }

// Readdir gives the mount points first: they are few, and known without asking.
// What the tree has under their names is left out.
func (d *mountDir) Readdir(n int) ([]os.FileInfo, error) {
	if err := d.m.done("readdir", place{outer: d.name}); err != nil {
		return nil, err
	}
	var page []os.FileInfo
	for len(d.extra) > 0 && (n <= 0 || len(page) < n) {
		page = append(page, d.m.info("/"+d.extra[0]))
		d.extra = d.extra[1:]
	}
	if n > 0 && len(page) > 0 {
		return page, nil
	}
	for !d.ended && d.f != nil {
		more, err := d.f.Readdir(n)
		if errors.Is(err, ErrNotDir) || errors.Is(err, fs.ErrNotExist) {
			err = io.EOF // a file, or nothing, under the name of a way
		}
		for _, fi := range more {
			if _, hidden := slices.BinarySearch(d.m.ways[d.name], fi.Name()); !hidden {
				page = append(page, fi)
			}
		}
		if n <= 0 || err == io.EOF {
			d.ended = true
		}
		if err == io.EOF {
			break
		}
		if err != nil || len(page) > 0 {
			return page, err
		}
	}
	if n > 0 && len(page) == 0 {
		return nil, io.EOF
	}
	return page, nil
}

func (d *mountDir) Readdirnames(n int) ([]string, error) {
	page, err := d.Readdir(n)
	var names []string
	for _, fi := range page {
		names = append(names, fi.Name())
	}
	return names, err
}

func (d *mountDir) isDir(op string) error { return &fs.PathError{Op: op, Path: d.name, Err: ErrIsDir} }

func (d *mountDir) Read([]byte) (int, error)           { return 0, d.isDir("read") }
func (d *mountDir) ReadAt([]byte, int64) (int, error)  { return 0, d.isDir("read") }
func (d *mountDir) Seek(int64, int) (int64, error)     { return 0, d.isDir("seek") }
func (d *mountDir) Write([]byte) (int, error)          { return 0, d.isDir("write") }
func (d *mountDir) WriteAt([]byte, int64) (int, error) { return 0, d.isDir("write") }
func (d *mountDir) WriteString(string) (int, error)    { return 0, d.isDir("write") }
func (d *mountDir) Truncate(int64) error               { return d.isDir("truncate") }
func (d *mountDir) Sync() error                        { return d.isDir("sync") }

// dirInfo describes a directory that no tree has to know of.
type dirInfo struct {
	name  string
	since time.Time
}

func (fi dirInfo) Name() string       { return fi.name }
func (fi dirInfo) Size() int64        { return 0 }
func (fi dirInfo) Mode() os.FileMode  { return os.ModeDir | 0o755 }
func (fi dirInfo) ModTime() time.Time { return fi.since }
func (fi dirInfo) IsDir() bool        { return true }
func (fi dirInfo) Sys() any           { return nil }
