package s3

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// newProcess is the tree of a process before the fake.
func (f *fake) newProcess(profile string) (*object.FS, *object.Parks, *Store) {
	s, _ := f.open(func(o *Options) { o.Profile = profile; o.PathStyle = true })
	p, err := object.NewParks(s, ".ftpgw/")
	if err != nil {
		f.t.Fatal(err)
	}
	tree, err := object.New(s, object.Options{Parks: p})
	if err != nil {
		f.t.Fatal(err)
	}
	return tree, p, s
}

func (f *fake) wantClean(t *testing.T) {
	t.Helper()
	if n := f.pending(); n > 0 {
		t.Errorf("%d uploads are left", n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.objects {
		if strings.HasPrefix(key, ".ftpgw/") {
			t.Errorf("%q is left", key)
		}
	}
}

func TestPark(t *testing.T) {
	for profile, part := range map[string]int64{"aws": minPart, "generic": minPart, "r2": uniform} {
		t.Run(profile, func(t *testing.T) {
			vfstest.RunPark(t, part, func(t *testing.T) (afero.Fs, func() afero.Fs) {
				f := newFake(t)
				f.alike = profile == "r2"
				t.Cleanup(func() { f.wantClean(t) })
				first, _, _ := f.newProcess(profile)
				return first, func() afero.Fs { tree, _, _ := f.newProcess(profile); return tree }
			})
		})
	}
}

// park uploads some bytes and breaks off.
func parkUpload(t *testing.T, tree afero.Fs, name string, data []byte) {
	t.Helper()
	w, err := tree.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Abort(w, errors.New("cut")); err != nil {
		t.Fatal(err)
	}
}

// 18. The checksum of the whole is told to the server also for a file that was resumed by another process.
func Test18ChecksumAfterResume(t *testing.T) {
	f := newFake(t)
	whole := pattern(1, 13*mib)
	tree, _, _ := f.newProcess("aws")
	parkUpload(t, tree, "/f", whole[:7*mib])
	tree, _, _ = f.newProcess("aws")
	w, err := tree.OpenAt("/f", 7*mib)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(whole[7*mib:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := f.sent("complete")[0].Get("X-Amz-Checksum-Crc32"), *crc(crc32.ChecksumIEEE(whole)); got != want {
		t.Errorf("Complete tells CRC32 %q, want %q", got, want)
	}
	f.wantClean(t)
}

// Where all parts have to be alike, who goes on with an upload makes them as long as they are, whatever its own
// settings say; and where memory does not allow that, the client has to begin anew.
func TestResumeUniformParts(t *testing.T) {
	f := newFake(t)
	f.alike = true
	whole := pattern(1, 5*uniform+99)
	tree, _, _ := f.newProcess("r2")
	parkUpload(t, tree, "/f", whole[:2*uniform+7])
	tree, _, s := f.newProcess("r2")
	s.sizes.uniform = uniform / 2
	s.o.Budget = object.NewBudget(uniform / 2)
	if _, err := tree.OpenAt("/f", 2*uniform+7); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("with too little memory: %v, want vfs.ErrBadOffset", err)
	}
	tree, _, s = f.newProcess("r2")
	s.sizes.uniform = uniform / 2
	w, err := tree.OpenAt("/f", 2*uniform+7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(whole[2*uniform+7:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.holds("f", whole)
	f.wantClean(t)
}

// 33. Parked upload removed by lifecycle: REST is refused with vfs.ErrBadOffset, then STOR from 0 works.
func Test33Lifecycle(t *testing.T) {
	f := newFake(t)
	whole := pattern(1, 11*mib)
	tree, _, _ := f.newProcess("aws")
	parkUpload(t, tree, "/f", whole[:6*mib])
	f.mu.Lock()
	clear(f.uploads)
	f.mu.Unlock()
	if _, err := tree.OpenAt("/f", 6*mib); !errors.Is(err, vfs.ErrBadOffset) {
		t.Errorf("OpenAt: %v, want vfs.ErrBadOffset", err)
	}
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
	if o, _ := f.object("f"); string(o.data) != string(whole) {
		t.Errorf("%d bytes, want %d", len(o.data), len(whole))
	}
	f.wantClean(t)
}

// 6. The janitor removes parked uploads that are older than the limit, and only those in its place.
func Test06JanitorOfParks(t *testing.T) {
	f := newFake(t)
	tree, parks, _ := f.newProcess("aws")
	parkUpload(t, tree, "/f", pattern(1, 6*mib))
	f.set("other", []byte("x"))
	if n, err := parks.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("Sweep of what is young: %d, %v", n, err)
	}
	if n, err := parks.Sweep(t.Context(), -time.Hour); n != 1 || err != nil {
		t.Errorf("Sweep: %d, %v; want 1", n, err)
	}
	if _, ok := f.object("other"); !ok {
		t.Error("another's object is gone")
	}
	f.wantClean(t)
}

// The requests that a resume costs.
func TestParkRequests(t *testing.T) {
	f := newFake(t)
	whole := pattern(1, 13*mib)
	tree, _, _ := f.newProcess("aws")
	step := func(what, want string) {
		t.Helper()
		f.mu.Lock()
		defer f.mu.Unlock()
		if got := fmt.Sprint(f.counts); got != want {
			t.Errorf("%s: requests %s, want %s", what, got, want)
		}
		clear(f.counts)
	}
	parkUpload(t, tree, "/f", whole[:6*mib])
	step("cut", "map[begin:1 get:2 part:1 put:3]")
	if _, err := tree.StatFile("/f"); err != nil {
		t.Fatal(err)
	}
	step("SIZE", "map[get:1 head:1 list parts:1]")
	w, err := tree.OpenAt("/f", 6*mib)
	if err != nil {
		t.Fatal(err)
	}
	step("REST and STOR", "map[get:2 head:1 list parts:1 put:1]")
	if _, err := w.Write(whole[6*mib:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	step("the rest", "map[complete:1 delete:2 get:1 part:2]")
}
