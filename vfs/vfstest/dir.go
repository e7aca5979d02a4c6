package vfstest

import (
	"io/fs"
	"sync"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var dirChecks = []check{
	{"36 MKD twice fails the second time", false, mkdirTwice},
	{"36 MKD twice, implicit directory", true, mkdirImplicit},
	{"36 MKD where a file exists", false, mkdirOverFile},
	{"36 STOR where a directory exists is refused", false, storeOverDir},
	{"36 STOR where an implicit directory exists is refused", true, storeOverImplicitDir},
	{"mkdir with parents", false, mkdirAll},
	{"37 RMD non-empty", false, rmdirNonEmpty},
	{"37 RMD marker only", false, rmdirEmpty},
	{"37 RMD absent", false, rmdirAbsent},
	{"37 RMD implicit", true, rmdirImplicit},
	{"37 RMD race with a new file keeps the file", false, rmdirRace},
	{"remove is typed", false, removeTyped},
	{"38 directories: made, missing, dir against dir-1", false, dirKinds},
	{"38 directories: implicit, marker", true, dirKindsRaw},
	{"40 last file deleted, directory still there", false, lastFileDeleted},
	{"40 last file of an implicit directory deleted, directory still there", true, lastFileDeletedImplicit},
}

func mkdirTwice(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.isDir(fsys, "/d")
	t.lists(fsys, "/", "d/")
	t.wants("second Mkdir", fsys.Mkdir("/d", 0o777), fs.ErrExist)
	t.put(fsys, "/d/f", "x")
	t.wants("third Mkdir", fsys.Mkdir("/d", 0o777), fs.ErrExist)
	t.lists(fsys, "/", "d/")
	t.lists(fsys, "/d", "f")
}

func mkdirImplicit(t *T) {
	fsys := t.fs()
	t.raw(fsys, "d/f", "x")
	t.wants("Mkdir of an implicit directory", fsys.Mkdir("/d", 0o777), fs.ErrExist)
	t.lists(fsys, "/", "d/")
	t.lists(fsys, "/d", "f")
}

func mkdirOverFile(t *T) {
	fsys := t.fs()
	t.put(fsys, "/f", "x")
	t.wants("Mkdir over a file", fsys.Mkdir("/f", 0o777), fs.ErrExist)
	t.holds(fsys, "/f", "x")
	t.lists(fsys, "/", "f")
}

func storeOverDir(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.wants("storing over a directory", store(fsys, "/d", "x"), vfs.ErrIsDir)
	t.isDir(fsys, "/d")
	t.lists(fsys, "/", "d/")
	t.put(fsys, "/d/f", "x")
	t.wants("storing over a full directory", store(fsys, "/d", "x"), vfs.ErrIsDir)
	t.lists(fsys, "/d", "f")
}

func storeOverImplicitDir(t *T) {
	fsys := t.fs()
	t.raw(fsys, "d/f", "x")
	t.wants("storing over an implicit directory", store(fsys, "/d", "x"), vfs.ErrIsDir)
	t.lists(fsys, "/", "d/")
	t.lists(fsys, "/d", "f")
}

func mkdirAll(t *T) {
	fsys := t.fs()
	for range 2 {
		if err := fsys.MkdirAll("/a/b/c", 0o777); err != nil {
			t.Fatalf("MkdirAll: %v", err)
		}
	}
	t.isDir(fsys, "/a/b/c")
	t.isDir(fsys, "/a/b")
	t.lists(fsys, "/", "a/")
	t.lists(fsys, "/a", "b/")
	t.put(fsys, "/a/f", "x")
	t.wants("MkdirAll over a file", fsys.MkdirAll("/a/f", 0o777), fs.ErrExist, vfs.ErrNotDir)
	t.holds(fsys, "/a/f", "x")
}

func rmdirNonEmpty(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/d/f", "x")
	t.wants("RemoveDir of a full directory", vfs.RemoveDir(fsys, "/d"), vfs.ErrNotEmpty)
	t.wants("Remove of a full directory", fsys.Remove("/d"), vfs.ErrNotEmpty)
	t.mkdir(fsys, "/e")
	t.mkdir(fsys, "/e/sub")
	t.wants("RemoveDir of a directory with a directory", vfs.RemoveDir(fsys, "/e"), vfs.ErrNotEmpty)
	t.holds(fsys, "/d/f", "x")
	t.isDir(fsys, "/e/sub")
}

func rmdirEmpty(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.mkdir(fsys, "/d/sub")
	if err := vfs.RemoveDir(fsys, "/d/sub"); err != nil {
		t.Errorf("RemoveDir: %v", err)
	}
	t.missing(fsys, "/d/sub")
	t.isDir(fsys, "/d")
	if err := fsys.Remove("/d"); err != nil {
		t.Errorf("Remove of an empty directory: %v", err)
	}
	t.missing(fsys, "/d")
	t.mkdir(fsys, "/d")
	t.isDir(fsys, "/d")
}

func rmdirAbsent(t *T) {
	fsys := t.fs()
	t.wants("RemoveDir", vfs.RemoveDir(fsys, "/absent"), fs.ErrNotExist)
	t.wants("RemoveFile", vfs.RemoveFile(fsys, "/absent"), fs.ErrNotExist)
	t.wants("Remove", fsys.Remove("/absent"), fs.ErrNotExist)
	t.wants("Remove below a missing directory", fsys.Remove("/no/such"), fs.ErrNotExist)
}

func rmdirImplicit(t *T) {
	fsys := t.fs()
	t.raw(fsys, "d/sub/f", "x")
	t.wants("RemoveDir of an implicit directory", vfs.RemoveDir(fsys, "/d"), vfs.ErrNotEmpty)
	t.wants("RemoveDir of an implicit directory", vfs.RemoveDir(fsys, "/d/sub"), vfs.ErrNotEmpty)
	t.holds(fsys, "/d/sub/f", "x")
	t.raw(fsys, "m/", "")
	if err := vfs.RemoveDir(fsys, "/m"); err != nil {
		t.Errorf("RemoveDir of a marker: %v", err)
	}
	t.missing(fsys, "/m")
	t.wants("RemoveDir of a name that only begins others", vfs.RemoveDir(fsys, "/d/su"), fs.ErrNotExist)
}

// rmdirRace: a file is stored while its directory is being removed. Either may
// win; but a file that was committed is there.
func rmdirRace(t *T) {
	fsys := t.fs()
	for i := range 20 {
		t.mkdir(fsys, "/d")
		var wg sync.WaitGroup
		var stored, removed error
		wg.Go(func() { stored = t.plant(fsys, "d/f") })
		wg.Go(func() { removed = vfs.RemoveDir(fsys, "/d") })
		wg.Wait()
		if stored == nil {
			t.holds(fsys, "/d/f", "x")
			t.lists(fsys, "/d", "f")
			if err := vfs.RemoveFile(fsys, "/d/f"); err != nil {
				t.Fatalf("round %d: removing the file: %v", i, err)
			}
		} else if removed != nil {
			t.Errorf("round %d: neither worked: stored: %v; removed: %v", i, stored, removed)
		}
		if removed != nil {
			t.wants("RemoveDir in the race", removed, vfs.ErrNotEmpty)
		}
		// An empty directory may or may not be left, by the rule of the tree.
		if _, err := vfs.StatDir(fsys, "/d"); err == nil {
			if err := vfs.RemoveDir(fsys, "/d"); err != nil {
				t.Fatalf("round %d: cleaning up: %v", i, err)
			}
		}
	}
}

// plant stores a file as somebody else would.
func (t *T) plant(fsys afero.Fs, key string) error {
	if put := t.caps().PutRaw; put != nil {
		return put(t.t, fsys, key, []byte("x"))
	}
	return store(fsys, "/"+key, "x")
}

func removeTyped(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/f", "x")
	t.wants("RemoveFile of a directory", vfs.RemoveFile(fsys, "/d"), vfs.ErrIsDir, fs.ErrNotExist)
	t.wants("RemoveDir of a file", vfs.RemoveDir(fsys, "/f"), vfs.ErrNotDir, fs.ErrNotExist)
	t.isDir(fsys, "/d")
	t.holds(fsys, "/f", "x")
	if err := vfs.RemoveFile(fsys, "/f"); err != nil {
		t.Errorf("RemoveFile: %v", err)
	}
	t.missing(fsys, "/f")
	t.put(fsys, "/g", "x")
	if err := fsys.Remove("/g"); err != nil {
		t.Errorf("Remove of a file: %v", err)
	}
	t.lists(fsys, "/", "d/")
}

// dirKinds: "dir-1" and "dir.z" sort before "dir/" and must not be taken for it.
func dirKinds(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/dir-1")
	t.put(fsys, "/dir-1/f", "x")
	t.put(fsys, "/dir.z", "x")
	t.missing(fsys, "/dir")
	t.missing(fsys, "/di")
	t.missing(fsys, "/dir-")
	t.mkdir(fsys, "/dir")
	t.isDir(fsys, "/dir")
	t.lists(fsys, "/dir")
	t.lists(fsys, "/", "dir/", "dir-1/", "dir.z")
	t.put(fsys, "/dir/g", "x")
	t.lists(fsys, "/dir", "g")
	t.lists(fsys, "/dir-1", "f")
	t.lists(fsys, "/", "dir/", "dir-1/", "dir.z")
}

func dirKindsRaw(t *T) {
	fsys := t.fs()
	t.raw(fsys, "imp/sub/f", "x")
	t.raw(fsys, "marker/", "")
	t.raw(fsys, "both/", "")
	t.raw(fsys, "both/f", "x")
	t.raw(fsys, "imp-1/f", "x")
	t.lists(fsys, "/", "imp/", "imp-1/", "marker/", "both/")
	t.isDir(fsys, "/imp")
	t.isDir(fsys, "/imp/sub")
	t.isDir(fsys, "/marker")
	t.lists(fsys, "/imp", "sub/")
	t.lists(fsys, "/imp/sub", "f")
	t.lists(fsys, "/marker")
	t.lists(fsys, "/both", "f")
	t.missing(fsys, "/im")
	t.missing(fsys, "/marke")
	if fi, err := fsys.Stat("/imp"); err != nil || !fi.IsDir() || fi.Name() != "imp" {
		t.Errorf(`Stat("/imp") = %v, %v; want a directory`, fi, err)
	}
}

func lastFileDeleted(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/d/f", "x")
	t.lists(fsys, "/d", "f")
	if err := vfs.RemoveFile(fsys, "/d/f"); err != nil {
		t.Fatalf("RemoveFile: %v", err)
	}
	t.isDir(fsys, "/d")
	t.lists(fsys, "/d")
	t.put(fsys, "/d/g", "y")
	t.lists(fsys, "/d", "g")
}

// lastFileDeletedImplicit: the directory is there for the session that used it,
// though nothing in the bucket says so; each command has a tree bound to its own context.
func lastFileDeletedImplicit(t *T) {
	fsys := t.fs()
	t.raw(fsys, "d/f", "x")
	t.isDir(t.bound(fsys), "/d") // CWD
	t.lists(t.bound(fsys), "/d", "f")
	if err := vfs.RemoveFile(t.bound(fsys), "/d/f"); err != nil {
		t.Fatalf("RemoveFile: %v", err)
	}
	t.isDir(t.bound(fsys), "/d")
	t.lists(t.bound(fsys), "/d")
	t.put(t.bound(fsys), "/d/g", "y")
	t.lists(t.bound(fsys), "/d", "g")
}

// bound returns the tree as one command of a session has it.
func (t *T) bound(fsys afero.Fs) afero.Fs { return vfs.WithContext(t.t.Context(), fsys) }
