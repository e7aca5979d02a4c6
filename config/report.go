package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Problem is one thing that is wrong or doubtful in a document.
type Problem struct {
	File    string // empty where the configuration did not come from a file
	Line    int    // counted from 1; 0 where no line can be named
	Path    string // of the key: "users[0].home"
	Text    string
	Hint    string // what to do about it, often empty
	Warning bool   // the server starts all the same
}

// String is "file:line: path: text (hint: …)"; a warning says so before its text.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		fmt.Fprintf(&b, " (hint: %s)", p.Hint)
	}
	return b.String()
}

// Report is everything that was found, in the order of the document.
type Report []Problem

// Failed reports whether anything in the report is more than a warning.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r, func(p Problem) bool { return !p.Warning })
}

// String has one problem per line.
func (r Report) String() string {
	var b strings.Builder
	for _, p := range r {
		b.WriteString(p.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Sort puts the problems in the order of their lines, and those of one line in that of their paths. Files stay in
// the order in which they come up first.
func (r Report) Sort() {
	files := map[string]int{}
	for _, p := range r {
		if _, ok := files[p.File]; !ok {
			files[p.File] = len(files)
		}
	}
	slices.SortStableFunc(r, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(files[a.File], files[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
}

// Problem returns a problem of the key at path, with the place of the key in
// the file it came from. Where the document does not have the key, the nearest one
// around it stands for it.
func (c *Config) Problem(path, text, hint string) Problem {
	p := Problem{File: c.file, Path: path, Text: text, Hint: hint}
	for at := path; at != ""; at = parentPath(at) {
		if line := c.lines[at]; line > 0 {
			p.Line = line
			break
		}
	}
	if c.KeyName != nil {
		p.Path = c.KeyName(path)
	}
	return p
}

// parentPath cuts the last key or index off a path.
func parentPath(path string) string {
	if strings.HasSuffix(path, "]") {
		return path[:max(0, strings.LastIndexByte(path, '['))]
	}
	return path[:max(0, strings.LastIndexByte(path, '.'))]
}

// didYouMean finds the word that was probably meant: at most a third of its
// letters are wrong. Two letters in the wrong order count as two.
func didYouMean(got string, words []string) string {
	if best := nearest(strings.ToLower(got), words); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}

// nearest returns the word that is meant by got, or "".
func nearest(got string, words []string) string {
	best, dist := "", len(got)+1
	for _, w := range words {
		if d := levenshtein.Distance(got, w, nil); d < dist {
			best, dist = w, d
		}
	}
	if dist > max(1, (max(len(got), len(best))+2)/3) {
		return ""
	}
	return best
}

// unrelated returns those of the problems found by looking at the values that do not follow
// from a value that could not be read: none about the same key, what is below
// or above it, or the file for it, and no warnings, for which the picture has to be whole.
func (r Report) unrelated(found Report) Report {
	if !r.Failed() {
		return found
	}
	var left Report
	for _, p := range found {
		follows := p.Warning || p.Line == 0 || slices.ContainsFunc(r, func(q Problem) bool {
			read := strings.TrimSuffix(q.Path, "_file")
			return strings.HasPrefix(p.Path, read) || strings.HasPrefix(read, p.Path)
		})
		if !follows {
			left = append(left, p)
		}
	}
	return left
}
