package object_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func TestWaitingFileIsNotReadNorContinued(t *testing.T) {
	for _, restart := range []bool{false, true} {
		m, process := newPublishers(t)
		p := process()
		p.store(t, "/x.tmp", []byte("waits"))
		if restart {
			p = process()
		}
		if _, err := p.OpenFrom("/x.tmp", 0); !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("RETR: %v, want vfs.ErrBusy", err)
		}
		f, err := p.Open("/x.tmp")
		if err != nil {
			t.Fatal(err)
		}
		if fi, err := f.Stat(); err != nil || fi.Size() != 5 {
			t.Errorf("Stat: %v, %v", fi, err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("Read: %v, want vfs.ErrBusy", err)
		}
		if _, err := f.Readdir(-1); !errors.Is(err, vfs.ErrNotDir) {
			t.Errorf("Readdir: %v, want vfs.ErrNotDir", err)
		}
		f.Close()
		if _, err := p.OpenAt("/x.tmp", 5); !errors.Is(err, vfs.ErrBadOffset) {
			t.Errorf("REST and STOR: %v, want vfs.ErrBadOffset", err)
		}
		if _, err := p.OpenAt("/x.tmp", -1); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("APPE: %v, want errors.ErrUnsupported", err)
		}
		if err := p.Copy("/x.tmp", "/y"); !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("Copy: %v, want vfs.ErrBusy", err)
		}
		if err := p.Mkdir("/x.tmp", 0o777); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Mkdir: %v, want fs.ErrExist", err)
		}
		if _, err := p.OpenFile("/x.tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); !errors.Is(err, fs.ErrExist) {
			t.Errorf("O_EXCL: %v, want fs.ErrExist", err)
		}
		if err := p.Remove("/x.tmp"); err != nil {
			t.Errorf("DELE: %v", err)
		}
		if err := p.Rename("/x.tmp", "/x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Rename after DELE: %v", err)
		}
		if n, keys := m.Pending(), m.Keys(); n > 0 || len(keys) > 0 {
			t.Errorf("left: %d uploads, %q", n, keys)
		}
	}
}

// Who may not overwrite does not take the place of a file that waits for a rename of its own.
func TestPublishedOverWaiting(t *testing.T) {
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	p := newPublishing(t, m, b, func(o *object.Options) {
		o.Publish = []object.Rule{{From: [2]string{"", ".part"}, To: [2]string{"", ".tmp"}}, tmp}
	})
	p.store(t, "/x.tmp", []byte("waits"))
	p.store(t, "/x.part", []byte("new"))
	if err := p.RenameNew("/x.part", "/x.tmp"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("RenameNew: %v, want fs.ErrExist", err)
	}
	p.wantListed(t, "/", "x.part 3", "x.tmp 5")
	if err := p.Rename("/x.part", "/x.tmp"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "x.tmp", []byte("new"))
}

// Where a directory has got the final name, the file is one like all others, and what waited under its name is gone.
func TestOrdinaryFileInThePlaceOfWaiting(t *testing.T) {
	for _, resume := range []bool{false, true} {
		b := object.NewBudget(8 << 20)
		m := object.NewMem(b, parkPart)
		p := newPublishing(t, m, b, func(o *object.Options) {
			if resume {
				o.Parks = o.Pending
			}
		})
		p.store(t, "/x.tmp", []byte("waits"))
		m.Set("x/f", nil)
		cutUpload(t, p.process, "/x.tmp", bytesOf(2*parkPart))
		p.wantListed(t, "/", "x 0", "x.tmp 5")
		if n := m.Pending(); n != 1 {
			t.Errorf("%d uploads, want the one that waits", n)
		}
		p.store(t, "/x.tmp", []byte("new"))
		p.wantListed(t, "/", "x 0", "x.tmp 3")
		if err := p.Rename("/x.tmp", "/y"); err != nil {
			t.Fatal(err)
		}
		if got, _ := m.Object("y"); string(got) != "new" || m.Pending() != 0 {
			t.Errorf("y is %q, %d uploads wait", got, m.Pending())
		}
	}
}

// A file that has become whole while another session, which knows of no renames, was at the beginning of the same name stays.
func TestWholeBeforeTheFirstPartOfAnother(t *testing.T) {
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	p := newPublishing(t, m, b, nil)
	other, err := object.New(m, object.Options{Parks: p.parks})
	if err != nil {
		t.Fatal(err)
	}
	f, err := other.Create("/x.tmp")
	if err != nil {
		t.Fatal(err)
	}
	p.store(t, "/x.tmp", []byte("whole"))
	_, err = f.Write(bytesOf(3 * parkPart))
	if cerr := f.Close(); !errors.Is(errors.Join(err, cerr), vfs.ErrBusy) {
		t.Errorf("the other upload: %v, %v; want vfs.ErrBusy", err, cerr)
	}
	if err := p.Rename("/x.tmp", "/x"); err != nil {
		t.Fatal(err)
	}
	if got, _ := m.Object("x"); string(got) != "whole" || m.Pending() != 0 {
		t.Errorf("x is %q, %d uploads are open", got, m.Pending())
	}
}

// The directory of a file that waits is kept as that of any other file.
func TestDirectoryOfWaitingIsKept(t *testing.T) {
	for what, do := range map[string]func(p *publishing) error{
		"renamed away": func(p *publishing) error { return p.Rename("/d/x.tmp", "/y") },
		"removed":      func(p *publishing) error { return p.Remove("/d/x.tmp") },
	} {
		m := object.NewMem(object.NewBudget(8<<20), parkPart)
		p := newPublishing(t, m, nil, func(o *object.Options) { o.KeepDirs = true })
		p.store(t, "/d/x.tmp", []byte("x"))
		if err := do(p); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(m.Keys(), "d/") {
			t.Errorf("%s: the bucket has %q, and no directory", what, m.Keys())
		}
	}
}

func TestNameOfWaitingFileTakenByOthers(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	p.store(t, "/x.tmp", []byte("waits"))
	p.store(t, "/y", []byte("y"))
	if err := p.Rename("/y", "/x.tmp"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "x.tmp", []byte("y"))
}

func TestCutWhileWaiting(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	p.store(t, "/x.tmp", []byte("first"))
	cutUpload(t, p.process, "/x.tmp", bytesOf(3*parkPart))
	cutUpload(t, p.process, "/y.tmp", bytesOf(10))
	cutUpload(t, p.process, "/z.tmp", bytesOf(2*parkPart))
	if n := m.Pending(); n != 1 {
		t.Errorf("%d uploads are open, want 1", n)
	}
	p.wantListed(t, "/", "x.tmp 5")
	if err := p.Rename("/x.tmp", "/x"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "x", []byte("first"))
}

func TestUploadOfWaitingFileGone(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	p.store(t, "/x.tmp", []byte("x"))
	m.ExpireUploads()
	if err := p.Rename("/x.tmp", "/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rename: %v, want fs.ErrNotExist", err)
	}
	if keys := m.Keys(); len(keys) > 0 {
		t.Errorf("left: %q", keys)
	}
}

func TestTwoDevicesOfOneName(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprint("two processes=", two), func(t *testing.T) {
			m, process := newPublishers(t)
			a := process()
			b := a
			if two {
				b = process()
			}
			first, second := bytesOf(2*parkPart+1), bytesOf(3*parkPart+2)
			fa := startUpload(t, a.process, "/x.tmp", first)
			fb := startUpload(t, b.process, "/x.tmp", second)
			for _, f := range []afero.File{fa, fb} {
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if n := m.Pending(); n != 1 {
				t.Errorf("%d uploads wait, want the last one", n)
			}
			// The one process still knows its own file only.
			if err := a.Rename("/x.tmp", "/x"); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, m, "x", second)
			// In another process it may find that x is what it was to become.
			if err := b.Rename("/x.tmp", "/x"); err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && !two {
				t.Errorf("the other one's rename: %v", err)
			}
			wantOnly(t, m, "x", second)
		})
	}
	t.Run("many at once", func(t *testing.T) {
		m, process := newPublishers(t)
		var wg sync.WaitGroup
		for i := range 8 {
			p := process()
			wg.Go(func() {
				f, err := p.OpenFile("/x.tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
				if err == nil {
					_, err = f.Write(bytes.Repeat([]byte{byte(i)}, parkPart+i))
				}
				if err == nil {
					err = f.Close()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		p := process()
		if n := m.Pending(); n != 1 {
			t.Errorf("%d uploads wait, want 1", n)
		}
		if err := p.Rename("/x.tmp", "/x"); err != nil {
			t.Fatal(err)
		}
		got, _ := m.Object("x")
		if len(got) < parkPart || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) || len(got) != parkPart+int(got[0]) {
			t.Errorf("a mix of %d bytes", len(got))
		}
	})
}

func TestNeverRenamed(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	data := bytesOf(parkPart + 1)
	p.store(t, "/d/x.tmp", data)
	p.store(t, "/d/y.tmp", data)
	if err := p.Rename("/d/y.tmp", "/d/y"); err != nil {
		t.Fatal(err)
	}
	p.Release()
	p.Release()
	if log := p.log.String(); strings.Count(log, "d/x.tmp") != 1 || strings.Contains(log, "y.tmp") {
		t.Errorf("the end of the session says %q", log)
	}
	p = process()
	if n, err := p.parks.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("Sweep of what is young: %d, %v", n, err)
	}
	if ids, err := p.parks.Uploads(t.Context()); len(ids) != 1 || err != nil {
		t.Errorf("uploads that stay: %v, %v", ids, err)
	}
	if n, err := p.parks.Sweep(t.Context(), -time.Hour); n != 1 || err != nil {
		t.Errorf("Sweep: %d, %v, want 1", n, err)
	}
	if log := p.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "d/x.tmp") || !strings.Contains(log, fmt.Sprint("size=", len(data))) {
		t.Errorf("the janitor says %q", log)
	}
	wantOnly(t, m, "d/y", data)
}
