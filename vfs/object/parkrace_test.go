package object_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// Sessions of one process, and of two, that store, cut, continue, remove and rename the same few files at once leave no upload in the
// store of which no note speaks: once the notes' are removed there is none.
func TestSessionsLeaveNoUpload(t *testing.T) {
	for _, processes := range []int{1, 2} {
		for seed := range uint64(15) {
			b := object.NewBudget(16 << 20)
			m := object.NewMem(b, parkPart)
			m.Fault = func(context.Context, string, int, string) error {
				time.Sleep(time.Duration(rand.IntN(400)) * time.Microsecond)
				return nil
			}
			var trees []*object.FS
			var parks *object.Parks
			for range processes {
				var err error
				if parks, err = object.NewParks(m, ".ftpgw/"); err != nil {
					t.Fatal(err)
				}
				parks.Log = slog.New(slog.DiscardHandler)
				f, err := object.New(m, object.Options{Parks: parks, Pending: parks, Log: parks.Log,
					Publish: []object.Rule{{From: [2]string{"", ".tmp"}}}})
				if err != nil {
					t.Fatal(err)
				}
				trees = append(trees, f)
			}
			var wg sync.WaitGroup
			for g := range 6 {
				r := rand.New(rand.NewPCG(seed, uint64(g)))
				f := trees[g%processes].Session()
				wg.Go(func() {
					for range 12 {
						someOperation(f, r)
					}
				})
			}
			wg.Wait()
			m.Fault = nil
			if b.InUse() != 0 || b.Reserved() != 0 {
				t.Errorf("seed %d: the budget has %d bytes in use, %d reserved", seed, b.InUse(), b.Reserved())
			}
			if _, err := parks.Sweep(t.Context(), -time.Hour); err != nil {
				t.Error(err)
			}
			if n := m.Pending(); n != 0 {
				t.Errorf("%d processes, seed %d: %d uploads of which no note speaks", processes, seed, n)
			}
		}
	}
}

// someOperation does something with one of four files. That others are faster is no error here.
func someOperation(f *object.FS, r *rand.Rand) {
	name := []string{"/x", "/y", "/x.tmp", "/y.tmp"}[r.IntN(4)]
	data := bytes.Repeat([]byte{byte(r.Uint32())}, 1+r.IntN(3*parkPart))
	cut := r.IntN(2) == 0
	switch r.IntN(4) {
	case 0, 1:
		w, err := f.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
		if err == nil {
			if _, err := w.Write(data); err != nil || cut {
				vfs.Abort(w, errors.New("cut"))
				return
			}
			w.Close()
		}
	case 2:
		w, err := f.OpenAt(name, -1)
		if err == nil {
			if _, err := w.Write(data); err != nil || cut {
				vfs.Abort(w, errors.New("cut"))
				return
			}
			w.Close()
		}
	case 3:
		if cut {
			f.Remove(name)
		} else {
			f.Rename(name, []string{"/x", "/y", "/z"}[r.IntN(3)])
		}
	}
}

// Of two processes that upload one file, the one that stores it removes what the other one has left of it.
func TestStoredAfterAnotherProcessWasCut(t *testing.T) {
	t.Run("begun anew", func(t *testing.T) {
		one, m := newParks(t)
		whole := bytesOf(2*parkPart + 5)
		f := startUpload(t, one, "/f", whole[:100])
		cutUpload(t, newProcess(t, m, one.b), "/f", whole[:60])
		if _, err := f.Write(whole[100:]); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, m, "f", whole)
	})
	t.Run("gone on with", func(t *testing.T) {
		one, m := newParks(t)
		two := newProcess(t, m, one.b)
		whole := bytesOf(2*parkPart + 5)
		f := startUpload(t, one, "/f", whole[:2*parkPart+1])
		for end := time.Now().Add(10 * time.Second); sizeOf(t, two, "/f") != 2*parkPart; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("SIZE %d", sizeOf(t, two, "/f"))
			}
		}
		g, err := two.OpenAt("/f", 2*parkPart)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Write(whole[2*parkPart : 2*parkPart+3]); err != nil {
			t.Fatal(err)
		}
		if err := vfs.Abort(g, errors.New("cut")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(whole[2*parkPart+1:]); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, m, "f", whole)
	})
}
