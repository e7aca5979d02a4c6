package object_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// A file that a rename or a copy has put under the name of a cut upload is what has the name: SIZE tells of it, and APPE appends to it.
func TestRenamedOverACutUpload(t *testing.T) {
	whole := bytesOf(5000)
	for _, cut := range []int{100, 2*parkPart + 5} {
		for how, do := range map[string]func(p *process) error{
			"rename": func(p *process) error { return p.Rename("/x", "/y") },
			"copy":   func(p *process) error { return errors.Join(p.Copy("/x", "/y"), p.Remove("/x")) },
		} {
			t.Run(how, func(t *testing.T) {
				p, m := newParks(t)
				cutUpload(t, p, "/y", bytesOf(cut))
				if err := startUpload(t, p, "/x", whole).Close(); err != nil {
					t.Fatal(err)
				}
				if err := do(p); err != nil {
					t.Fatal(err)
				}
				if size := sizeOf(t, p, "/y"); size != 5000 {
					t.Errorf("SIZE %d, want 5000", size)
				}
				if err := goOn(p, "/y", -1, []byte("more")); err != nil {
					t.Fatal(err)
				}
				wantOnly(t, m, "y", append(whole[:5000:5000], "more"...))
			})
		}
	}
}

// So is one that a rename has made visible.
func TestPublishedOverACutUpload(t *testing.T) {
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	parks, err := object.NewParks(m, ".ftpgw/")
	if err != nil {
		t.Fatal(err)
	}
	f, err := object.New(m, object.Options{Parks: parks, Pending: parks, Publish: []object.Rule{{From: [2]string{"", ".tmp"}}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{f, parks, b}
	cutUpload(t, p, "/y", bytesOf(100))
	if err := startUpload(t, p, "/y.tmp", bytesOf(5000)).Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Rename("/y.tmp", "/y"); err != nil {
		t.Fatal(err)
	}
	if size := sizeOf(t, p, "/y"); size != 5000 {
		t.Errorf("SIZE %d, want 5000", size)
	}
	wantOnly(t, m, "y", bytesOf(5000))
}

// A file that somebody has stored who knows nothing of cut uploads, another user or another program, has the name; an older one has not.
func TestForeignFileOverACutUpload(t *testing.T) {
	for _, cut := range []int{100, 2*parkPart + 5} {
		synctest.Test(t, func(t *testing.T) {
			p, m := newParks(t)
			m.Set("y", bytesOf(5000))
			time.Sleep(time.Minute)
			cutUpload(t, p, "/y", bytesOf(cut))
			listed := func() int64 {
				t.Helper()
				entries, err := afero.ReadDir(p, "/")
				if err != nil || len(entries) != 1 {
					t.Fatalf("%v, %v", entries, err)
				}
				return entries[0].Size()
			}
			if size := sizeOf(t, p, "/y"); size != int64(cut) || listed() != size {
				t.Errorf("over an older file: SIZE %d, listed %d, want %d", size, listed(), cut)
			}
			time.Sleep(time.Minute)
			m.Set("y", bytesOf(6000))
			if size := sizeOf(t, p, "/y"); size != 6000 || listed() != size {
				t.Errorf("below a newer file: SIZE %d, listed %d, want 6000", size, listed())
			}
			if err := goOn(p, "/y", -1, []byte("more")); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, m, "y", append(bytesOf(6000), "more"...))
		})
	}
}

// A file that another process stores from its beginning, while this one has not seen yet that the client has left, is what has the
// name: also when the cut is noted after that.
func TestStoredBeforeTheCutIsSeen(t *testing.T) {
	whole := bytesOf(5000)
	synctest.Test(t, func(t *testing.T) {
		one, m := newParks(t)
		two := newProcess(t, m, one.b)
		silent := startUpload(t, one, "/f", bytesOf(3000)) // and the connection is gone
		time.Sleep(time.Minute)
		if err := startUpload(t, two, "/f", whole).Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := vfs.Abort(silent, errors.New("stalled")); err != nil {
			t.Fatal(err)
		}
		if size := sizeOf(t, two, "/f"); size != 5000 {
			t.Errorf("SIZE %d, want 5000", size)
		}
		if entries, err := afero.ReadDir(two, "/"); err != nil || len(entries) != 1 || entries[0].Size() != 5000 {
			t.Errorf("listed %v, %v; want 5000 bytes", entries, err)
		}
		if err := goOn(two, "/f", -1, []byte("more")); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, m, "f", append(whole[:5000:5000], "more"...))
	})
}

// What a listing shows keeps its directory.
func TestDirectoryOfACutUpload(t *testing.T) {
	p, m := newParks(t)
	m.Set("d/", nil)
	cutUpload(t, p, "/d/y", bytesOf(100))
	if err := p.RemoveDir("/d"); !errors.Is(err, vfs.ErrNotEmpty) {
		t.Errorf("RMD: %v, want vfs.ErrNotEmpty", err)
	}
	if err := p.Remove("/d/y"); err != nil {
		t.Fatal(err)
	}
	if err := p.RemoveDir("/d"); err != nil {
		t.Errorf("RMD behind DELE: %v", err)
	}
}

// A tail that has gone, as after a commit whose note could not be removed, does not stand in the way for ever.
func TestTailGone(t *testing.T) {
	p, m := newParks(t)
	cutUpload(t, p, "/y", bytesOf(100))
	for _, key := range m.Keys() {
		if strings.HasPrefix(key, ".ftpgw/tails/") {
			if err := m.Delete(t.Context(), key, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := goOn(p, "/y", 100, []byte("more")); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("REST: %v, want vfs.ErrBadOffset", err)
	}
	if size := sizeOf(t, p, "/y"); size != -1 || len(m.Keys()) != 0 {
		t.Errorf("SIZE %d, keys %q", size, m.Keys())
	}
}

// A file that is stored from its beginning while another session uploads its name is what has the name, until the other
// session has stored its own; nobody goes on with that one when it is cut.
func TestStoredBesideOneUnderWay(t *testing.T) {
	whole := bytesOf(5000)
	for name, begin := range map[string]func(t *testing.T, p *process, m *object.Mem) afero.File{
		"parts": func(t *testing.T, p *process, m *object.Mem) afero.File {
			f := startUpload(t, p, "/f", bytesOf(3*parkPart+5))
			for m.Requests()["part"] < 3 {
				time.Sleep(time.Millisecond)
			}
			return f
		},
		"resumed tail": func(t *testing.T, p *process, m *object.Mem) afero.File {
			cutUpload(t, p, "/f", bytesOf(100))
			return goOnWith(t, p, 100)
		},
		"resumed parts": func(t *testing.T, p *process, m *object.Mem) afero.File {
			cutUpload(t, p, "/f", bytesOf(2*parkPart+9))
			return goOnWith(t, p, 2*parkPart+9)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, m := newParks(t)
			other := begin(t, p, m)
			if err := startUpload(t, p, "/f", whole).Close(); err != nil {
				t.Fatal(err)
			}
			if size := sizeOf(t, p, "/f"); size != 5000 {
				t.Errorf("while the other is under way SIZE is %d, want 5000", size)
			}
			if err := vfs.Abort(other, errors.New("cut")); err != nil {
				t.Error(err)
			}
			if size := sizeOf(t, p, "/f"); size != 5000 {
				t.Errorf("once the other is cut SIZE is %d, want 5000", size)
			}
			if err := goOn(p, "/f", -1, []byte("more")); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, m, "f", append(whole[:5000:5000], "more"...))
		})
	}
}

func goOnWith(t *testing.T, p *process, at int64) afero.File {
	t.Helper()
	f, err := p.OpenAt("/f", at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("on")); err != nil {
		t.Fatal(err)
	}
	return f
}

// The tail of a cut upload that was continued before it counts no more, also where as many bytes stand before it again.
func TestTailBehindAnEarlierPlace(t *testing.T) {
	p, m := newParks(t)
	cutUpload(t, p, "/f", bytes.Repeat([]byte("A"), 4*parkPart+100))
	f, err := p.OpenAt("/f", 2*parkPart)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Repeat([]byte("B"), 2*parkPart+1)); err != nil {
		t.Fatal(err)
	}
	defer vfs.Abort(f, errors.New("killed"))
	next := newProcess(t, m, p.b)
	size := sizeOf(t, next, "/f")
	for end := time.Now().Add(10 * time.Second); size < 4*parkPart && time.Now().Before(end); size = sizeOf(t, next, "/f") {
		time.Sleep(time.Millisecond)
	}
	if size != 4*parkPart {
		t.Errorf("SIZE %d, want %d", size, 4*parkPart)
	}
	if err := goOn(next, "/f", -1, []byte("C")); err != nil {
		t.Fatal(err)
	}
	want := bytes.Join([][]byte{bytes.Repeat([]byte("A"), 2*parkPart), bytes.Repeat([]byte("B"), 2*parkPart), []byte("C")}, nil)
	wantOnly(t, m, "f", want)
}

// What a process has under way when another one goes on with its upload does not take the place of the other's parts.
func TestLatePartOfAnotherProcess(t *testing.T) {
	b := object.NewBudget(16 << 20)
	m := object.NewMem(b, parkPart)
	one, two, three := newProcess(t, m, b), newProcess(t, m, b), newProcess(t, m, b)
	mine := bytes.Repeat([]byte{'1'}, 4*parkPart)
	late := startUpload(t, one, "/y", mine[:2*parkPart+1]) // two parts, and the connection is gone
	theirs := goOnAndBeCut(t, two)
	// What the first had in memory lands now.
	if _, err := late.Write(mine[2*parkPart+1:]); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(late, errors.New("cut")); err != nil {
		t.Fatal(err)
	}
	if err := goOn(three, "/y", 3*parkPart, []byte("end")); err != nil {
		t.Fatal(err)
	}
	got, _ := m.Object("y")
	if want := slices.Concat(mine[:2*parkPart], theirs, []byte("end")); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d; the third part is of %q", len(got), len(want), got[2*parkPart])
	}
}

// An upload that a limit has ended is not kept: it would be refused again.
func TestRefusedUploadIsNotKept(t *testing.T) {
	for _, size := range []int{100, 2*parkPart + 5} {
		p, m := newParks(t)
		m.Set("f", bytesOf(50))
		refused := fmt.Errorf("limit of the configuration: %w", vfs.ErrTooLarge)
		if err := vfs.Abort(startUpload(t, p, "/f", bytesOf(size)), refused); err != nil {
			t.Fatal(err)
		}
		if n := sizeOf(t, p, "/f"); n != 50 {
			t.Errorf("SIZE %d, want 50", n)
		}
		cutUpload(t, p, "/f", bytesOf(size))
		if err := vfs.Abort(goOnWith(t, p, int64(size)), refused); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, m, "f", bytesOf(50))
	}
}

// A client that sends on although another process goes on with its upload, by another client, does not come to the numbers of the other's parts.
func TestManyLatePartsOfAnotherProcess(t *testing.T) {
	b := object.NewBudget(16 << 20)
	m := object.NewMem(b, parkPart)
	one, two, three := newProcess(t, m, b), newProcess(t, m, b), newProcess(t, m, b)
	one.parks.LookEvery(12 * parkPart)
	late := startUpload(t, one, "/y", bytes.Repeat([]byte{'1'}, 2*parkPart+1))
	theirs := goOnAndBeCut(t, two)
	var err error
	for range 60 {
		if _, err = late.Write(bytes.Repeat([]byte{'1'}, parkPart)); err != nil {
			break
		}
	}
	if !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("the first goes on: %v", err)
	}
	vfs.Abort(late, err)
	if err := goOn(three, "/y", 3*parkPart, []byte("end")); err != nil {
		t.Fatal(err)
	}
	got, _ := m.Object("y")
	if want := slices.Concat(bytes.Repeat([]byte{'1'}, 2*parkPart), theirs, []byte("end")); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d; the third part is of %q", len(got), len(want), got[2*parkPart])
	}
}

// goOnAndBeCut waits until another process has stored two parts of /y, goes on there with a third, which it returns, and is cut.
func goOnAndBeCut(t *testing.T, p *process) []byte {
	t.Helper()
	for end := time.Now().Add(time.Minute); sizeOf(t, p, "/y") != 2*parkPart; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("SIZE %d", sizeOf(t, p, "/y"))
		}
	}
	f, err := p.OpenAt("/y", 2*parkPart)
	if err != nil {
		t.Fatal(err)
	}
	third := bytes.Repeat([]byte{'2'}, parkPart)
	if _, err := f.Write(third); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(f, errors.New("cut")); err != nil {
		t.Fatal(err)
	}
	return third
}
