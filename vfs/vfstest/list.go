package vfstest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"sync"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var listChecks = []check{
	{"41 entries", false, listCounts},
	{"41 prefixes on page edges", false, prefixesOnEdges},
	{"paging", false, paging},
	{"list missing and file", false, listMissing},
	{"list ends early", false, listEarly},
}

// many stores n files in dir, a few at a time.
func (t *T) many(fsys afero.Fs, dir string, names []string) {
	t.t.Helper()
	work := make(chan string)
	var wg sync.WaitGroup
	for range 8 { // each ends when the names are used up
		wg.Go(func() {
			for name := range work {
				var err error
				if put := t.caps().PutRaw; put != nil {
					err = put(t.t, fsys, dir[1:]+"/"+name, []byte("x"))
				} else {
					err = store(fsys, dir+"/"+name, "x")
				}
				if err != nil {
					t.Errorf("storing %q: %v", dir+"/"+name, err)
				}
			}
		})
	}
	for _, name := range names {
		work <- name
	}
	close(work)
	wg.Wait()
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("f%05d", i)
	}
	return names
}

// listCounts: stores give 1,000 entries a page.
func listCounts(t *T) {
	for _, n := range []int{0, 1, 999, 1000, 1001, 2001} {
		t.Run(strconv.Itoa(n), func(t *T) {
			fsys := t.fs()
			t.mkdir(fsys, "/d")
			names := numbered(n)
			t.many(fsys, "/d", names)
			t.lists(fsys, "/d", names...)
			t.lists(fsys, "/", "d/")
		})
	}
}

// prefixesOnEdges puts directories first, last and in the middle of a page.
func prefixesOnEdges(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	names := numbered(1003)
	var want []string
	for i, name := range names {
		switch i {
		case 0, 500, 998, 999, 1000, 1002:
			t.mkdir(fsys, "/d/"+name)
			t.put(fsys, "/d/"+name+"/inside", "x")
			t.put(fsys, "/d/"+name+"/inside-2", "x")
			want = append(want, name+"/")
		default:
			want = append(want, name)
		}
	}
	t.many(fsys, "/d", slices.DeleteFunc(names, func(s string) bool { return slices.Contains(want, s+"/") }))
	t.lists(fsys, "/d", want...)
	t.lists(fsys, "/d/f00999", "inside", "inside-2")
}

func paging(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	names := numbered(25)
	t.many(fsys, "/d", names)
	for _, n := range []int{1, 7, 24, 25, 26, 1000} {
		d, err := fsys.Open("/d")
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		var got []string
		for {
			page, err := d.Readdir(n)
			if len(page) > n {
				t.Errorf("Readdir(%d) gave %d entries", n, len(page))
			}
			for _, fi := range page {
				got = append(got, fi.Name())
			}
			if err == io.EOF {
				break
			}
			if err != nil || len(page) == 0 {
				t.Fatalf("Readdir(%d) = %d entries, %v; want entries or io.EOF", n, len(page), err)
			}
		}
		if page, err := d.Readdir(n); len(page) != 0 || err != io.EOF {
			t.Errorf("Readdir(%d) after the end = %d entries, %v; want io.EOF", n, len(page), err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Errorf("pages of %d: got %s, want %s", n, briefList(got), briefList(names))
		}
	}
	for what, read := range map[string]func(afero.File) ([]string, error){
		"Readdirnames(-1)": func(d afero.File) ([]string, error) { return d.Readdirnames(-1) },
		"Readdirnames(30)": func(d afero.File) ([]string, error) {
			got, err := d.Readdirnames(30)
			if err == io.EOF && len(got) > 0 {
				err = nil // the end may be told with the last entries
			}
			return got, err
		},
		"Readdir(-1)": func(d afero.File) ([]string, error) {
			fis, err := d.Readdir(-1)
			var got []string
			for _, fi := range fis {
				got = append(got, fi.Name())
			}
			return got, err
		},
		"Readdir(0)": func(d afero.File) ([]string, error) {
			fis, err := d.Readdir(0)
			var got []string
			for _, fi := range fis {
				got = append(got, fi.Name())
			}
			return got, err
		},
	} {
		d, err := fsys.Open("/d")
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		got, err := read(d)
		d.Close()
		slices.Sort(got)
		if err != nil || !slices.Equal(got, names) {
			t.Errorf("%s = %s, %v; want %s", what, briefList(got), err, briefList(names))
		}
	}
	fi, err := d1(fsys, "/d")
	if err != nil || fi.Size() != 1 || fi.IsDir() || !fi.Mode().IsRegular() || fi.ModTime().IsZero() {
		t.Errorf("an entry of a page: %v, %v; want a regular file of 1 byte with a time", fi, err)
	}
}

// d1 returns the first entry of a directory.
func d1(fsys afero.Fs, dir string) (fs.FileInfo, error) {
	for fi, err := range vfs.List(fsys, dir) {
		return fi, err
	}
	return nil, errors.New("no entry")
}

func listMissing(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "x")
	_, err := list(fsys, "/absent")
	t.wants("List of a missing directory", err, fs.ErrNotExist)
	_, err = list(fsys, "/f")
	t.wants("List of a file", err, vfs.ErrNotDir)
	for name, want := range map[string]error{"/absent": fs.ErrNotExist, "/f": vfs.ErrNotDir} {
		d, err := fsys.Open(name)
		if err == nil {
			_, err = d.Readdir(10)
			d.Close()
		}
		t.wants(fmt.Sprintf("Open(%q) and Readdir", name), err, want)
	}
}

func listEarly(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.many(fsys, "/d", numbered(5))
	n := 0
	for _, err := range vfs.List(fsys, "/d") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("List went on to %d entries after the caller had left", n)
	}
	t.lists(fsys, "/d", numbered(5)...)
}
