package gcs

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// newProcess is the tree of a process before the fake.
func (f *fake) newProcess() (*object.FS, *object.Parks) {
	s := f.store(quick)
	p, err := object.NewParks(s, ".scratch/")
	if err != nil {
		f.t.Fatal(err)
	}
	tree, err := object.New(s, object.Options{Parks: p, Scratch: ".scratch/"})
	if err != nil {
		f.t.Fatal(err)
	}
	return tree, p
}

func TestPark(t *testing.T) {
	vfstest.RunPark(t, chunkUnit, func(t *testing.T) (afero.Fs, func() afero.Fs) {
		f := newFake(t)
		t.Cleanup(func() { f.wantNoScratch(t) })
		first, _ := f.newProcess()
		return first, func() afero.Fs { tree, _ := f.newProcess(); return tree }
	})
}

// 15. More parts than one compose can join, and than two can.
func TestParkManyParts(t *testing.T) {
	for _, parts := range []int{32, 33, 63, 64, 95} {
		t.Run(fmt.Sprint(parts), func(t *testing.T) {
			f := newFake(t)
			tree, _ := f.newProcess()
			whole := content(parts * chunkUnit)
			w, err := tree.Create("/f")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(whole); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if o := f.get("f"); o == nil || string(o.data) != string(whole) {
				t.Error("the object is not what was sent")
			}
			if got, want := f.count("compose"), (parts-1+30)/31; got != want {
				t.Errorf("%d composes for %d parts, want %d", got, parts, want)
			}
			f.wantNoScratch(t)
		})
	}
}

// 35. The janitor removes the parts and the tail of what nobody goes on with, and the scratch objects of a crash.
func Test35Janitor(t *testing.T) {
	f := newFake(t)
	tree, parks := f.newProcess()
	w, err := tree.OpenFile("/f", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content(2*chunkUnit + 5)); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(w, errors.New("cut")); err != nil {
		t.Fatal(err)
	}
	f.set(".scratch/append/crashed", []byte("x"))
	f.set("other", []byte("x"))
	if n, err := parks.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("Sweep of what is young: %d, %v", n, err)
	}
	if n, err := parks.Sweep(t.Context(), -time.Hour); n != 2 || err != nil {
		t.Errorf("Sweep: %d, %v; want 2", n, err)
	}
	if f.get("other") == nil {
		t.Error("another's object is gone")
	}
	f.wantNoScratch(t)
}
