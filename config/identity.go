package config

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// UserSet are the users of one place: the document, a file of users, or an htpasswd file.
type UserSet struct {
	Users []User
	// Hashes says that passwords in plain text are not expected here.
	Hashes bool

	conf  *Config // tells the places of the users of a document
	file  string  // of an htpasswd file
	lines []int
}

// Problem is one of a key of the user with the number i.
func (s *UserSet) Problem(i int, key, text, hint string) Problem {
	if s.conf == nil {
		return Problem{File: s.file, Line: s.lines[i], Path: s.Users[i].Name, Text: text, Hint: hint}
	}
	at := fmt.Sprintf("users[%d]", i)
	if key != "" {
		at += "." + key
	}
	return s.conf.Problem(at, text, hint)
}

// ReadUsers reads the files that hold users and returns these with those of the document itself. What is wrong with the latter
// is told by [Config.Check].
func (c *Config) ReadUsers() ([]*UserSet, Report) {
	sets := []*UserSet{{Users: c.Users, conf: c}}
	var report Report
	read := map[string]string{}
	again := func(at string, file Path) bool { // its users would all be there twice
		name := filepath.Clean(string(file))
		first, ok := read[name]
		if ok {
			report = append(report, c.Problem(at, fmt.Sprintf("%s is the file of %s already", file, first), ""))
		} else {
			read[name] = at
		}
		return ok
	}
	for i, file := range c.UsersFile {
		at := fmt.Sprintf("users_file[%d]", i)
		if again(at, file) {
			continue
		}
		set, found := c.usersFile(at, file)
		sets, report = append(sets, set), append(report, found...)
	}
	for i, h := range c.Htpasswd {
		if h.File == "" {
			continue // Check has told
		}
		at := fmt.Sprintf("htpasswd[%d].file", i)
		if again(at, h.File) {
			continue
		}
		set, found := c.htpasswd(at, h)
		sets, report = append(sets, set), append(report, found...)
	}
	return sets, append(report, doubles(sets)...)
}

// doubles finds names that are in several sets.
func doubles(sets []*UserSet) Report {
	var report Report
	first := map[string]Problem{}
	for _, s := range sets {
		here := map[string]Problem{}
		for i, u := range s.Users {
			p := s.Problem(i, "name", "", "")
			if other, ok := first[u.Name]; ok && u.Name != "" {
				p.Text = fmt.Sprintf("user %q is there twice, first in %s:%d", u.Name, other.File, other.Line)
				report = append(report, p)
			}
			here[u.Name] = p
		}
		maps.Copy(first, here)
	}
	return report
}

// readFile reads a file of users whole.
func (c *Config) readFile(at string, file Path) ([]byte, Report) {
	f, err := os.Open(string(file))
	if err != nil {
		return nil, Report{c.Problem(at, fmt.Sprintf("%s: %s", file, pathless(err)), "")}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return nil, Report{c.Problem(at, fmt.Sprintf("%s: %s", file, pathless(err)), "")}
	}
	if len(data) > maxDocument {
		return nil, Report{tooLarge(string(file))}
	}
	k := &checker{c: c}
	k.keyMode(at, file)
	return data, k.report
}

// usersFile reads a file that is a list of users, or has one under the key "users".
func (c *Config) usersFile(at string, file Path) (*UserSet, Report) {
	data, report := c.readFile(at, file)
	if report.Failed() {
		return &UserSet{conf: c}, report
	}
	parsed, found := parseUsers(string(file), data)
	report = append(report, found...)
	own := *c // back ends and profiles are the document's
	own.Users, own.file, own.lines, own.KeyName = parsed.Users, parsed.file, parsed.lines, nil
	k := &checker{c: &own}
	k.users()
	return &UserSet{Users: own.Users, conf: &own}, append(report, found.unrelated(k.report)...)
}

func parseUsers(name string, data []byte) (*Config, Report) {
	c := &Config{file: name, lines: map[string]int{}}
	doc, report := parseYAML(name, data)
	if len(report) > 0 {
		return c, report
	}
	if doc == nil { // as a disk that is full leaves it, or somebody who is about to write
		return c, Report{{File: name, Text: "the file is empty", Hint: "write [] where there are no users"}}
	}
	d := newDecoder(c, os.LookupEnv)
	users := reflect.ValueOf(&c.Users).Elem()
	if doc.Kind == yaml.SequenceNode {
		d.value(doc, users, "users", "")
	} else {
		d.mapping(doc, "", []field{{"users", "", users}}, nil)
	}
	if d.nodes > maxNodes {
		return c, Report{{File: name, Text: "the document is too large when its aliases are followed"}}
	}
	d.userSecrets()
	return c, d.report
}

// htpasswd reads a file of Apache's htpasswd.
func (c *Config) htpasswd(at string, h Htpasswd) (*UserSet, Report) {
	data, report := c.readFile(at, h.File)
	s := &UserSet{file: string(h.File), Hashes: true}
	seen := map[string]int{}
	for i, line := range bytes.Split(data, []byte("\n")) {
		text := strings.TrimRight(string(line), "\r \t")
		if t := strings.TrimLeft(text, " \t"); t == "" || t[0] == '#' {
			continue
		}
		fail := func(path, format string, args ...any) {
			report = append(report, Problem{File: s.file, Line: i + 1, Path: path, Text: fmt.Sprintf(format, args...)})
		}
		name, hash, ok := strings.Cut(text, ":")
		hash, _, _ = strings.Cut(hash, ":") // further fields are somebody's own
		switch {
		case !ok || name == "" || hash == "":
			fail("", "is not a name, a colon and a hash")
			continue
		case seen[name] != 0:
			fail(name, "user %q is there twice, first in line %d", name, seen[name])
			continue
		}
		seen[name] = i + 1
		s.Users = append(s.Users, User{Name: name, Password: Secret(hash), Account: h.Account})
		s.lines = append(s.lines, i+1)
	}
	return s, report
}

// UserFiles are the names of all files that say who the users are, but for the document itself; sorted.
func (c *Config) UserFiles(sets []*UserSet) []string {
	names := map[string]bool{}
	for _, f := range c.UsersFile {
		names[string(f)] = true
	}
	for _, h := range c.Htpasswd {
		names[string(h.File)] = true
	}
	for _, s := range sets {
		for _, u := range s.Users {
			names[string(u.PasswordFile)] = true
		}
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}

// File is the name of the document; empty where the configuration was not read from a file.
func (c *Config) File() string { return c.file }

// WithUsersOf returns the configuration with the users of another reading of the document, checked against
// everything else as it was.
func (c *Config) WithUsersOf(other *Config) (*Config, Report) {
	own := *c
	own.Users, own.lines = other.Users, other.lines
	k := &checker{c: &own}
	k.users()
	return &own, k.report
}

// EqualButUsers reports whether two readings of a document differ in nothing but the key users.
func (c *Config) EqualButUsers(other *Config) bool {
	a, b := *c, *other
	for _, x := range []*Config{&a, &b} {
		x.Users, x.lines, x.KeyName, x.file, x.read = nil, nil, nil, "", false
	}
	return reflect.DeepEqual(&a, &b)
}

// othersKnowUsers reports whether there are users that the document does not name.
func (c *Config) othersKnowUsers() bool {
	return len(c.UsersFile) > 0 || len(c.Htpasswd) > 0 || c.UnixUsers != nil || c.WindowsUsers != nil || c.HTTPUsers != nil || c.LDAPUsers != nil
}

// identities checks where users come from.
func (k *checker) identities() {
	for i, h := range k.c.Htpasswd {
		at := fmt.Sprintf("htpasswd[%d]", i)
		if h.File == "" {
			k.errorf(at, "", `the key "file" is missing`)
		}
		k.account(at+".account", &h.Account)
	}
	k.external()
	if len(k.c.Users) == 0 && k.c.Anonymous == nil && !k.c.othersKnowUsers() {
		k.warnf("", "add users or anonymous", "nobody can log in")
	}
}
