package protocol

import (
	"errors"
	"io/fs"
	"iter"
	"path"
	"strings"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// A pattern in LIST, NLST or STAT has *, ?, [a-z] and [!a-z] in one or more segments of a path; a
// backslash takes their meaning away. A segment that does not begin with a dot
// matches no name that does. Matching a name takes time in proportion to name and pattern, whatever is in them.

const (
	// maxGlobs is how many segments with a pattern a path may have: each holds a directory open.
	maxGlobs = 8
	// maxGlobDirs is how many directories are looked into for one pattern.
	maxGlobDirs = 10_000
)

// errListTooLarge ends a listing that went through more of the tree than one command may.
var errListTooLarge = errors.New("the listing is too large")

// isGlob reports whether a segment of a path is a pattern that can match.
func isGlob(seg string) bool {
	for i := 0; i < len(seg); i++ {
		switch seg[i] {
		case '\\':
			i++
		case '*', '?', '[':
			_, err := path.Match(globPattern(seg), "")
			return err == nil
		}
	}
	return false
}

// globPattern writes a segment as path.Match wants it.
func globPattern(seg string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(seg); i++ {
		c := seg[i]
		switch {
		case c == '\\' && i+1 < len(seg):
			b.WriteByte(c)
			i++
			c = seg[i]
		case class && c == ']':
			class = false
		case !class && c == '[':
			class = true
			if i+1 < len(seg) && seg[i+1] == '!' {
				b.WriteByte(c)
				i++
				c = '^'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unescape takes the backslashes out of a segment that is no pattern.
func unescape(seg string) string {
	var b strings.Builder
	for i := 0; i < len(seg); i++ {
		if seg[i] == '\\' && i+1 < len(seg) && strings.IndexByte(`*?[]\`, seg[i+1]) >= 0 {
			i++
		}
		b.WriteByte(seg[i])
	}
	return b.String()
}

// globbing is the search for what a pattern matches.
type globbing struct {
	fsys    afero.Fs
	all     bool // names with a dot in front too
	allowed func(dir string) bool
	dirs    int
	yield   func(listed, error) bool
}

// globs returns the directory from which a path with patterns begins, absolute and as
// the client calls it, with the segments below it. It reports false for a path without, or with too many.
func globs(cwd, given string) (dir, shown string, segs []string, ok bool) {
	all := strings.Split(given, "/")
	first, n := -1, 0
	for i, seg := range all {
		if isGlob(seg) {
			if n++; first < 0 {
				first = i
			}
		}
	}
	if first < 0 || n > maxGlobs {
		return "", "", nil, false
	}
	for _, seg := range all[:first] {
		shown += unescape(seg) + "/"
	}
	for i, seg := range all[first:] {
		switch {
		case seg == "..":
			return "", "", nil, false // of what matched: nobody asks for that
		case seg == "" || seg == ".":
			if first+i == len(all)-1 && i > 0 {
				continue // a slash at the end
			}
		default:
			segs = append(segs, seg)
		}
	}
	dir, ok = resolve(cwd, shown)
	return dir, shown, segs, ok
}

// expand yields what a pattern matches, in the tree's own order, as it is found. Matched directories are
// lines like the others and not entered.
func (g globbing) expand(dir, shown string, segs []string) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		g := g
		g.yield = yield
		g.walk(dir, shown, segs)
	}
}

// walk reports whether the search goes on.
func (g *globbing) walk(dir, shown string, segs []string) bool {
	if g.dirs++; g.dirs > maxGlobDirs {
		g.yield(listed{}, errListTooLarge)
		return false
	}
	seg, rest := segs[0], segs[1:]
	if !isGlob(seg) {
		name := unescape(seg)
		p := path.Join(dir, name)
		if len(rest) > 0 {
			return g.walk(p, shown+name+"/", rest)
		}
		if !g.allowed(dir) {
			return true
		}
		fi, err := vfs.Lstat(g.fsys, p)
		if skips(err) {
			return true
		}
		return g.yield(listed{path: p, name: shown + name, fi: fi}, err) && err == nil
	}
	if !g.allowed(dir) {
		return true
	}
	pattern := globPattern(seg)
	for fi, err := range vfs.List(g.fsys, dir) {
		if skips(err) {
			return true
		}
		if err != nil {
			g.yield(listed{}, err)
			return false
		}
		name := fi.Name()
		if ok, _ := path.Match(pattern, name); !ok || name[0] == '.' && seg[0] != '.' && !g.all {
			continue
		}
		p := path.Join(dir, name)
		switch {
		case len(rest) == 0:
			if !g.yield(listed{path: p, name: shown + name, fi: fi}, nil) {
				return false
			}
		case fi.IsDir():
			if !g.walk(p, shown+name+"/", rest) {
				return false
			}
		}
	}
	return true
}

// skips reports whether an error only means that there is nothing to list here.
func skips(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrNotDir) || errors.Is(err, fs.ErrPermission) || errors.Is(err, vfs.ErrBadName)
}
