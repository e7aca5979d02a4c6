package object_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// An upload that was under way when its name got another file does not hide that when it is cut.
func TestCutBehindAnotherFile(t *testing.T) {
	whole := bytesOf(5000)
	for name, store := range map[string]func(t *testing.T, p *process) error{
		"RNTO": func(t *testing.T, p *process) error { return p.Rename("/other", "/f") },
		"CPTO": func(t *testing.T, p *process) error { return p.Copy("/other", "/f") },
	} {
		for _, sent := range []int{100, 3*parkPart + 5} {
			t.Run(name, func(t *testing.T) {
				p, m := newParks(t)
				m.Set("other", whole)
				cut := startUpload(t, p, "/f", bytesOf(sent))
				for m.Requests()["part"] < sent/parkPart {
					time.Sleep(time.Millisecond)
				}
				if err := store(t, p); err != nil {
					t.Fatal(err)
				}
				if size := sizeOf(t, p, "/f"); size != 5000 {
					t.Errorf("while the other is under way SIZE is %d, want 5000", size)
				}
				if err := vfs.Abort(cut, errors.New("cut")); err != nil {
					t.Error(err)
				}
				if err := goOn(p, "/f", -1, []byte("more")); err != nil {
					t.Fatal(err)
				}
				p.Remove("/other")
				wantOnly(t, m, "f", append(whole[:5000:5000], "more"...))
			})
		}
	}
}

// The older of two uploads of a name, and an append that was under way, are what has the name when they end after the other
// was cut.
func TestStoredBehindACut(t *testing.T) {
	for name, append := range map[string]bool{"STOR": false, "APPE": true} {
		t.Run(name, func(t *testing.T) {
			p, m := newParks(t)
			f := startUpload(t, p, "/f", []byte("whole"))
			if append {
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				var err error
				if f, err = p.OpenAt("/f", -1); err != nil {
					t.Fatal(err)
				}
			}
			cutUpload(t, p, "/f", bytesOf(3))
			if _, err := f.Write([]byte(" and more")); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, m, "f", []byte("whole and more"))
			if size := sizeOf(t, p, "/f"); size != 14 {
				t.Errorf("SIZE %d, want 14", size)
			}
		})
	}
}

// The note of an upload that lands when another one of the name has looked for it already speaks of nothing.
func TestLateNote(t *testing.T) {
	p, m := newParks(t)
	writing, stored := make(chan struct{}), make(chan struct{})
	first := true
	m.Fault = func(_ context.Context, op string, _ int, key string) error {
		if op == "single" && strings.HasPrefix(key, ".ftpgw/parked/") && first {
			first = false
			close(writing)
			<-stored
		}
		return nil
	}
	f := startUpload(t, p, "/f", bytesOf(2*parkPart+1))
	<-writing
	if err := startUpload(t, p, "/f", []byte("whole")).Close(); err != nil {
		t.Fatal(err)
	}
	close(stored)
	for m.Requests()["part"] < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := goOn(p, "/f", -1, []byte(" and more")); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(f, errors.New("cut")); err != nil {
		t.Error(err)
	}
	wantOnly(t, m, "f", []byte("whole and more"))
}

// Of an upload that went on behind a tail nothing stays once another of the name was begun, and cut.
func TestTailOfASupplantedUpload(t *testing.T) {
	p, m := newParks(t)
	cutUpload(t, p, "/f", bytesOf(100))
	f, err := p.OpenAt("/f", 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytesOf(2 * parkPart)); err != nil {
		t.Fatal(err)
	}
	for m.Requests()["part"] < 2 {
		time.Sleep(time.Millisecond)
	}
	cutUpload(t, p, "/f", bytesOf(50))
	if err := vfs.Abort(f, errors.New("cut")); err != nil {
		t.Error(err)
	}
	if size := sizeOf(t, p, "/f"); size != 50 {
		t.Errorf("SIZE %d, want 50", size)
	}
	if err := p.Remove("/f"); err != nil {
		t.Fatal(err)
	}
	if keys := m.Keys(); len(keys) != 0 || m.Pending() != 0 {
		t.Errorf("the store has %q, and %d open uploads", keys, m.Pending())
	}
}

// A directory is not renamed onto one in which cut uploads are listed, however deep: they would hide what comes there.
func TestDirectoryOverCutUploads(t *testing.T) {
	p, m := newParks(t)
	m.Set("d/s/f", bytesOf(5000))
	cutUpload(t, p, "/e/s/f", bytesOf(100))
	if err := p.Rename("/d", "/e"); !errors.Is(err, vfs.ErrNotEmpty) {
		t.Errorf("RNTO: %v, want vfs.ErrNotEmpty", err)
	}
	if err := p.Remove("/e/s/f"); err != nil {
		t.Fatal(err)
	}
	if err := p.Rename("/d", "/e"); err != nil {
		t.Errorf("RNTO behind DELE: %v", err)
	}
	wantOnly(t, m, "e/s/f", bytesOf(5000))
}

// Work that neither sees nor adds to a cut upload does not remove it with the file either.
func TestRemovedBesideACutUpload(t *testing.T) {
	p, m := newParks(t)
	m.Set("f", []byte("old"))
	cutUpload(t, p, "/f", bytesOf(100))
	if err := p.WithContext(vfs.Whole(t.Context())).(*object.FS).RemoveFile("/f"); err != nil {
		t.Fatal(err)
	}
	if size := sizeOf(t, p, "/f"); size != 100 {
		t.Errorf("SIZE %d, want 100", size)
	}
	if err := goOn(p, "/f", 100, []byte("on")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	wantOnly(t, m, "f", append(bytesOf(100), "on"...))
}
