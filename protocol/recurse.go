package protocol

import (
	"iter"
	"path"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

const (
	// maxRecurseDepth is how deep LIST -R goes, in directories.
	maxRecurseDepth = 64
	// maxRecurseEntries is how many lines it may have.
	maxRecurseEntries = 1_000_000
	// maxRecursePending is how many bytes of names may wait to be looked into.
	maxRecursePending = 1 << 20
)

// pending is a directory that LIST -R has still to go through.
type pending struct {
	path, shown string
	depth       int
}

// recurse yields a directory and all below it, a directory before what is below it. With headings each
// begins with its name, as ls -R writes it; without, the names are paths. Symbolic
// links are not followed, so there are no circles. A tree that is too large or deep ends with errListTooLarge.
func recurse(fsys afero.Fs, p, shown string, headings bool, allowed func(dir string) bool) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		waiting := []pending{{p, shown, 0}}
		lines, size := 0, 0
		for len(waiting) > 0 {
			d := waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
			size -= len(d.path) + len(d.shown)
			if d.depth > 0 && !allowed(d.path) {
				continue
			}
			headed := !headings
			head := func() bool {
				if headed {
					return true
				}
				headed = true
				name := d.shown
				if name == "" {
					name = "."
				}
				return yield(listed{heading: true, name: name}, nil)
			}
			below := len(waiting)
			gone := false
			for fi, err := range vfs.List(fsys, d.path) {
				if d.depth > 0 && skips(err) {
					gone = true // since its parent was read
					break
				}
				if err != nil {
					yield(listed{}, err)
					return
				}
				if !head() {
					return
				}
				name := fi.Name()
				if !headings && d.shown != "" {
					name = path.Join(d.shown, name)
				}
				if lines++; lines > maxRecurseEntries {
					yield(listed{}, errListTooLarge)
					return
				}
				if !yield(listed{path: path.Join(d.path, fi.Name()), name: name, fi: fi}, nil) {
					return
				}
				if !fi.IsDir() {
					continue
				}
				next := pending{path.Join(d.path, fi.Name()), path.Join(d.shown, fi.Name()), d.depth + 1}
				if headings && d.shown == "" {
					next.shown = "./" + fi.Name()
				} else if headings && d.shown[0] == '.' {
					next.shown = d.shown + "/" + fi.Name()
				}
				if size += len(next.path) + len(next.shown); size > maxRecursePending || next.depth > maxRecurseDepth {
					yield(listed{}, errListTooLarge)
					return
				}
				waiting = append(waiting, next)
			}
			if !gone && !head() {
				return
			}
			// The last in is the next out: turn them round, so that they come in the tree's order.
			for i, j := below, len(waiting)-1; i < j; i, j = i+1, j-1 {
				waiting[i], waiting[j] = waiting[j], waiting[i]
			}
		}
	}
}
