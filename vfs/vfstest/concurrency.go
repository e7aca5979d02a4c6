package vfstest

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var concurrencyChecks = []check{
	{"many sessions", false, manySessions},
	{"exclusive create race", false, exclusiveRace},
	{"writers of one name", false, writersOfOne},
	{"mkdir race", false, mkdirRace},
}

func manySessions(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			name := fmt.Sprintf("/d/%d", i)
			content := strings.Repeat(name, 100+i)
			for range 5 {
				if err := store(fsys, name+".tmp", content); err != nil {
					t.Errorf("storing: %v", err)
					return
				}
				if err := fsys.Rename(name+".tmp", name); err != nil {
					t.Errorf("Rename: %v", err)
					return
				}
				t.holds(fsys, name, content)
				if _, err := list(fsys, "/d"); err != nil {
					t.Errorf("List: %v", err)
				}
				if err := vfs.RemoveFile(fsys, name); err != nil {
					t.Errorf("RemoveFile: %v", err)
				}
			}
		})
	}
	wg.Wait()
	t.lists(fsys, "/d")
}

func exclusiveRace(t *T) {
	fsys := t.fs()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			f, err := fsys.OpenFile("/one", forNew, 0o666)
			if err == nil {
				err = finish(f, fmt.Sprint("by ", i))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Errorf("both %d and %d created the file", winner, i)
		case err == nil:
			winner = i
		default:
			t.wants("creating a file that another has", err, fs.ErrExist)
		}
	}
	if winner < 0 {
		t.Fatalf("nobody created the file: %v", errors.Join(errs...))
	}
	t.holds(fsys, "/one", fmt.Sprint("by ", winner))
	t.lists(fsys, "/", "one")
}

// writersOfOne: where files are replaced whole, one of the writers has the name at the end.
func writersOfOne(t *T) {
	fsys := t.fs()
	size := t.caps().FirstPart + 1
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if err := store(fsys, "/f", strings.Repeat(string(rune('a'+i)), int(size))); err != nil && !errors.Is(err, vfs.ErrBusy) {
				t.Errorf("storing: %v", err)
			}
		})
	}
	wg.Wait()
	got, err := load(fsys, "/f")
	if err != nil || int64(len(got)) != size {
		t.Fatalf("reading: %d bytes, %v; want %d", len(got), err, size)
	}
	if t.caps().Abort == KeepsOld && got != strings.Repeat(got[:1], int(size)) {
		t.Errorf("the file is a mix of several writers")
	}
	t.lists(fsys, "/", "f")
}

func mkdirRace(t *T) {
	fsys := t.fs()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = fsys.Mkdir("/d", 0o777) })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
			continue
		}
		t.wants("Mkdir of a directory that another makes", err, fs.ErrExist)
	}
	if made != 1 {
		t.Errorf("%d of %d made the directory, want one", made, len(errs))
	}
	t.isDir(fsys, "/d")
}
