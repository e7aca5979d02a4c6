// Package assertions reads and plays the assertion suite: short raw conversations with a
// server over real sockets, each under a name that says what an RFC demands.
//
// The scripts are the files *.txt next to this page. Their lines:
//
//	# …             a comment
//	== …            the section of an RFC that the following assertions are from
//	- name          an assertion for a local disk
//	+ name          an assertion for each back end
//
// and, indented, its steps. An assertion begins in a session that is logged in, has sent TYPE I and
// stands in an empty directory of its own, unless its first step opens another one.
//
//	COMMAND -> 213 text   sends the line and wants a reply: codes (250, 501|504, 2xx) and a pattern for all of its text
//	-> 226                wants a reply
//	COMMAND ->            sends the line, and waits for nothing
//
//	!fresh [6]            a new connection instead, without a login; 6 over IPv6
//	!greeting 220 text    compares the greeting
//	!login [name]         logs in and goes to the directory
//	!tls                  shakes hands behind AUTH
//	!clear                takes TLS off behind CCC
//	!raw bytes            sends the bytes as they are
//	!urgent bytes         sends the bytes, the last one as TCP urgent data
//	!eof                  wants the end of the connection
//
//	!put name text        uploads a file
//	!get name text        downloads a file and compares it
//	!file name text       looks into the store, past the server
//	!none name            wants nothing of that name in the store
//	!list COMMAND :: text a passive transfer, whose data matches the pattern, and its 226
//	!up COMMAND :: text   a passive upload, and its 226
//
//	!pasv, !epsv          asks for a passive data connection and connects
//	!port, !eprt          listens, and tells the server where
//	!send text            sends over the data connection
//	!recv text            reads the data connection to its end; the data matches the pattern
//	!close                ends the data connection in order
//	!reset                ends it with a TCP reset
//	!zsend, !zrecv        the same as send and recv in deflate, for MODE Z
//
// Text is as between quotes in Go (\r, \xff). {dir}, {user} and {password} stand for what the session has.
package assertions

import (
	"bufio"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed *.txt
var scripts embed.FS

// Assertion is one conversation.
type Assertion struct {
	Section, Name string
	// Where is the file and line of its name.
	Where string
	// Everywhere tells that it holds for each back end, not only for a local disk.
	Everywhere bool

	steps []step
}

// step is one line of it.
type step struct {
	where string
	verb  string // with its !, or empty for a command
	arg   string
	want  string // behind ->, or behind ::
	asks  bool   // there is a ->
}

// All reads the scripts.
func All() ([]Assertion, error) {
	files, err := fs.Glob(scripts, "*.txt")
	if err != nil {
		return nil, err
	}
	var all []Assertion
	names := map[string]bool{}
	for _, f := range files {
		text, err := scripts.ReadFile(f)
		if err != nil {
			return nil, err
		}
		list, err := parse(f, string(text))
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			if names[a.Name] {
				return nil, fmt.Errorf("%s: there are two of %q", a.Where, a.Name)
			}
			names[a.Name] = true
		}
		all = append(all, list...)
	}
	return all, nil
}

func parse(file, text string) ([]Assertion, error) {
	var list []Assertion
	section := ""
	in := bufio.NewScanner(strings.NewReader(text))
	for n := 1; in.Scan(); n++ {
		line, where := in.Text(), fmt.Sprintf("%s:%d", path.Base(file), n)
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "== "):
			section = line[3:]
		case strings.HasPrefix(line, "- "), strings.HasPrefix(line, "+ "):
			list = append(list, Assertion{Section: section, Name: line[2:], Where: where, Everywhere: line[0] == '+'})
		case line[0] == ' ' && len(list) > 0:
			s, err := parseStep(where, strings.TrimLeft(line, " "))
			if err != nil {
				return nil, err
			}
			a := &list[len(list)-1]
			a.steps = append(a.steps, s)
		default:
			return nil, fmt.Errorf("%s: %q is neither a name nor a step", where, line)
		}
	}
	for _, a := range list {
		if a.Section == "" || len(a.steps) == 0 {
			return nil, fmt.Errorf("%s: %q has no section or no steps", a.Where, a.Name)
		}
	}
	return list, in.Err()
}

func parseStep(where, line string) (step, error) {
	s := step{where: where}
	if strings.HasPrefix(line, "!") {
		s.verb, s.arg, _ = strings.Cut(line, " ")
		s.arg, s.want, _ = strings.Cut(s.arg, " :: ")
		return s, nil
	}
	cmd, want, found := strings.Cut(line+" ", "-> ")
	if !found {
		return s, fmt.Errorf("%s: no ->", where)
	}
	// The one space before the arrow belongs to the arrow: commands may end in spaces.
	s.arg, s.want, s.asks = strings.TrimSuffix(cmd, " "), strings.TrimSpace(want), cmd != ""
	return s, nil
}

// unquote resolves escapes.
func unquote(s string) (string, error) {
	u, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		return "", fmt.Errorf("%q: %w", s, err)
	}
	return u, nil
}
