package object_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

// 32. Two sessions resume the same file: one gets vfs.ErrBusy, in one process and in two.
func Test32TwoSessions(t *testing.T) {
	whole := bytesOf(3 * parkPart)
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprint("two processes=", two), func(t *testing.T) {
			p, m := newParks(t)
			cutUpload(t, p, "/f", whole[:parkPart+9])
			first, second := p, p
			if two {
				first, second = newProcess(t, m, p.b), newProcess(t, m, p.b)
			}
			// Both have seen the note before one of them takes it.
			var both sync.WaitGroup
			both.Add(2)
			m.Fault = func(_ context.Context, op string, _ int, key string) error {
				if two && op == "parts" {
					both.Done()
					both.Wait()
				}
				return nil
			}
			type result struct {
				f   afero.File
				err error
			}
			results := make(chan result, 2)
			for _, q := range []*process{first, second} {
				go func() {
					f, err := q.OpenAt("/f", parkPart+9)
					results <- result{f, err}
				}()
			}
			a, b := <-results, <-results
			if a.err != nil {
				a, b = b, a
			}
			if a.err != nil || !errors.Is(b.err, vfs.ErrBusy) {
				t.Fatalf("%v and %v; want one success and one vfs.ErrBusy", a.err, b.err)
			}
			m.Fault = nil
			if _, err := a.f.Write(whole[parkPart+9:]); err != nil {
				t.Fatal(err)
			}
			if err := a.f.Close(); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, m, "f", whole)
		})
	}
}

// SIZE tells of a cut upload a moment before its session lets go of it: who goes on at once waits for that, and no longer than for a
// few seconds. One that is under way is refused at once.
func Test32ResumeWaitsForTheParking(t *testing.T) {
	const at = parkPart + 9
	whole := bytesOf(3 * parkPart)
	for name, test := range map[string]func(t *testing.T, p *process, resumed <-chan error, cancel, parked func()){
		"parked": func(t *testing.T, p *process, resumed <-chan error, _, parked func()) {
			parked()
			if err := <-resumed; err != nil {
				t.Errorf("REST and STOR: %v", err)
			}
		},
		"called off": func(t *testing.T, p *process, resumed <-chan error, cancel, parked func()) {
			cancel()
			if err := <-resumed; !errors.Is(err, context.Canceled) {
				t.Errorf("REST and STOR: %v, want context.Canceled", err)
			}
			parked()
		},
		"too long": func(t *testing.T, p *process, resumed <-chan error, _, parked func()) {
			start := time.Now()
			if err := <-resumed; !errors.Is(err, vfs.ErrBusy) || time.Since(start) > 10*time.Second {
				t.Errorf("REST and STOR: %v after %v, want vfs.ErrBusy after a few seconds", err, time.Since(start))
			}
			parked()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, m := newParks(t)
				var notes atomic.Int32
				stored, answer := make(chan struct{}), make(chan struct{})
				m.Lost = func(_ context.Context, op string, _ int, key string) error {
					// The first note is that of its beginning.
					if op == "single" && strings.HasPrefix(key, ".ftpgw/parked/") && notes.Add(1) == 2 {
						close(stored)
						<-answer
					}
					return nil
				}
				f := startUpload(t, p, "/f", whole[:at])
				if _, err := p.OpenAt("/f", parkPart); !errors.Is(err, vfs.ErrBusy) {
					t.Errorf("beside an upload under way: %v, want vfs.ErrBusy", err)
				}
				cut := make(chan error, 1)
				go func() { cut <- vfs.Abort(f, errors.New("cut")) }()
				<-stored
				if got := sizeOf(t, p, "/f"); got != at {
					t.Fatalf("SIZE %d, want %d", got, at)
				}
				ctx, cancel := context.WithCancel(t.Context())
				resumed := make(chan error, 1)
				go func() {
					f, err := vfs.OpenAt(vfs.WithContext(ctx, p.FS), "/f", at)
					if err == nil {
						if _, err = f.Write(whole[at:]); err == nil {
							err = f.Close()
						}
					}
					resumed <- err
				}()
				synctest.Wait()
				select {
				case err := <-resumed:
					t.Errorf("it does not wait: %v", err)
					resumed <- err
				default:
				}
				test(t, p, resumed, cancel, func() {
					close(answer)
					if err := <-cut; err != nil {
						t.Error(err)
					}
				})
				cancel()
				if name != "parked" {
					if err := goOn(p, "/f", at, whole[at:]); err != nil {
						t.Errorf("behind it: %v", err)
					}
				}
				wantOnly(t, m, "f", whole)
			})
		})
	}
}

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
