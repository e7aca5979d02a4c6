package object_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// What somebody stores below the new name between two tries of a rename is theirs: the repetition is
// refused, and nothing changes.
func Test45RepetitionKeepsWhatWasStoredSince(t *testing.T) {
	for name, fault := range map[string]func(context.Context, string, int, string) error{
		"broken off while it copies":  object.FailNth("copy", 3, errKilled),
		"broken off while it deletes": object.FailNth("delete", 2, errKilled),
	} {
		t.Run(name, func(t *testing.T) {
			f, m := newTree(t, object.Options{})
			for _, key := range []string{"d/a", "d/b", "d/c", "d/e"} {
				m.Set(key, []byte("old "+key))
			}
			m.Fault = fault
			if err := f.Rename("/d", "/e"); !errors.Is(err, errKilled) {
				t.Fatalf("Rename: %v", err)
			}
			m.Fault = nil
			for _, key := range []string{"e/a", "e/b", "e/c", "e/e"} {
				m.Set(key, []byte("new "+key))
			}
			before := contents(m)
			f = tree(t, m, false, object.Options{}) // another process
			if err := f.Rename("/d", "/e"); !errors.Is(err, vfs.ErrNotEmpty) {
				t.Errorf("the repetition: %v, want vfs.ErrNotEmpty", err)
			}
			wantContents(t, m, before)
		})
	}
}

// A file that is stored below the new name while the directory is renamed is not replaced, and no source is deleted.
func Test45StoredBelowTheNewNameMeanwhile(t *testing.T) {
	for _, moves := range []bool{false, true} {
		m := object.NewMem(object.NewBudget(16<<20), 64<<10)
		fill(m, renameDirBefore)
		done := false
		m.Fault = func(_ context.Context, op string, _ int, key string) error {
			if op == "copy" && key == "e/f1" && !done {
				done = true
				m.Set("e/f1", []byte("somebody's"))
			}
			return nil
		}
		f := tree(t, m, moves, object.Options{})
		if err := f.Rename("/d", "/e"); !errors.Is(err, vfs.ErrNotEmpty) {
			t.Errorf("moves %t: Rename: %v, want vfs.ErrNotEmpty", moves, err)
		}
		m.Fault = nil
		for key, want := range map[string]string{"e/f1": "somebody's", "d/f1": "1"} {
			if b, _ := m.Object(key); string(b) != want {
				t.Errorf("moves %t: %q has %q, want %q", moves, key, b, want)
			}
		}
		if !moves {
			wantBelow(t, m, renameDirBefore)
		}
	}
}

// wantBelow reports which of the objects are missing or changed.
func wantBelow(t *testing.T, m *object.Mem, want map[string]string) {
	t.Helper()
	for key, w := range want {
		if b, ok := m.Object(key); !ok || string(b) != w {
			t.Errorf("%q has %q, want %q", key, b, w)
		}
	}
}

// The source of a copy that somebody has taken away is not deleted.
func Test45CopyTakenAwayBeforeTheDeletion(t *testing.T) {
	f, m := newTree(t, object.Options{})
	fill(m, renameDirBefore)
	lists := 0
	m.Fault = func(_ context.Context, op string, _ int, key string) error {
		if op == "list" && key == "e/" {
			if lists++; lists == 2 { // the first is the look whether it is free
				m.Fault = nil
				return m.Delete(context.Background(), "e/f1", "")
			}
		}
		return nil
	}
	if err := f.Rename("/d", "/e"); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("Rename: %v, want vfs.ErrBusy", err)
	}
	wantBelow(t, m, map[string]string{"d/f1": "1", "e/f2": "2"})
}

// A store that does not compare before it deletes loses nothing that is stored while late objects are copied.
func Test45ChangedWhileLateOnesAreCopied(t *testing.T) {
	m := object.NewMem(object.NewBudget(16<<20), 64<<10)
	fill(m, renameDirBefore)
	m.Fault = func(_ context.Context, op string, n int, key string) error {
		switch {
		case op == "copy" && n == 1:
			m.Set("d/late", []byte("late"))
		case op == "copy" && key == "e/late":
			m.Set("d/f1", []byte("changed"))
		}
		return nil
	}
	f, err := object.New(blind{m}, object.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Rename("/d", "/e"); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("Rename: %v, want vfs.ErrBusy", err)
	}
	wantBelow(t, m, map[string]string{"d/f1": "changed", "e/late": "late"})
	if err := f.Rename("/d", "/e"); err != nil {
		t.Errorf("the repetition: %v", err)
	}
	wantBelow(t, m, map[string]string{"e/f1": "changed", "e/late": "late"})
}

// blind deletes many objects at once without a look at their ETags, as MinIO does.
type blind struct{ *object.Mem }

func (b blind) DeleteAll(ctx context.Context, objects []object.Attrs) error {
	for _, a := range objects {
		if err := b.Delete(ctx, a.Key, ""); err != nil {
			return err
		}
	}
	return nil
}

// The answer to a copy is lost, and the store makes it again under the condition that nothing has the name.
func Test45AnswerOfACopyIsLost(t *testing.T) {
	f, m := newTree(t, object.Options{})
	fill(m, renameDirBefore)
	m.Fault = func(ctx context.Context, op string, _ int, key string) error {
		if op == "copy" && key == "e/f1" {
			m.Fault = nil
			return m.Copy(ctx, key, object.Attrs{Key: "d/f1"}, object.CopyOptions{})
		}
		return nil
	}
	if err := f.Rename("/d", "/e"); err != nil {
		t.Fatal(err)
	}
	wantContents(t, m, renameDirAfter())
}

// The note of a rename in a home lies in the scratch place of the back end: the janitor looks there, and a home with
// nothing in it can be removed.
func TestRenameNoteIsInTheScratchPlace(t *testing.T) {
	m := object.NewMem(object.NewBudget(16<<20), 64<<10)
	f := tree(t, m, false, object.Options{Prefix: "home/u", Scratch: ".ftpgw/"})
	m.Set("home/u/", nil)
	m.Set("home/u/d/a", []byte("a"))
	m.Fault = object.FailNth("delete", 1, errKilled)
	if err := f.Rename("/d", "/e"); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	m.Fault = nil
	for _, key := range []string{"home/u/d/a", "home/u/e/a"} {
		if err := m.Delete(t.Context(), key, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree(t, m, false, object.Options{}).RemoveDir("/home/u"); err != nil {
		t.Errorf("removing the empty home: %v; there is %q", err, m.Keys())
	}
	p, err := object.NewParks(m, ".ftpgw/")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.Sweep(t.Context(), -time.Hour); n != 1 || err != nil || len(m.Keys()) > 0 {
		t.Errorf("Sweep: %d, %v; there is %q", n, err, m.Keys())
	}
}
