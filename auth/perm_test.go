package auth

import (
	"strings"
	"testing"
)

func TestParsePerm(t *testing.T) {
	for in, want := range map[string]struct {
		perm   Perm
		out    string
		writes bool
	}{
		"":           {0, "", false},
		"elr":        {PermReadOnly, "elr", false},
		"rle":        {PermReadOnly, "elr", false},
		"wwe":        {PermWrite | PermEnter, "ew", true},
		"elradfmwMT": {PermAll, "elradfmwMT", true},
		"T":          {PermTime, "T", true},
	} {
		p, err := ParsePerm(in)
		if err != nil || p != want.perm || p.String() != want.out || p.Writes() != want.writes {
			t.Errorf("ParsePerm(%q) = %v (%b, writes %v), %v, want %+v", in, p, p, p.Writes(), err, want)
		}
	}
	for _, bad := range []string{"x", "elrt", "e l"} {
		if p, err := ParsePerm(bad); err == nil {
			t.Errorf("ParsePerm(%q) = %v, want an error", bad, p)
		}
	}
	if PermReadOnly.Has(PermWrite) || !PermAll.Has(PermReadOnly) {
		t.Error("Has is wrong")
	}
}

// The rules, case by case as pyftpdlib's DummyAuthorizer.has_perm decides them; but of nested directories
// it takes the one that was given first, and here it is the longest.
func TestPermissionsAt(t *testing.T) {
	p := Permissions{Base: PermReadOnly, Rules: []Rule{
		{Dir: "/in", Perm: PermAll},
		{Dir: "/deep", Perm: PermAll, Recursive: true},
		{Dir: "/deep/secret", Perm: 0, Recursive: true},
		{Dir: "/deep/flat", Perm: PermList},
	}}
	for _, tt := range []struct {
		name string
		dir  bool
		want Perm
	}{
		{"/", true, PermReadOnly},
		{"/index", false, PermReadOnly},
		{"/in", true, PermAll},
		{"/in/file", false, PermAll},
		{"/in/sub", true, PermReadOnly},
		{"/in/sub/file", false, PermReadOnly},
		{"/inside", true, PermReadOnly},
		{"/deep/a/b/c", true, PermAll},
		{"/deep/secret", true, 0},
		{"/deep/secret/x/y", false, 0},
		{"/deep/secrets", false, PermAll},
		{"/deep/flat/file", false, PermList},
		{"/deep/flat/sub", true, PermAll},
	} {
		if got := p.At(tt.name, func() bool { return tt.dir }); got != tt.want {
			t.Errorf("At(%q, directory %v) = %q, want %q", tt.name, tt.dir, got, tt.want)
		}
	}
	for dir, want := range map[string]bool{"/": false, "/deep": false, "/deep/flat": true, "/deep/fla": true, "/in": true, "/deep/secret/x": true} {
		if got := p.Below(dir, PermRename); got != want {
			t.Errorf("Below(%q) = %v, want %v", dir, got, want)
		}
	}
	if got := (Permissions{Base: PermAll, Rules: []Rule{{Dir: "/", Perm: PermList, Recursive: true}}}).AtDir("/a/b"); got != PermList {
		t.Errorf("a rule for the root gives %q below it", got)
	}
	p.At("/deep/secret/x", func() bool { t.Error("asked for a directory where it makes no difference"); return false })
}

// A directory with a rule has it under each of its names, and another name gives nothing that the rule's does not.
func TestPermissionsOfOtherNames(t *testing.T) {
	p := Permissions{Base: PermReadOnly, Same: strings.EqualFold, Rules: []Rule{
		{Dir: "/Private", Perm: PermList, Recursive: true},
		{Dir: "/Private/In", Perm: PermAll},
		{Dir: "/in", Perm: PermAll, Recursive: true},
		{Dir: "/top/Secret", Perm: 0, Recursive: true},
	}}
	for name, want := range map[string]Perm{
		"/Private/f":      PermList,
		"/private/f":      PermList,
		"/PRIVATE":        PermList,
		"/privates":       PermReadOnly,
		"/PRIVATE/a/b":    PermList,
		"/Private/in/f":   PermList, // not all: its directory by name has a rule that says less
		"/Private/In/f":   PermAll,
		"/private/in/f":   PermReadOnly,
		"/in/f":           PermAll,
		"/IN/f":           PermReadOnly,
		"/Top/SECRET/x/y": 0,
		"/top":            PermReadOnly,
	} {
		if got := p.AtFile(name); got != want {
			t.Errorf("At(%q) = %q, want %q", name, got, want)
		}
	}
	for dir, want := range map[string]bool{"/top": false, "/TOP": false, "/Top": false, "/private": true, "/IN": true, "/x": true} {
		if got := p.Below(dir, PermRename); got != want {
			t.Errorf("Below(%q) = %v, want %v", dir, got, want)
		}
	}
	for name, want := range map[string]string{"/private/in/f": "/Private/In/f", "/PRIVATE/x": "/Private/x", "/x/y": "/x/y", "/": "/"} {
		if got := p.Named(name); got != want {
			t.Errorf("Named(%q) = %q, want %q", name, got, want)
		}
	}
}
