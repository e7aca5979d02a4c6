package object_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func contents(m *object.Mem) map[string]string {
	all := map[string]string{}
	for _, k := range m.Keys() {
		b, _ := m.Object(k)
		all[k] = string(b)
	}
	return all
}

func wantContents(t *testing.T, m *object.Mem, want map[string]string) {
	t.Helper()
	if got := contents(m); !maps.Equal(got, want) {
		t.Errorf("the store has %q, want %q", got, want)
	}
}

// at calls do before the nth request of an operation.
func at(op string, n int, do func(key string)) func(context.Context, string, int, string) error {
	return func(_ context.Context, o string, i int, key string) error {
		if o == op && i == n {
			do(key)
		}
		return nil
	}
}

func Test44RNTOFile(t *testing.T) {
	type store = map[string]string
	for _, c := range []struct {
		name   string
		before store
		fault  func(m *object.Mem) func(context.Context, string, int, string) error
		want   error
		after  store
	}{
		{name: "target exists: replaced", before: store{"x.tmp": "new", "x": "old"}, after: store{"x": "new"}},
		{name: "target is a directory", before: store{"x.tmp": "new", "x/y": "below"}, want: vfs.ErrIsDir, after: store{"x.tmp": "new", "x/y": "below"}},
		{name: "source changed before the copy", before: store{"x.tmp": "seen", "x": "old"},
			fault: func(m *object.Mem) func(context.Context, string, int, string) error {
				return at("copy", 1, func(string) { m.Set("x.tmp", []byte("changed")) })
			},
			want: vfs.ErrBusy, after: store{"x.tmp": "changed", "x": "old"}},
		{name: "source changed after the copy", before: store{"x.tmp": "seen"},
			fault: func(m *object.Mem) func(context.Context, string, int, string) error {
				return at("delete", 1, func(string) { m.Set("x.tmp", []byte("changed")) })
			},
			want: vfs.ErrBusy, after: store{"x.tmp": "changed", "x": "seen"}},
		{name: "copy ok but delete fails", before: store{"x.tmp": "new"},
			fault: func(*object.Mem) func(context.Context, string, int, string) error {
				return object.FailNth("delete", 1, vfs.ErrUnavailable)
			},
			want: vfs.ErrUnavailable, after: store{"x.tmp": "new", "x": "new"}},
		{name: "copy fails", before: store{"x.tmp": "new", "x": "old"},
			fault: func(*object.Mem) func(context.Context, string, int, string) error {
				return object.FailNth("copy", 1, vfs.ErrArchived)
			},
			want: vfs.ErrArchived, after: store{"x.tmp": "new", "x": "old"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, m := newTree(t, object.Options{})
			for k, v := range c.before {
				m.Set(k, []byte(v))
			}
			if _, err := f.Stat("/x.tmp"); err != nil { // RNFR
				t.Fatal(err)
			}
			if c.fault != nil {
				m.Fault = c.fault(m)
			}
			if err := f.Rename("/x.tmp", "/x"); !errors.Is(err, c.want) {
				t.Errorf("Rename: %v, want %v", err, c.want)
			}
			wantContents(t, m, c.after)
			if c.want == vfs.ErrUnavailable {
				f.Stat("/x.tmp")
				if err := f.Rename("/x.tmp", "/x"); err != nil {
					t.Errorf("the repetition: %v", err)
				}
				wantContents(t, m, store{"x": "new"})
			}
		})
	}
}

// What RNFR has seen is what RNTO renames, and nothing that came in between.
func Test44SourceChangedBetweenRNFRAndRNTO(t *testing.T) {
	f, m := newTree(t, object.Options{})
	m.Set("a", []byte("seen"))
	f.Stat("/a")
	m.Set("a", []byte("changed"))
	if err := f.Rename("/a", "/b"); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("Rename: %v, want vfs.ErrBusy", err)
	}
	wantContents(t, m, map[string]string{"a": "changed"})
	if err := f.Rename("/a", "/b"); err != nil {
		t.Errorf("the repetition: %v", err)
	}
}

// A file that is stored while it is removed stays.
func TestDELEKeepsWhatItHasNotSeen(t *testing.T) {
	f, m := newTree(t, object.Options{})
	m.Set("a", []byte("seen"))
	m.Fault = at("delete", 1, func(string) { m.Set("a", []byte("stored meanwhile")) })
	if err := vfs.RemoveFile(f, "/a"); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("RemoveFile: %v, want vfs.ErrBusy", err)
	}
	wantContents(t, m, map[string]string{"a": "stored meanwhile"})
}

func TestRenameNew(t *testing.T) {
	f, m := newTree(t, object.Options{})
	m.Set("a", []byte("a"))
	m.Set("b", []byte("b"))
	for name, do := range map[string]func() error{
		"RenameNew": func() error { return vfs.RenameNew(f, "/a", "/b") },
		"CopyNew":   func() error { return vfs.CopyNew(f, "/a", "/b") },
	} {
		if err := do(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s onto a file: %v, want fs.ErrExist", name, err)
		}
		// Somebody takes the name between the look and the copy.
		n := 0
		m.Fault = func(_ context.Context, op string, _ int, key string) error {
			if op == "copy" {
				n++
				m.Set(key, []byte("faster"))
			}
			return nil
		}
		target := "/new-" + name
		if err := vfs.RenameNew(f, "/a", target); !errors.Is(err, fs.ErrExist) || n == 0 {
			t.Errorf("%s, and somebody was faster: %v, want fs.ErrExist", name, err)
		}
		m.Fault = nil
		if b, _ := m.Object(target[1:]); string(b) != "faster" {
			t.Errorf("%s: the faster one's file is %q", name, b)
		}
	}
}

// A directory with markers, files, a name like its own, and an odd one.
var renameDirBefore = map[string]string{
	"d/": "", "d/f1": "1", "d/f2": "2", "d/sub/": "", "d/sub/f3": "3", "d/sub/deep/f4": "4", "d//odd": "5",
	"d-1": "beside", "dd/f": "beside",
}

func renameDirAfter() map[string]string {
	after := map[string]string{}
	for k, v := range renameDirBefore {
		if rest, ok := strings.CutPrefix(k, "d/"); ok {
			k = "e/" + rest
		}
		after[k] = v
	}
	return after
}

func fill(m *object.Mem, all map[string]string) {
	for k, v := range all {
		m.Set(k, []byte(v))
	}
}

var errKilled = errors.New("killed")

// Every request in turn is the first one that is not carried out, as after kill -9.
func Test45RNTODirectoryKilledAtEveryStep(t *testing.T) {
	for _, moves := range []bool{false, true} {
		t.Run(fmt.Sprintf("moves %t", moves), func(t *testing.T) {
			for step := 1; ; step++ {
				m := object.NewMem(object.NewBudget(16<<20), 64<<10)
				fill(m, renameDirBefore)
				var n atomic.Int64
				m.Fault = func(context.Context, string, int, string) error {
					if n.Add(1) >= int64(step) {
						return errKilled
					}
					return nil
				}
				err := tree(t, m, moves, object.Options{}).Rename("/d", "/e")
				m.Fault = nil
				// Nothing is lost: each content is at its old or its new place.
				have := contents(m)
				for k, v := range renameDirBefore {
					rest, ok := strings.CutPrefix(k, "d/")
					if b, there := have["e/"+rest]; ok && there && b == v {
						continue
					}
					if b, there := have[k]; !there || b != v {
						t.Fatalf("killed at request %d: %q is lost: %q", step, k, have)
					}
				}
				if err == nil {
					if step < 10 {
						t.Fatalf("done after %d requests: the faults do not work", step)
					}
					break
				}
				if !errors.Is(err, errKilled) {
					t.Fatalf("killed at request %d: %v", step, err)
				}
				// Another process, the same commands.
				f := tree(t, m, moves, object.Options{})
				if _, serr := f.Stat("/d"); serr == nil {
					if err := f.Rename("/d", "/e"); err != nil {
						t.Fatalf("killed at request %d: the repetition: %v", step, err)
					}
				}
				got := contents(m)
				maps.DeleteFunc(got, func(k, _ string) bool { return strings.HasPrefix(k, ".ftpgw/") })
				if want := renameDirAfter(); !maps.Equal(got, want) {
					t.Fatalf("killed at request %d, repeated: %q, want %q", step, got, want)
				}
			}
		})
	}
}

// mover moves as GCS does, in one step.
type mover struct{ *object.Mem }

func (m mover) Move(ctx context.Context, dst string, src object.Attrs, o object.CopyOptions) error {
	if err := m.Copy(ctx, dst, src, o); err != nil {
		return err
	}
	fault := m.Fault
	m.Mem.Fault = nil // one step: there is nothing between the two
	defer func() { m.Mem.Fault = fault }()
	return m.Delete(ctx, src.Key, src.ETag)
}

func tree(t *testing.T, m *object.Mem, moves bool, o object.Options) *object.FS {
	t.Helper()
	var s object.Store = m
	if moves {
		s = &serial{mover: mover{m}, turn: make(chan struct{}, 1)}
	}
	f, err := object.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// serial lets one Move run at a time, as mover changes the store's faults meanwhile.
type serial struct {
	mover
	turn chan struct{}
}

func (s *serial) Move(ctx context.Context, dst string, src object.Attrs, o object.CopyOptions) error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.mover.Move(ctx, dst, src, o)
}

func Test45RNTODirectory(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		f, m := newTree(t, object.Options{})
		fill(m, renameDirBefore)
		if err := f.Rename("/d", "/e"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, m, renameDirAfter())
		if _, err := f.Stat("/d"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the old name: %v, want fs.ErrNotExist", err)
		}
	})
	t.Run("above the limit, with nothing done", func(t *testing.T) {
		for limit, want := range map[int]error{7: nil, 6: errors.ErrUnsupported, -1: errors.ErrUnsupported} {
			f, m := newTree(t, object.Options{RenameDirMax: limit})
			fill(m, renameDirBefore)
			if err := f.Rename("/d", "/e"); !errors.Is(err, want) {
				t.Errorf("limit %d: %v, want %v", limit, err, want)
			}
			if want != nil {
				wantContents(t, m, renameDirBefore)
			}
		}
	})
	t.Run("refusals, with nothing done", func(t *testing.T) {
		for to, want := range map[string]error{
			"/d/sub/x": vfs.ErrBadName, "/d/x": vfs.ErrBadName, "/d-1": vfs.ErrNotDir, "/dd": vfs.ErrNotEmpty,
			"/" + strings.Repeat("x", 1020): vfs.ErrBadName, "/": vfs.ErrIsDir,
		} {
			f, m := newTree(t, object.Options{})
			fill(m, renameDirBefore)
			if err := f.Rename("/d", to); !errors.Is(err, want) {
				t.Errorf("to %.20q: %v, want %v", to, err, want)
			}
			wantContents(t, m, renameDirBefore)
		}
	})
	t.Run("onto an empty directory", func(t *testing.T) {
		f, m := newTree(t, object.Options{})
		fill(m, renameDirBefore)
		m.Set("e/", nil)
		if err := f.Rename("/d", "/e"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, m, renameDirAfter())
	})
	t.Run("a file arrives while it is copied", func(t *testing.T) {
		f, m := newTree(t, object.Options{})
		fill(m, renameDirBefore)
		m.Fault = at("copy", 1, func(string) { m.Set("d/late", []byte("late")) })
		if err := f.Rename("/d", "/e"); err != nil {
			t.Fatal(err)
		}
		want := renameDirAfter()
		want["e/late"] = "late"
		wantContents(t, m, want)
	})
	t.Run("a file arrives while the old ones are deleted", func(t *testing.T) {
		f, m := newTree(t, object.Options{})
		fill(m, renameDirBefore)
		m.Fault = at("delete", 1, func(string) { m.Set("d/late", []byte("late")) })
		if err := f.Rename("/d", "/e"); err != nil {
			t.Fatal(err)
		}
		want := renameDirAfter()
		want["d/late"] = "late" // nobody has copied it, so nobody deletes it
		wantContents(t, m, want)
	})
	t.Run("a file changes between copy and deletion", func(t *testing.T) {
		f, m := newTree(t, object.Options{})
		fill(m, renameDirBefore)
		m.Fault = at("delete", 1, func(string) { m.Set("d/sub/f3", []byte("changed")); m.Set("d/f1", []byte("changed")) })
		if err := f.Rename("/d", "/e"); !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("%v, want vfs.ErrBusy", err)
		}
		m.Fault = nil
		if b, ok := m.Object("d/f1"); !ok || string(b) != "changed" {
			if b, ok := m.Object("d/sub/f3"); !ok || string(b) != "changed" {
				t.Error("both changed files are gone")
			}
		}
		if err := f.Rename("/d", "/e"); err != nil {
			t.Errorf("the repetition: %v", err)
		}
		got := contents(m)
		if slices.ContainsFunc(slices.Collect(maps.Keys(got)), func(k string) bool { return strings.HasPrefix(k, "d/") }) || got["e/sub/f3"] != "changed" {
			t.Errorf("after the repetition: %q", got)
		}
	})
}

// The gateway's own objects are nobody's.
func TestOwnDirectory(t *testing.T) {
	f, m := newTree(t, object.Options{})
	m.Set(".ftpgw/rename/x", []byte("note"))
	m.Set("d/.ftpgw/x", []byte("of a home below"))
	m.Set("f", nil)
	if names, err := ls(f, "/"); err != nil || fmt.Sprint(names) != "[d/ f]" {
		t.Errorf("the root lists %q, %v", names, err)
	}
	if _, err := load(f, "/.ftpgw/rename/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading: %v, want fs.ErrNotExist", err)
	}
	if err := store(f, "/.ftpgw/x", nil); !errors.Is(err, vfs.ErrBadName) {
		t.Errorf("storing: %v, want vfs.ErrBadName", err)
	}
	if err := f.Rename("/f", "/d/.ftpgw"); !errors.Is(err, vfs.ErrBadName) {
		t.Errorf("renaming to it: %v, want vfs.ErrBadName", err)
	}
	if err := vfs.RemoveFile(f, "/.ftpgw/rename/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removing: %v, want fs.ErrNotExist", err)
	}
}

func Test40KeepDirsMarkerForAll(t *testing.T) {
	for name, do := range map[string]func(f *object.FS) error{
		"DELE": func(f *object.FS) error { return vfs.RemoveFile(f, "/d/f") },
		"RNTO": func(f *object.FS) error { return f.Rename("/d/f", "/g") },
	} {
		for _, keep := range []bool{false, true} {
			f, m := newTree(t, object.Options{KeepDirs: keep})
			m.Set("d/f", []byte("x"))
			if err := do(f.Session()); err != nil {
				t.Fatal(err)
			}
			_, err := vfs.StatDir(f.Session(), "/d")
			if keep && err != nil || !keep && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s, KeepDirs %t: another session sees %v", name, keep, err)
			}
			if keep {
				if err := vfs.RemoveDir(f.Session(), "/d"); err != nil {
					t.Errorf("RMD of what was kept: %v", err)
				}
			}
		}
	}
}
