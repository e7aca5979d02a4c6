package auth

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Perm is a set of the permission letters that pyftpdlib made known:
//
//	e  change directory            CWD CDUP
//	l  list files                  LIST NLST STAT MLSD MLST SIZE MDTM
//	r  retrieve files              RETR
//	a  append to files             APPE
//	d  delete files, directories   DELE RMD
//	f  rename                      RNFR RNTO
//	m  make directories            MKD
//	w  store files                 STOR STOU
//	M  change modes                SITE CHMOD, SITE CHOWN
//	T  change times                MFMT
type Perm uint16

// The letters, as bits.
const (
	PermEnter  Perm = 1 << iota // e
	PermList                    // l
	PermRead                    // r
	PermAppend                  // a
	PermDelete                  // d
	PermRename                  // f
	PermMkdir                   // m
	PermWrite                   // w
	PermChmod                   // M
	PermTime                    // T

	PermReadOnly = PermEnter | PermList | PermRead
	PermAll      = Perm(1<<len(permLetters) - 1)
)

const permLetters = "elradfmwMT"

// ParsePerm reads a set of letters such as "elr". Order and repetition do not
// matter; an unknown letter is an error that names it.
func ParsePerm(s string) (Perm, error) {
	var p Perm
next:
	for _, r := range s {
		for i, l := range permLetters {
			if r == l {
				p |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("auth: unknown permission %q, want letters of %q", r, permLetters)
	}
	return p, nil
}

// Has reports whether every letter of want is in the set.
func (p Perm) Has(want Perm) bool { return p&want == want }

// Writes reports whether any letter of the set can change something.
func (p Perm) Writes() bool { return p&^PermReadOnly != 0 }

// String returns the letters in their usual order.
func (p Perm) String() string {
	b := make([]byte, 0, len(permLetters))
	for i := range permLetters {
		if p&(1<<i) != 0 {
			b = append(b, permLetters[i])
		}
	}
	return string(b)
}

// Permissions tells what a user may do in which directory.
type Permissions struct {
	// Base holds wherever no rule says otherwise.
	Base Perm
	// Rules are for directories. Of several that hold for a path, that with the longest directory decides.
	Rules []Rule
	// Same reports whether two names of the user's tree are of one directory, where one can have several: on disks
	// for which the case of letters does not count, by symbolic links, by the short names of Windows. Nil where
	// names that differ are of different directories.
	Same func(a, b string) bool
}

// Rule gives other permissions in a directory.
type Rule struct {
	// Dir is a clean absolute path of the user's tree.
	Dir string
	// Perm holds there instead of what would hold else.
	Perm Perm
	// Recursive rules hold for all that is below the directory. Others hold for the directory itself and what
	// is in it, but not for directories in it, as pyftpdlib's override_perm has it.
	Recursive bool
}

// At returns what may be done with name, a clean absolute path of the user's tree. Whether it is a
// directory is asked only where the answer depends on it; what does not exist is none. Of a directory with
// a rule that is reached by another name only that may be done which holds for both names: a link to where more
// is allowed can itself be removed by nobody who could not do that before.
func (p Permissions) At(name string, isDir func() bool) Perm {
	perm := p.at(name, isDir)
	if named := p.Named(name); named != name {
		perm &= p.at(named, isDir)
	}
	return perm
}

// at is At by the name alone.
func (p Permissions) at(name string, isDir func() bool) Perm {
	best, perm := -1, p.Base
	known, dir := false, false
	for _, r := range p.Rules {
		if len(r.Dir) <= best || !within(name, r.Dir) {
			continue
		}
		if !r.Recursive && name != r.Dir {
			if path.Dir(name) != r.Dir {
				continue
			}
			if !known {
				known, dir = true, isDir()
			}
			if dir {
				continue
			}
		}
		best, perm = len(r.Dir), r.Perm
	}
	return perm
}

// AtDir returns what may be done with a directory.
func (p Permissions) AtDir(name string) Perm { return p.At(name, func() bool { return true }) }

// AtFile returns what may be done with what is no directory.
func (p Permissions) AtFile(name string) Perm { return p.At(name, func() bool { return false }) }

// Below reports whether want holds also in all directories below dir that have rules of their own, as it has to for what
// is done to dir with all that is in it: renamed, these directories would leave their rules behind.
func (p Permissions) Below(dir string, want Perm) bool {
	for _, r := range p.Rules {
		if !r.Perm.Has(want) && p.below(r.Dir, dir) {
			return false
		}
	}
	return true
}

// below reports whether name is below dir, under whatever name.
func (p Permissions) below(name, dir string) bool {
	if name != dir && within(name, dir) {
		return true
	}
	for d := path.Dir(name); p.Same != nil && d != "/"; d = path.Dir(d) {
		if p.Same(d, dir) {
			return true
		}
	}
	return false
}

// Named returns a clean absolute path as the rules call it: where it, or a directory above it, is the directory of a
// rule under another name, with the rule's name for that. The innermost such directory counts.
func (p Permissions) Named(name string) string {
	if p.Same == nil {
		return name
	}
	for d := name; d != "/"; d = path.Dir(d) {
		if slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Dir == d }) {
			return name
		}
		for _, r := range p.Rules {
			if p.Same(d, r.Dir) {
				return path.Join(r.Dir, name[len(d):])
			}
		}
	}
	return name
}

// within reports whether name is dir or below it.
func within(name, dir string) bool {
	rest, ok := strings.CutPrefix(name, dir)
	return ok && (rest == "" || rest[0] == '/' || dir == "/")
}
