package gcs

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// tree returns a tree on the fake, and what RNFR has to have seen.
func (f *fake) tree(noMove bool) *object.FS {
	f.t.Helper()
	s := f.store(quick)
	s.noMove.Store(noMove)
	t, err := object.New(s, object.Options{})
	if err != nil {
		f.t.Fatal(err)
	}
	return t
}

// fake-gcs-server ignores preconditions on rewrite and delete and has no objects.move: here the fake shows them.
func Test44RNTOFile(t *testing.T) {
	for name, c := range map[string]struct {
		noMove, unknown bool
		ops             map[string]int
	}{
		"moved":                 {ops: map[string]int{"move": 1}},
		"move: off":             {noMove: true, ops: map[string]int{"rewrite": 1, "delete": 1}},
		"a server without move": {unknown: true, ops: map[string]int{"move": 1, "rewrite": 1, "delete": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.noMove = c.unknown
			tree := f.tree(c.noMove)
			o := f.set("x.tmp", []byte("new"))
			o.ctype, o.meta, o.class = "image/png", map[string]string{"mtime": "1"}, "NEARLINE"
			f.set("x", []byte("old"))
			if _, err := tree.Stat("/x.tmp"); err != nil {
				t.Fatal(err)
			}
			if err := tree.Rename("/x.tmp", "/x"); err != nil {
				t.Fatal(err)
			}
			n := f.get("x")
			if n == nil || string(n.data) != "new" || n.ctype != "image/png" || n.meta["mtime"] != "1" || n.class != "NEARLINE" || f.get("x.tmp") != nil {
				t.Errorf("renamed: %+v, the old one %+v", n, f.get("x.tmp"))
			}
			for _, op := range []string{"move", "rewrite", "delete"} {
				if got := f.count(op); got != c.ops[op] {
					t.Errorf("%d requests %s, want %d", got, op, c.ops[op])
				}
			}
			// Changed between RNFR and RNTO.
			f.set("y", []byte("seen"))
			tree.Stat("/y")
			f.set("y", []byte("changed"))
			if err := tree.Rename("/y", "/x"); !errors.Is(err, vfs.ErrBusy) {
				t.Errorf("Rename of what has changed: %v, want vfs.ErrBusy", err)
			}
			if string(f.get("x").data) != "new" || string(f.get("y").data) != "changed" {
				t.Error("something is lost")
			}
			// A name that somebody has.
			if err := vfs.RenameNew(tree, "/y", "/x"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("RenameNew: %v, want fs.ErrExist", err)
			}
		})
	}
}

// The condition is the store's own: the look before it does not decide.
func TestConditionsOfCopyMoveDelete(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.set("a", []byte("a"))
	f.set("b", []byte("b"))
	a, err := s.Head(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	absent := object.CopyOptions{IfAbsent: true}
	for op, err := range map[string]error{"Copy": s.Copy(t.Context(), "b", a, absent), "Move": s.Move(t.Context(), "b", a, absent)} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s to a key that exists: %v, want fs.ErrExist", op, err)
		}
	}
	f.set("a", []byte("changed"))
	for op, err := range map[string]error{
		"Copy": s.Copy(t.Context(), "b", a, object.CopyOptions{}), "Move": s.Move(t.Context(), "b", a, object.CopyOptions{}),
		"Copy to a new key": s.Copy(t.Context(), "c", a, absent), "Delete": s.Delete(t.Context(), "a", a.ETag),
	} {
		if !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("%s of another generation: %v, want vfs.ErrBusy", op, err)
		}
	}
	if string(f.get("a").data) != "changed" || string(f.get("b").data) != "b" || f.get("c") != nil {
		t.Error("something has changed")
	}
}

// A move whose answer is lost is tried again and finds no source.
func TestMoveLostAnswer(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.set("a", []byte("content"))
	a, err := s.Head(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	f.setLose(func(op string, _ *http.Request) bool {
		now := op == "move" && !lost
		lost = lost || now
		return now
	})
	if err := s.Move(t.Context(), "b", a, object.CopyOptions{}); err != nil || f.get("a") != nil || !bytes.Equal(f.get("b").data, []byte("content")) {
		t.Errorf("Move: %v", err)
	}
	if err := s.Move(t.Context(), "c", a, object.CopyOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Move of what is gone: %v, want fs.ErrNotExist", err)
	}
}

func Test45RNTODirectory(t *testing.T) {
	t.Run("hierarchical namespace: one step", func(t *testing.T) {
		f := newFake(t)
		f.folders = true
		tree := f.tree(false)
		f.set("d/", nil)
		f.set("d/a", []byte("a"))
		f.set("d/sub/b", []byte("b"))
		if err := tree.Rename("/d", "/e"); err != nil {
			t.Fatal(err)
		}
		if f.get("d/a") != nil || f.get("e/") == nil || string(f.get("e/sub/b").data) != "b" {
			t.Errorf("objects: %v", f.objects)
		}
		if n := f.count("move") + f.count("rewrite"); n != 0 || f.count("rename folder") != 1 || f.count("operation") != 2 {
			t.Errorf("requests: %q", f.ops())
		}
	})
	t.Run("flat: moves", func(t *testing.T) {
		f := newFake(t)
		tree := f.tree(false)
		f.set("d/", nil)
		f.set("d/a", []byte("a"))
		f.set("d/sub/b", []byte("b"))
		for _, names := range [][2]string{{"/d", "/e"}, {"/e", "/g"}} {
			if err := tree.Rename(names[0], names[1]); err != nil {
				t.Fatal(err)
			}
		}
		if f.get("d/a") != nil || f.get("e/a") != nil || f.get("g/") == nil || string(f.get("g/sub/b").data) != "b" {
			t.Errorf("objects: %v", f.objects)
		}
		if n := f.count("rewrite"); n != 0 || f.count("move") != 6 || f.count("bucket") != 1 {
			t.Errorf("requests: %q", f.ops())
		}
	})
}
