package vfstest

import (
	"strings"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Sentence 43: a user's prefix "a/b" does not reach "a/bc", by whatever spelling.
var jailChecks = []check{{"43 prefix jail", false, jail}}

func jail(t *T) {
	fsys := t.fs()
	for _, d := range []string{"/a", "/a/b", "/a/bc", "/a/b/own"} {
		t.mkdir(fsys, d)
	}
	t.put(fsys, "/a/bc/secret", "secret")
	t.put(fsys, "/a/secret", "secret")
	t.put(fsys, "/secret", "secret")
	t.put(fsys, "/a/b/f", "own")
	sub := vfs.NewSub(fsys, "/a/b")

	t.lists(sub, "/", "f", "own/")
	t.holds(sub, "/f", "own")
	t.missing(sub, "/secret")
	for _, name := range []string{
		"../bc/secret", "/../bc/secret", "c/secret", "/c/secret", "/own/../../bc/secret",
		"/../secret", "/../../secret", "../../../../../../secret", "/./../secret", "//../secret",
		"/%2e%2e/bc/secret", "/..%2fbc%2fsecret", "/..%2Fsecret", "/%2e%2e%2fsecret",
		`/..\bc\secret`, `/..\secret`, `\..\secret`,
		"/..\u2215secret", "/\uff0e\uff0e/secret", "/..;/secret",
		"/.. /secret", "/ ../secret", "/../\x00/secret", "/f/../../secret",
	} {
		if got, err := load(sub, name); err == nil && got == "secret" {
			t.Errorf("reading %q through the subtree gave the secret", name)
		}
		if fi, err := sub.Stat(name); err == nil && fi.Name() == "secret" {
			t.Errorf("Stat(%q) through the subtree found the secret", name)
		}
		if vfs.RemoveFile(sub, name) == nil {
			t.Errorf("RemoveFile(%q) through the subtree removed something", name)
		}
		sub.Rename(name, "/stolen")
		if got, err := load(sub, "/stolen"); err == nil {
			t.Errorf("Rename(%q) through the subtree fetched %q", name, got)
		}
		sub.Rename("/f", strings.TrimSuffix(name, "secret")+"planted")
		t.put(sub, "/f", "own")
	}
	for _, dir := range []string{"..", "/..", "/../..", "/../bc", "c", "/own/../.."} {
		got, err := list(sub, dir)
		if err != nil {
			continue
		}
		for _, name := range got {
			// Where directories come with their files, the loop above has made a bc/ of the subtree's own.
			if name == "secret" || name == "bc/" && !t.caps().ImplicitDirs || name == "b/" {
				t.Errorf("List(%q) through the subtree shows %q", dir, got)
			}
		}
	}
	t.holds(fsys, "/a/bc/secret", "secret")
	t.holds(fsys, "/a/secret", "secret")
	t.holds(fsys, "/secret", "secret")
	t.lists(fsys, "/", "a/", "secret")
	t.lists(fsys, "/a", "b/", "bc/", "secret")
	t.lists(fsys, "/a/bc", "secret")
}
