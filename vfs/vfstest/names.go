package vfstest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var nameChecks = []check{
	{"41 names", false, names},
	{"41 long names", false, longNames},
	{"41 names that no tree holds", false, badNames},
	{"41 names that are not clean", false, uncleanNames},
	{"41 foreign keys", true, foreignKeys},
}

// oddNames are names of one component that a tree keeps byte by byte, or
// refuses where Caps.Refuses has the kind.
var oddNames = []struct{ kind, name string }{
	{"space", "a b"},
	{"space at the ends", " a "},
	{"percent", "100%"},
	{"percent code", "a%20b%2Fc"},
	{"plus", "a+b"},
	{"ampersand and angle brackets", "<a>&amp;\"b\"'c'"},
	{"question mark and hash", "a?b#c=d"},
	{"semicolon and comma", "a;b,c"},
	{"star and brackets", "*[a]{b}"},
	{"backslash", `a\b`},
	{"colon", "a:b"},
	{"tilde", "~a"},
	{"dash", "-la"},
	{"emoji", "📷🇩🇪"},
	{"composed", "\u00e9"},
	{"decomposed", "e\u0301"},
	{"right to left", "\u202eabc"},
	{"byte order mark", "\ufeffabc"},
	{"trailing dot", "a."},
	{"leading dot", ".a"},
	{"three dots", "..."},
	{"newline", "a\nb"},
	{"carriage return", "a\rb"},
	{"tab", "a\tb"},
	{"control character", "a\x01b"},
	{"delete character", "a\x7fb"},
	{"invalid UTF-8", "a\xff\xfeb"},
	{"surrogate", "a\xed\xa0\x80b"},
	{"device name", "con.txt"},
	{"folder marker", "a_$folder$"},
}

func names(t *T) {
	for _, k := range t.caps().Refuses {
		known := k == "long segment"
		for _, o := range oddNames {
			known = known || o.kind == k
		}
		if !known {
			t.Errorf("Caps.Refuses has %q, which is no kind of name", k)
		}
	}
	for _, o := range oddNames {
		t.Run(o.kind, func(t *T) {
			fsys := t.fs()
			t.put(fsys, "/witness", "x")
			if t.caps().refuses(o.kind) {
				t.refused(fsys, "/"+o.name)
				t.lists(fsys, "/", "witness")
				return
			}
			t.kept(fsys, o.name)
			t.lists(fsys, "/", "witness")
		})
	}
}

// refused checks that a name is refused by whatever would make it.
func (t *T) refused(fsys afero.Fs, name string) {
	t.t.Helper()
	t.wants(fmt.Sprintf("storing %.60q", name), store(fsys, name, "x"), vfs.ErrBadName)
	t.wants(fmt.Sprintf("Mkdir(%.60q)", name), fsys.Mkdir(name, 0o777), vfs.ErrBadName)
	t.wants(fmt.Sprintf("Rename to %.60q", name), fsys.Rename("/witness", name), vfs.ErrBadName)
	if _, err := fsys.Stat(name); err == nil {
		t.Errorf("Stat(%.60q) found the name that was refused", name)
	}
	t.holds(fsys, "/witness", "x")
}

// kept checks that a name serves as a file and as a directory, and removes both.
func (t *T) kept(fsys afero.Fs, name string) {
	t.t.Helper()
	t.put(fsys, "/"+name, "as a file")
	t.holds(fsys, "/"+name, "as a file")
	t.lists(fsys, "/", "witness", name)
	if err := fsys.Rename("/"+name, "/moved"); err != nil {
		t.Errorf("Rename: %v", err)
	}
	if err := fsys.Rename("/moved", "/"+name); err != nil {
		t.Errorf("Rename back: %v", err)
	}
	t.holds(fsys, "/"+name, "as a file")
	if err := vfs.RemoveFile(fsys, "/"+name); err != nil {
		t.Fatalf("RemoveFile: %v", err)
	}
	t.missing(fsys, "/"+name)

	t.mkdir(fsys, "/"+name)
	t.put(fsys, "/"+name+"/f", "below")
	t.holds(fsys, "/"+name+"/f", "below")
	t.lists(fsys, "/", "witness", name+"/")
	t.lists(fsys, "/"+name, "f")
	if err := vfs.RemoveFile(fsys, "/"+name+"/f"); err != nil {
		t.Errorf("RemoveFile below: %v", err)
	}
	if err := vfs.RemoveDir(fsys, "/"+name); err != nil {
		t.Errorf("RemoveDir: %v", err)
	}
}

func longNames(t *T) {
	fsys := t.fs()
	t.put(fsys, "/witness", "x")
	if long := strings.Repeat("s", 256); t.caps().refuses("long segment") {
		t.refused(fsys, "/"+long)
		t.kept(fsys, long[:255])
	} else {
		t.kept(fsys, long)
	}
	size := t.caps().MaxKey
	if size == 0 {
		size = 1024
	}
	name := longName(size)
	if err := fsys.MkdirAll(path.Dir(name), 0o777); err != nil {
		t.Fatalf("MkdirAll of %d bytes: %v", len(path.Dir(name))-1, err)
	}
	t.put(fsys, name, "x")
	t.holds(fsys, name, "x")
	t.lists(fsys, path.Dir(name), path.Base(name))
	if t.caps().MaxKey != 0 {
		t.wants(fmt.Sprintf("storing a name of %d bytes", size+1), store(fsys, name+"y", "x"), vfs.ErrBadName)
		t.lists(fsys, path.Dir(name), path.Base(name))
	}
	if err := vfs.RemoveFile(fsys, name); err != nil {
		t.Errorf("RemoveFile: %v", err)
	}
}

// longName makes a name of n bytes, not counting the slash in front, from components of 100.
func longName(n int) string {
	var b strings.Builder
	for b.Len() <= n {
		b.WriteByte('/')
		b.WriteString(strings.Repeat("k", 100))
	}
	// The last component takes the rest and is never empty.
	s := b.String()[:n+1]
	if strings.HasSuffix(s, "/") {
		s = s[:n] + "k"
	}
	return s
}

func badNames(t *T) {
	fsys := t.fs()
	t.put(fsys, "/witness", "x")
	for _, name := range []string{"/a\x00b", "/\x00", "/witness\x00.jpg"} {
		t.refused(fsys, name)
		_, err := load(fsys, name)
		if err == nil {
			t.Errorf("reading %q worked", name)
		}
	}
	t.lists(fsys, "/", "witness")
}

// uncleanNames: the protocol cleans names; if ever one comes through, it is
// cleaned or refused, but never becomes another file or gets out.
func uncleanNames(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/d/f", "x")
	for _, name := range []string{"/d//f", "//d/f", "/d/./f", "/d/../d/f", "/../d/f", "/d/f/", "/../../../d/f"} {
		err := store(fsys, name, "y")
		got, rerr := load(fsys, "/d/f")
		switch {
		case rerr != nil:
			t.Errorf("after storing %q: %v", name, rerr)
		case err == nil && got != "y":
			t.Errorf("storing %q worked, but /d/f has %q", name, got)
		case err != nil && got != "x":
			t.Errorf("storing %q: %v, but /d/f has %q", name, err, got)
		}
		t.put(fsys, "/d/f", "x")
	}
	t.lists(fsys, "/", "d/")
	t.lists(fsys, "/d", "f")
}

// foreignKeys are legal in a bucket but have no place in a tree: they must not
// show as names that cannot be used, nor hide what stands beside them.
func foreignKeys(t *T) {
	for _, o := range []struct{ kind, key string }{
		{"empty component", "d//f"},
		{"dot", "d/./f"},
		{"dot dot", "d/../f"},
		{"dot dot at the end", "d/.."},
		{"newline", "d/a\nb"},
		{"folder marker", "d/sub_$folder$"},
	} {
		t.Run(o.kind, func(t *T) {
			fsys := t.fs()
			t.raw(fsys, "d/beside", "x")
			t.raw(fsys, o.key, "foreign")
			t.raw(fsys, "d/zz", "x")
			got, err := list(fsys, "/d")
			if err != nil {
				t.Fatalf("List: %v", err)
			}
			for _, want := range []string{"beside", "zz"} {
				if !slices.Contains(got, want) {
					t.Errorf("List = %q, want %q in it", got, want)
				}
			}
			for _, name := range got {
				name = strings.TrimSuffix(name, "/")
				if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\n") || strings.HasSuffix(name, "_$folder$") {
					t.Errorf("List = %q has %q", got, name)
				}
			}
			t.holds(fsys, "/d/beside", "x")
		})
	}
}
