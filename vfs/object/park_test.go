package object_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

const parkPart = 64 << 10

// process is a gateway process before a store that outlives it.
type process struct {
	*object.FS
	parks *object.Parks
	b     *object.Budget
}

// newProcess starts one: nothing of an earlier one is known to it but the store.
func newProcess(t *testing.T, store object.Store, b *object.Budget) *process {
	t.Helper()
	p, err := object.NewParks(store, ".ftpgw/")
	if err != nil {
		t.Fatal(err)
	}
	f, err := object.New(store, object.Options{Parks: p})
	if err != nil {
		t.Fatal(err)
	}
	return &process{f, p, b}
}

func newParks(t *testing.T) (*process, *object.Mem) {
	t.Helper()
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	t.Cleanup(func() {
		if b.InUse() != 0 || b.Reserved() != 0 || b.Waiting() != 0 {
			t.Errorf("the budget has %d bytes in use, %d reserved, %d waiting", b.InUse(), b.Reserved(), b.Waiting())
		}
	})
	return newProcess(t, m, b), m
}

func bytesOf(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) | 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// startUpload begins name and writes the bytes.
func startUpload(t *testing.T, p *process, name string, data []byte) afero.File {
	t.Helper()
	f, err := p.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	return f
}

func cutUpload(t *testing.T, p *process, name string, data []byte) {
	t.Helper()
	if err := vfs.Abort(startUpload(t, p, name, data), errors.New("cut")); err != nil {
		t.Fatalf("park: %v", err)
	}
}

func sizeOf(t *testing.T, p *process, name string) int64 {
	t.Helper()
	fi, err := p.StatFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

func goOn(p *process, name string, at int64, rest []byte) error {
	f, err := p.OpenAt(name, at)
	if err != nil {
		return err
	}
	if _, err := f.Write(rest); err != nil {
		return errors.Join(err, vfs.Abort(f, err))
	}
	return f.Close()
}

// wantOnly wants the bucket to hold that one object and nothing that belongs to an upload.
func wantOnly(t *testing.T, m *object.Mem, key string, want []byte) {
	t.Helper()
	if got, ok := m.Object(key); !ok || !bytes.Equal(got, want) {
		t.Errorf("%q: %v, %d bytes; want %d", key, ok, len(got), len(want))
	}
	if keys := m.Keys(); len(keys) != 1 {
		t.Errorf("the bucket has %q", keys)
	}
	if n := m.Pending(); n != 0 {
		t.Errorf("%d uploads are open", n)
	}
}

// 28. Break at any byte; SIZE is what is durable; REST SIZE and STOR, or APPE, give the file byte by byte, for tails
// of 0 bytes, 1 byte and one byte less than a part, in the same process and in another one.
func Test28Break(t *testing.T) {
	whole := bytesOf(5*parkPart + 77)
	for _, at := range []int{1, parkPart - 1, parkPart, parkPart + 1, 2 * parkPart, 3*parkPart - 1, 3*parkPart + 1, len(whole)} {
		for _, restart := range []bool{false, true} {
			for _, appe := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/restart=%v/appe=%v", at, restart, appe), func(t *testing.T) {
					p, m := newParks(t)
					cutUpload(t, p, "/d/f", whole[:at])
					if _, ok := m.Object("d/f"); ok {
						t.Fatal("a cut upload is visible")
					}
					if restart {
						p = newProcess(t, m, p.b)
					}
					size := sizeOf(t, p, "/d/f")
					if size != int64(at) {
						t.Fatalf("SIZE %d, want %d", size, at)
					}
					from := size
					if appe {
						from = -1
					}
					if err := goOn(p, "/d/f", from, whole[at:]); err != nil {
						t.Fatal(err)
					}
					wantOnly(t, m, "d/f", whole)
				})
			}
		}
	}
}

// 28. Several breaks, one behind the other, also within one part.
func Test28BreakAgain(t *testing.T) {
	whole := bytesOf(4*parkPart + 5)
	p, m := newParks(t)
	at := 10
	cutUpload(t, p, "/f", whole[:at])
	for _, step := range []int{0, 1, 100, parkPart, 17, 2*parkPart - 1} {
		p = newProcess(t, m, p.b)
		f, err := p.OpenAt("/f", int64(at))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(whole[at : at+step]); err != nil {
			t.Fatal(err)
		}
		at += step
		if err := vfs.Abort(f, errors.New("cut")); err != nil {
			t.Fatal(err)
		}
		if size := sizeOf(t, p, "/f"); size != int64(at) {
			t.Fatalf("SIZE %d, want %d", size, at)
		}
	}
	if err := goOn(p, "/f", int64(at), whole[at:]); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "f", whole)
}

// 29. A crash instead of a break: SIZE is not more than was received, and whole parts only; another process goes on.
func Test29Crash(t *testing.T) {
	whole := bytesOf(5 * parkPart)
	for _, at := range []int{10, parkPart + 1, 3*parkPart + 9} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			p, m := newParks(t)
			f := startUpload(t, p, "/f", whole[:at])
			want := at / parkPart * parkPart
			for m.Requests()["part"] < at/parkPart {
				time.Sleep(time.Millisecond) // until the full parts have left
			}
			dead := p
			p = newProcess(t, m, p.b)
			size := sizeOf(t, p, "/f")
			for want > 0 && size < int64(want) { // the last part may just be on its way
				size = sizeOf(t, p, "/f")
			}
			if want == 0 {
				want = -1
			}
			if size != int64(want) {
				t.Fatalf("SIZE %d after a crash at %d, want %d", size, at, want)
			}
			if size > 0 {
				if err := goOn(p, "/f", size, whole[size:]); err != nil {
					t.Fatal(err)
				}
				wantOnly(t, m, "f", whole)
			}
			// What is left of the dead process would never run; here its memory has to come back.
			_ = dead
			f.(interface{ Abort(error) error }).Abort(fs.ErrPermission)
		})
	}
}

// 30. An old object of another size exists while an upload is parked: SIZE gives the parked size, REST of the old size is refused,
// and the old object stays until the new one is whole.
func Test30OldObject(t *testing.T) {
	whole := bytesOf(3 * parkPart)
	p, m := newParks(t)
	old := bytesOf(100)
	m.Set("f", old)
	cutUpload(t, p, "/f", whole[:60])
	if size := sizeOf(t, p, "/f"); size != 60 {
		t.Errorf("SIZE %d, want 60", size)
	}
	if err := goOn(p, "/f", 100, whole[100:]); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("REST 100: %v, want vfs.ErrBadOffset", err)
	}
	if got, _ := m.Object("f"); !bytes.Equal(got, old) {
		t.Error("the old object has changed")
	}
	if err := goOn(p, "/f", 60, whole[60:]); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "f", whole)
}

// 31. REST k other than the durable size: the end of a part below it is good, any other place is refused, and so is one behind it.
func Test31OtherOffsets(t *testing.T) {
	whole := bytesOf(4*parkPart + 9)
	other := bytes.Repeat([]byte{7}, 2*parkPart+3)
	for _, c := range []struct {
		at   int64
		good bool
	}{{1, false}, {parkPart - 1, false}, {parkPart, true}, {2 * parkPart, true}, {3 * parkPart, true}, {3*parkPart + 1, false},
		{3*parkPart + 5, true}, {3*parkPart + 6, false}, {1 << 40, false}} {
		t.Run(fmt.Sprint(c.at), func(t *testing.T) {
			p, m := newParks(t)
			cutUpload(t, p, "/f", whole[:3*parkPart+5])
			err := goOn(p, "/f", c.at, other)
			if !c.good {
				if !errors.Is(err, vfs.ErrBadOffset) {
					t.Errorf("REST %d: %v, want vfs.ErrBadOffset", c.at, err)
				}
				if size := sizeOf(t, p, "/f"); size != 3*parkPart+5 {
					t.Errorf("a refused REST has changed the size to %d", size)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantOnly(t, m, "f", append(whole[:c.at:c.at], other...))
		})
	}
}

// 31. Behind a boundary the client sends other bytes and is cut again: what was stored before behind the boundary never comes back.
func Test31NoStaleParts(t *testing.T) {
	whole := bytesOf(4 * parkPart)
	other := bytes.Repeat([]byte{7}, 3*parkPart)
	p, m := newParks(t)
	cutUpload(t, p, "/f", whole[:3*parkPart+5])
	f, err := p.OpenAt("/f", parkPart)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(other[:10]); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(f, errors.New("cut")); err != nil {
		t.Fatal(err)
	}
	p = newProcess(t, m, p.b)
	if size := sizeOf(t, p, "/f"); size != parkPart+10 {
		t.Fatalf("SIZE %d, want %d", size, parkPart+10)
	}
	if err := goOn(p, "/f", -1, other[10:]); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "f", append(whole[:parkPart:parkPart], other...))
}

// What the store has refused is not parked.
func TestRefusedIsNotParked(t *testing.T) {
	p, m := newParks(t)
	m.Fault = object.FailNth("part", 2, fs.ErrPermission)
	f, err := p.OpenFile("/f", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(bytesOf(parkPart))
	}
	if err := vfs.Abort(f, err); err != nil {
		t.Fatal(err)
	}
	if keys := m.Keys(); len(keys) > 0 || m.Pending() > 0 {
		t.Errorf("left: %q, %d uploads", keys, m.Pending())
	}
}

// Clients see nothing of the scratch place, and cannot reach it.
func TestScratchIsHidden(t *testing.T) {
	p, m := newParks(t)
	cutUpload(t, p, "/f", bytesOf(2*parkPart+1))
	if len(m.Keys()) == 0 {
		t.Fatal("nothing is in the scratch place")
	}
	for _, key := range m.Keys() {
		if !strings.HasPrefix(key, ".ftpgw/") {
			t.Errorf("key %q", key)
		}
		if _, err := p.Open("/" + key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open of %q: %v", key, err)
		}
		if err := p.RemoveFile("/" + key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Remove of %q: %v", key, err)
		}
		if f, err := p.Create("/" + key); !errors.Is(err, vfs.ErrBadName) {
			t.Errorf("Create of %q: %v, %v", key, f, err)
		}
	}
	if _, err := p.StatDir("/.ftpgw"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("StatDir: %v", err)
	}
	for fi, err := range vfs.List(p, "/") {
		if err != nil || strings.HasPrefix(fi.Name(), ".ftpgw") {
			t.Errorf("listed: %v, %v", fi, err)
		}
	}
}

func TestPark(t *testing.T) {
	vfstest.RunPark(t, parkPart, func(t *testing.T) (afero.Fs, func() afero.Fs) {
		p, m := newParks(t)
		return p.FS, func() afero.Fs { return newProcess(t, m, p.b).FS }
	})
}

// An upload whose note cannot be written leaves no parts that nobody would find.
func TestCutWithoutNote(t *testing.T) {
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	p := newProcess(t, m, b)
	m.Fault = object.FailNth("single", 1, vfs.ErrUnavailable) // the note
	f, err := p.Create("/x")
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(bytesOf(parkPart))
	}
	if err := f.Close(); !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("Close: %v, want vfs.ErrUnavailable", err)
	}
	if n := m.Pending(); n != 0 {
		t.Errorf("%d uploads are open", n)
	}
}
