package vfstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// RunPark checks a tree that keeps what is left of a cut upload, unseen, for a resume.
// Open returns a new, empty tree and what makes further ones before the same store, each as
// if another process had it. Part is the size in bytes of the store's first parts. The later of two processes
// that go on with one upload gets vfs.ErrBusy, or, from a server that answers wrongly there, one of loser.
func RunPark(t *testing.T, part int64, open func(t *testing.T) (first afero.Fs, another func() afero.Fs), loser ...error) {
	t.Helper()
	whole := []byte(pattern(4*part + 77))
	run := func(name string, f func(k *park)) {
		t.Run(name, func(t *testing.T) {
			first, another := open(t)
			f(&park{T: t, fsys: first, another: another})
		})
	}
	for _, at := range []int64{1, part - 1, part, part + 1, 2 * part, 3*part - 1} {
		for _, restart := range []bool{false, true} {
			run(fmt.Sprintf("28 break at %d/another process=%v", at, restart), func(k *park) {
				k.cut("/d/f", whole[:at])
				if _, err := k.fsys.Open("/d/f"); !errors.Is(err, fs.ErrNotExist) {
					k.Errorf("Open of a cut upload: %v", err)
				}
				if restart {
					k.fsys = k.another()
				}
				k.size("/d/f", at)
				k.goOn("/d/f", at, whole[at:])
				k.holds("/d/f", whole)
			})
		}
	}
	run("28 break and APPE", func(k *park) {
		k.cut("/f", whole[:part+5])
		k.goOn("/f", -1, whole[part+5:])
		k.holds("/f", whole)
	})
	run("28 break after break", func(k *park) {
		at := int64(10)
		k.cut("/f", whole[:at])
		for _, step := range []int64{0, 1, part, 2*part - 1} {
			k.fsys = k.another()
			f, err := vfs.OpenAt(k.fsys, "/f", at)
			if err != nil {
				k.Fatal(err)
			}
			if _, err := f.Write(whole[at : at+step]); err != nil {
				k.Fatal(err)
			}
			at += step
			if err := vfs.Abort(f, errCut); err != nil {
				k.Fatal(err)
			}
			k.size("/f", at)
		}
		k.goOn("/f", at, whole[at:])
		k.holds("/f", whole)
	})
	run("29 crash instead of break", func(k *park) {
		f := k.begin("/f", whole[:3*part+9])
		k.fsys = k.another()
		// Parts are on their way still; the last ones may come or not.
		var size int64
		for size < part {
			fi, err := vfs.StatFile(k.fsys, "/f")
			if err == nil {
				size = fi.Size()
			} else if !errors.Is(err, fs.ErrNotExist) {
				k.Fatal(err)
			}
		}
		if size > 3*part || size%part != 0 {
			k.Fatalf("SIZE %d after a crash at %d with parts of %d", size, 3*part+9, part)
		}
		// The dead process does nothing any more; here its parts under way have to land first.
		for size < 3*part {
			fi, err := vfs.StatFile(k.fsys, "/f")
			if err != nil {
				k.Fatal(err)
			}
			size = fi.Size()
		}
		k.goOn("/f", size, whole[size:])
		k.holds("/f", whole)
		vfs.Abort(f, errCut)
		k.holds("/f", whole)
	})
	run("30 old object of another size", func(k *park) {
		old := whole[7:107]
		if err := finish(k.begin("/f", nil), string(old)); err != nil {
			k.Fatal(err)
		}
		k.cut("/f", whole[:60])
		k.size("/f", 60)
		k.refused("/f", 100)
		k.holds("/f", old)
		k.goOn("/f", 60, whole[60:])
		k.holds("/f", whole)
	})
	run("31 REST elsewhere", func(k *park) {
		k.cut("/f", whole[:3*part+5])
		for _, at := range []int64{1, part - 1, 3*part + 1, 3*part + 6, 1 << 40} {
			k.refused("/f", at)
		}
		k.size("/f", 3*part+5)
		other := bytes.Repeat([]byte{7}, int(part)+9)
		k.goOn("/f", 2*part, other)
		k.holds("/f", append(whole[:2*part:2*part], other...))
	})
	run("31 what was stored behind a boundary never comes back", func(k *park) {
		other := bytes.Repeat([]byte{7}, int(3*part))
		k.cut("/f", whole[:3*part+5])
		f, err := vfs.OpenAt(k.fsys, "/f", part)
		if err != nil {
			k.Fatal(err)
		}
		if _, err := f.Write(other[:10]); err != nil {
			k.Fatal(err)
		}
		if err := vfs.Abort(f, errCut); err != nil {
			k.Fatal(err)
		}
		k.fsys = k.another()
		k.size("/f", part+10)
		k.goOn("/f", part+10, other[10:])
		k.holds("/f", append(whole[:part:part], other...))
	})
	for _, two := range []bool{false, true} {
		run(fmt.Sprint("32 two sessions resume/two processes=", two), func(k *park) {
			at := part + 9
			k.cut("/f", whole[:at])
			first, second := k.fsys, k.fsys
			if two {
				second = k.another()
			}
			var files []afero.File
			busy := 0
			for _, fsys := range []afero.Fs{first, second} {
				f, err := vfs.OpenAt(fsys, "/f", at)
				switch {
				case errors.Is(err, vfs.ErrBusy):
					busy++
				case err != nil:
					k.Fatal(err)
				default:
					files = append(files, f)
				}
			}
			// Two processes may find out only at the end, or on the way. The second has other bytes, so that
			// the one's file cannot be taken for the other's.
			for i, f := range files {
				rest := whole[at:]
				if i > 0 {
					rest = bytes.Repeat([]byte{9}, len(rest))
				}
				_, err := f.Write(rest)
				if err == nil {
					err = f.Close()
				} else {
					vfs.Abort(f, err)
				}
				switch {
				case errors.Is(err, vfs.ErrBusy), slices.ContainsFunc(loser, func(e error) bool { return errors.Is(err, e) }):
					busy++
				case err != nil:
					k.Error(err)
				}
			}
			if busy != 1 {
				k.Errorf("%d of two sessions got vfs.ErrBusy", busy)
			}
			k.holds("/f", whole)
		})
	}
	run("33 given up by STOR and by DELE", func(k *park) {
		k.cut("/f", whole[:2*part+1])
		if err := finish(k.begin("/f", nil), "new"); err != nil {
			k.Fatal(err)
		}
		k.holds("/f", []byte("new"))
		k.cut("/g", whole[:2*part+1])
		if err := vfs.RemoveFile(k.fsys, "/g"); err != nil {
			k.Error(err)
		}
		if _, err := vfs.StatFile(k.fsys, "/g"); !errors.Is(err, fs.ErrNotExist) {
			k.Errorf("behind DELE: %v", err)
		}
	})
}

// park is one subtest.
type park struct {
	*testing.T
	fsys    afero.Fs
	another func() afero.Fs
}

func (k *park) begin(name string, data []byte) afero.File {
	k.Helper()
	f, err := k.fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		k.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		k.Fatal(err)
	}
	return f
}

// cut uploads a part and breaks off.
func (k *park) cut(name string, data []byte) {
	k.Helper()
	if err := vfs.Abort(k.begin(name, data), errCut); err != nil {
		k.Fatalf("parking %s: %v", name, err)
	}
}

func (k *park) size(name string, want int64) {
	k.Helper()
	fi, err := vfs.StatFile(k.fsys, name)
	if err != nil || fi.Size() != want {
		k.Fatalf("StatFile(%q) = %v, %v; want a size of %d", name, fi, err, want)
	}
}

func (k *park) goOn(name string, at int64, rest []byte) {
	k.Helper()
	f, err := vfs.OpenAt(k.fsys, name, at)
	if err != nil {
		k.Fatalf("OpenAt(%q, %d): %v", name, at, err)
	}
	if err := finish(f, string(rest)); err != nil {
		k.Fatalf("continuing %q at %d: %v", name, at, err)
	}
}

func (k *park) refused(name string, at int64) {
	k.Helper()
	if f, err := vfs.OpenAt(k.fsys, name, at); !errors.Is(err, vfs.ErrBadOffset) {
		k.Errorf("OpenAt(%q, %d) = %v, %v; want vfs.ErrBadOffset", name, at, f, err)
	}
}

func (k *park) holds(name string, want []byte) {
	k.Helper()
	f, err := k.fsys.Open(name)
	if err != nil {
		k.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) {
		k.Errorf("%q has %d bytes, %v; want %d", name, len(got), err, len(want))
	}
}
