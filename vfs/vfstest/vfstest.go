// Package vfstest is the conformance suite that every tree of ftp-gateway passes.
//
// A tree is what stands behind the FTP commands: a local directory, a bucket on
// a real or simulated store, a wrapper around one. [Run] checks that it keeps
// what package vfs promises to the protocol: that Close commits and Abort gives
// up, that errors are the ones that the replies are made from, that listings
// come in pages, that names survive or are refused, that nothing gets out of a
// subtree.
//
//	func TestConformance(t *testing.T) {
//		vfstest.Run(t, func(t *testing.T) afero.Fs { return local.New(…) }, vfstest.Caps{
//			Append: true,
//			Abort:  vfstest.KeepsPart,
//		})
//	}
//
// Where trees may differ, [Caps] says what this one does, and the suite checks
// that it does exactly that: a tree that cannot append has to refuse and leave
// the file as it was. Nothing is skipped. Where a tree, or the store under it,
// falls short of what it should do, Caps.Deviations names the subtest and the
// reason; a deviation that no longer happens fails the run, so the table stays true.
package vfstest

import (
	"testing"

	"github.com/spf13/afero"
)

// Caps says what a tree can do where trees may differ. The zero value is a
// bucket: whole files only, an Abort leaves the old one, no times, no links.
type Caps struct {
	// FirstPart is the size in bytes up to which a file goes to the store with
	// one request, Part the size of each further part. Zero means 64 KiB, and
	// that Part is FirstPart: for a tree without parts any size is as good.
	FirstPart, Part int64

	// Append: OpenAt(name, -1) continues a file. Resume: OpenAt(name, n) does
	// from n on. Where it is false OpenAt has to give errors.ErrUnsupported.
	Append, Resume bool

	// Abort is what vfs.Abort leaves behind.
	Abort Abort

	// ImplicitDirs: a file can be made in a directory that does not exist; the
	// directory is then there. Where it is false the result is fs.ErrNotExist.
	ImplicitDirs bool

	// RenameDir: a directory can be renamed. Where it is false the tree refuses
	// and everything stays in its place.
	RenameDir bool

	// Chtimes, Chmod: the call changes what Stat tells. Where it is false it
	// gives errors.ErrUnsupported.
	Chtimes, Chmod bool

	// Symlinks: the tree makes symbolic links. Where it is false it gives
	// errors.ErrUnsupported.
	Symlinks bool

	// Space: the tree knows how much may still be stored. Where it is false it
	// gives errors.ErrUnsupported.
	Space bool

	// MaxKey is the length in bytes of the longest name, without the slash in
	// front: one more gives vfs.ErrBadName. Zero means that there is no such
	// limit; names of 1,024 bytes have to work then.
	MaxKey int

	// Refuses lists the kinds of names (the names of the subtests of "41 names") that the
	// tree cannot hold. It has to refuse each with vfs.ErrBadName.
	Refuses []string

	// PutRaw stores an object behind the tree's back, as another program would:
	// the key has no slash in front and may end with one (a directory marker).
	// Fsys is a tree made by newFS. Nil where there is nothing behind the tree
	// that could hold more than the tree itself can make; the subtests about
	// objects that a tree never makes do not exist then.
	PutRaw func(t *testing.T, fsys afero.Fs, key string, content []byte) error

	// Deviations are subtests that are known to fail, with the reason. The name
	// is the path below Run, as given to t.Run ("41 names/emoji").
	Deviations map[string]string
}

// Abort is what vfs.Abort leaves of a file.
type Abort int

// The ways to give up.
const (
	// KeepsOld: the name holds what it held before the file was opened.
	KeepsOld Abort = iota
	// KeepsPart: the part that arrived stays in place, for a resume.
	KeepsPart
	// Discards: what arrived goes, and what was overwritten cannot come back: a
	// file begun anew is gone, one that was continued ends where it ended before.
	Discards
)

// refuses reports whether the tree cannot hold names of that kind.
func (c *Caps) refuses(kind string) bool {
	for _, k := range c.Refuses {
		if k == kind {
			return true
		}
	}
	return false
}

// Run checks the trees that newFS makes: each subtest asks for a new, empty
// one, which stands for one session. Subtests run one after the other.
func Run(t *testing.T, newFS func(t *testing.T) afero.Fs, caps Caps) {
	t.Helper()
	if caps.FirstPart == 0 {
		caps.FirstPart = 64 << 10
	}
	if caps.Part == 0 {
		caps.Part = caps.FirstPart
	}
	s := &suite{newFS: newFS, caps: &caps, seen: map[string]bool{}, ran: map[string]bool{}}
	s.run(t)
}

// A check is one subtest: its name, which begins with the number of the
// sentence it stands for where it has one, and what it does.
type check struct {
	name string
	raw  bool // needs Caps.PutRaw
	f    func(*T)
}

func checks() []check {
	var all []check
	for _, list := range [][]check{
		openChecks, sizeChecks, commitChecks, resumeChecks, dirChecks,
		clashChecks, listChecks, nameChecks, renameChecks, jailChecks,
		copyChecks, contextChecks, concurrencyChecks, attributeChecks,
	} {
		all = append(all, list...)
	}
	return all
}
