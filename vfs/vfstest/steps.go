package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

const (
	forWriting = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	forNew     = os.O_WRONLY | os.O_CREATE | os.O_EXCL
)

// create opens name as STOR does.
func create(fsys afero.Fs, name string) (afero.File, error) {
	return fsys.OpenFile(name, forWriting, 0o666)
}

// store writes a whole file, as STOR does; the file is given up if a write fails.
func store(fsys afero.Fs, name, content string) error {
	f, err := create(fsys, name)
	if err != nil {
		return err
	}
	return finish(f, content)
}

func finish(f afero.File, content string) error {
	if _, err := io.WriteString(f, content); err != nil {
		return errors.Join(err, vfs.Abort(f, err))
	}
	return f.Close()
}

// load reads a whole file.
func load(fsys afero.Fs, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return string(b), err
}

// put stores a file that the subtest needs.
func (t *T) put(fsys afero.Fs, name, content string) {
	t.t.Helper()
	if err := store(fsys, name, content); err != nil {
		t.Fatalf("storing %q: %v", name, err)
	}
}

// mkdir makes a directory that the subtest needs.
func (t *T) mkdir(fsys afero.Fs, name string) {
	t.t.Helper()
	if err := fsys.Mkdir(name, 0o777); err != nil {
		t.Fatalf("Mkdir(%q): %v", name, err)
	}
}

// holds checks that the file name has that content, whole.
func (t *T) holds(fsys afero.Fs, name, want string) {
	t.t.Helper()
	got, err := load(fsys, name)
	if err != nil {
		t.Errorf("reading %q: %v, want %s", name, err, brief(want))
		return
	}
	if got != want {
		t.Errorf("reading %q: got %s, want %s", name, brief(got), brief(want))
	}
	fi, err := vfs.StatFile(fsys, name)
	switch {
	case err != nil:
		t.Errorf("StatFile(%q): %v", name, err)
	case fi.Size() != int64(len(want)):
		t.Errorf("StatFile(%q).Size() = %d, want %d", name, fi.Size(), len(want))
	}
}

// missing checks that there is nothing of that name, asked in every way.
func (t *T) missing(fsys afero.Fs, name string) {
	t.t.Helper()
	if _, err := fsys.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%q): %v, want fs.ErrNotExist", name, err)
	}
	if _, err := load(fsys, name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading %q: %v, want fs.ErrNotExist", name, err)
	}
	if _, err := list(fsys, name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List(%q): %v, want fs.ErrNotExist", name, err)
	}
	if entries, err := list(fsys, path.Dir(name)); err == nil && slices.Contains(entries, path.Base(name)) {
		t.Errorf("List(%q) has %q, which does not exist", path.Dir(name), path.Base(name))
	}
}

// isDir checks that name is a directory, asked in every way.
func (t *T) isDir(fsys afero.Fs, name string) {
	t.t.Helper()
	if fi, err := vfs.StatDir(fsys, name); err != nil {
		t.Errorf("StatDir(%q): %v, want a directory", name, err)
	} else if !fi.IsDir() || !fi.Mode().IsDir() {
		t.Errorf("StatDir(%q): mode %v, want a directory", name, fi.Mode())
	}
	if _, err := list(fsys, name); err != nil {
		t.Errorf("List(%q): %v, want a directory", name, err)
	}
}

// list returns the names of the entries of dir, sorted; a directory has a slash at its end.
func list(fsys afero.Fs, dir string) ([]string, error) {
	var names []string
	for fi, err := range vfs.List(fsys, dir) {
		if err != nil {
			return names, err
		}
		name := fi.Name()
		if fi.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// lists checks that dir has exactly these entries.
func (t *T) lists(fsys afero.Fs, dir string, want ...string) {
	t.t.Helper()
	got, err := list(fsys, dir)
	if err != nil {
		t.Errorf("List(%q): %v", dir, err)
		return
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("List(%q) = %s, want %s", dir, briefList(got), briefList(want))
	}
}

// wants checks that err is one of the wanted errors.
func (t *T) wants(what string, err error, want ...error) {
	t.t.Helper()
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	t.Errorf("%s: got error %v, want %v", what, err, errors.Join(want...))
}

// pattern makes n bytes in which every place can be told from its neighbours.
func pattern(n int64) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8*7 ^ i>>16*13)
	}
	return string(b)
}

// brief makes a content fit into a message.
func brief(s string) string {
	if len(s) <= 40 {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:20]) + "… (" + strconv.Itoa(len(s)) + " bytes)"
}

func briefList(l []string) string {
	if len(l) <= 12 {
		return strconv.Quote(strings.Join(l, " "))
	}
	return strconv.Quote(strings.Join(l[:12], " ")) + "… (" + strconv.Itoa(len(l)) + " entries)"
}
