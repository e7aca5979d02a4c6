package object_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// 33. The parked upload was removed by a lifecycle rule: REST gives vfs.ErrBadOffset, and then STOR from 0 works.
func Test33Lifecycle(t *testing.T) {
	whole := bytesOf(3 * parkPart)
	p, m := newParks(t)
	cutUpload(t, p, "/f", whole[:2*parkPart+1])
	m.ExpireUploads()
	if size := sizeOf(t, p, "/f"); size != -1 {
		t.Errorf("SIZE %d of what is gone", size)
	}
	if err := goOn(p, "/f", 2*parkPart+1, whole[2*parkPart+1:]); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("REST: %v, want vfs.ErrBadOffset", err)
	}
	f := startUpload(t, p, "/f", whole)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "f", whole)
}

// STOR from the beginning and DELE give up what was parked.
func TestParkGivenUp(t *testing.T) {
	whole := bytesOf(3 * parkPart)
	p, m := newParks(t)
	cutUpload(t, p, "/f", whole[:2*parkPart+1])
	if err := startUpload(t, p, "/f", whole[:5]).Close(); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "f", whole[:5])
	cutUpload(t, p, "/f", whole[:2*parkPart+1])
	if err := p.RemoveFile("/f"); err != nil {
		t.Fatal(err)
	}
	if keys := m.Keys(); len(keys) > 0 || m.Pending() > 0 {
		t.Errorf("left: %q, %d uploads", keys, m.Pending())
	}
	cutUpload(t, p, "/g", whole[:7])
	if err := p.RemoveFile("/g"); err != nil {
		t.Errorf("DELE of what is only parked: %v", err)
	}
	if err := p.RemoveFile("/g"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("DELE of nothing: %v", err)
	}
}

// 35. The janitor removes what nobody goes on with, and nothing else: not what is young, and not what is under way.
func Test35Janitor(t *testing.T) {
	whole := bytesOf(3 * parkPart)
	p, m := newParks(t)
	m.Set("f", whole[:3])
	cutUpload(t, p, "/parked", whole[:2*parkPart+1])
	cutUpload(t, p, "/small", whole[:100])
	m.Set(".ftpgw/append/crashed", whole[:9])
	running := startUpload(t, p, "/running", whole)
	if n, err := p.parks.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("Sweep of what is young: %d, %v", n, err)
	}
	if size := sizeOf(t, p, "/parked"); size != 2*parkPart+1 {
		t.Errorf("SIZE %d after a sweep", size)
	}
	if n, err := p.parks.Sweep(t.Context(), -time.Hour); n != 3 || err != nil {
		t.Errorf("Sweep: %d, %v; want 3", n, err)
	}
	for _, name := range []string{"/parked", "/small"} {
		if size := sizeOf(t, p, name); size != -1 {
			t.Errorf("SIZE of %s is %d behind the janitor", name, size)
		}
	}
	if err := running.Close(); err != nil {
		t.Errorf("the running upload: %v", err)
	}
	if got := fmt.Sprint(m.Keys()); got != "[f running]" || m.Pending() > 0 {
		t.Errorf("keys %s, %d uploads", got, m.Pending())
	}
}

// While a note cannot be read, nobody knows which tails and parts it needs.
func TestJanitorThatCannotRead(t *testing.T) {
	p, m := newParks(t)
	cutUpload(t, p, "/f", bytesOf(100))
	broken := errors.New("broken")
	m.Fault = object.FailNth("get", m.Requests()["get"]+1, broken)
	if n, err := p.parks.Sweep(t.Context(), -time.Hour); n != 0 || !errors.Is(err, broken) {
		t.Errorf("Sweep: %d, %v", n, err)
	}
	if size := sizeOf(t, p, "/f"); size != 100 {
		t.Errorf("SIZE %d after a sweep that could not read", size)
	}
	if err := goOn(p, "/f", 100, bytesOf(5)); err != nil {
		t.Error(err)
	}
}
