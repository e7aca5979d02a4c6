package object_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// tmp is the rule of devices that store x.tmp and rename it to x.
var tmp = object.Rule{From: [2]string{"", ".tmp"}}

// logged collects what a tree and its parks say.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// publishing is a process whose files x.tmp wait for their rename.
type publishing struct {
	*process
	m   *object.Mem
	log *logged
}

func newPublishing(t *testing.T, m *object.Mem, b *object.Budget, change func(*object.Options)) *publishing {
	t.Helper()
	p, err := object.NewParks(m, ".ftpgw/")
	if err != nil {
		t.Fatal(err)
	}
	l := &logged{}
	log := slog.New(slog.NewTextHandler(l, nil))
	p.Log = log
	o := object.Options{Pending: p, Publish: []object.Rule{tmp}, Log: log}
	if change != nil {
		change(&o)
		if o.Parks != nil {
			o.Parks = p
		}
	}
	f, err := object.New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return &publishing{&process{f, p, b}, m, l}
}

// newPublishers returns a store, and what starts processes before it.
func newPublishers(t *testing.T) (*object.Mem, func() *publishing) {
	t.Helper()
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	t.Cleanup(func() {
		if b.InUse() != 0 || b.Reserved() != 0 || b.Waiting() != 0 {
			t.Errorf("the budget has %d bytes in use, %d reserved, %d waiting", b.InUse(), b.Reserved(), b.Waiting())
		}
	})
	return m, func() *publishing { return newPublishing(t, m, b, nil) }
}

func (p *publishing) store(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := startUpload(t, p.process, name, data).Close(); err != nil {
		t.Fatalf("Close of %s: %v", name, err)
	}
}

func (p *publishing) wantListed(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	for fi, err := range vfs.List(p.FS, dir) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(fi.Name(), " ", fi.Size()))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("listing %q: %q, want %q", dir, got, want)
	}
}

// requestsOf returns how many requests of each kind do costs.
func (p *publishing) requestsOf(do func()) map[string]int {
	before := p.m.Requests()
	do()
	after := p.m.Requests()
	for op, n := range before {
		if after[op] -= n; after[op] == 0 {
			delete(after, op)
		}
	}
	return after
}

func wantRequests(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: requests %v, want %v", what, got, want)
	}
}

// visible returns the keys that others see.
func visible(m *object.Mem) []string {
	return slices.DeleteFunc(m.Keys(), func(k string) bool { return strings.HasPrefix(k, ".ftpgw/") })
}

var sizes = []int{0, 1, parkPart - 1, parkPart, parkPart + 1, 3*parkPart + 77}

func TestPublishedByItsRename(t *testing.T) {
	for _, n := range sizes {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes/another process=%v", n, restart), func(t *testing.T) {
				m, process := newPublishers(t)
				old, data := []byte("old"), bytesOf(n)
				m.Set("d/x", old)
				p := process()
				p.store(t, "/d/x.tmp", data)
				if got, _ := m.Object("d/x"); !bytes.Equal(got, old) {
					t.Errorf("the old x has %d bytes after the upload of x.tmp", len(got))
				}
				if got := visible(m); !slices.Equal(got, []string{"d/x"}) {
					t.Errorf("others see %q", got)
				}
				if restart {
					p = process()
				}
				if got := sizeOf(t, p.process, "/d/x.tmp"); got != int64(n) {
					t.Errorf("SIZE %d, want %d", got, n)
				}
				p.wantListed(t, "/d", "x 3", fmt.Sprint("x.tmp ", n))
				if err := p.Rename("/d/x.tmp", "/d/x"); err != nil {
					t.Fatal(err)
				}
				wantOnly(t, m, "d/x", data)
				if got := sizeOf(t, p.process, "/d/x.tmp"); got != -1 {
					t.Errorf("SIZE of x.tmp after the rename: %d", got)
				}
				p.wantListed(t, "/d", fmt.Sprint("x ", n))
			})
		}
	}
}

func TestPublishingCosts(t *testing.T) {
	_, process := newPublishers(t)
	p := process()
	wantRequests(t, "STOR", p.requestsOf(func() { p.store(t, "/x.tmp", []byte("x")) }),
		map[string]int{"list": 1, "begin": 1, "part": 1, "single": 1})
	wantRequests(t, "RNFR and RNTO", p.requestsOf(func() {
		if _, err := p.Stat("/x.tmp"); err != nil {
			t.Error(err)
		}
		if err := p.Rename("/x.tmp", "/x"); err != nil {
			t.Error(err)
		}
	}), map[string]int{"complete": 1, "delete": 1})
	p.store(t, "/x.tmp", []byte("x"))
	p = process()
	wantRequests(t, "from another process", p.requestsOf(func() {
		if _, err := p.Stat("/x.tmp"); err != nil {
			t.Error(err)
		}
		if err := p.Rename("/x.tmp", "/x"); err != nil {
			t.Error(err)
		}
	}), map[string]int{"get": 2, "list": 1, "complete": 1, "delete": 1})
	wantRequests(t, "names that no rule speaks of", p.requestsOf(func() { p.store(t, "/y", []byte("x")) }), map[string]int{"single": 1})
}

func TestPublishedUnderAnotherName(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	data := bytesOf(2*parkPart + 5)
	p.store(t, "/x.tmp", data)
	if err := p.Rename("/x.tmp", "/y"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "y", data)
	if !strings.Contains(p.log.String(), "level=WARN") {
		t.Errorf("no warning: %s", p.log)
	}

	m.Set("x", []byte("precious"))
	p.store(t, "/x.tmp", data)
	if err := p.Rename("/x.tmp", "/z"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("to z while x exists: %v, want fs.ErrExist", err)
	}
	if got, _ := m.Object("x"); string(got) != "precious" {
		t.Errorf("x is %q", got)
	}
	if got := sizeOf(t, p.process, "/x.tmp"); got != int64(len(data)) {
		t.Errorf("it does not wait on: SIZE %d", got)
	}
	if err := p.RenameNew("/x.tmp", "/x"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("without the right to overwrite: %v, want fs.ErrExist", err)
	}
	if err := p.Rename("/x.tmp", "/x"); err != nil {
		t.Errorf("to x: %v", err)
	}
	if got, _ := m.Object("x"); !bytes.Equal(got, data) {
		t.Errorf("x has %d bytes", len(got))
	}
}

// Somebody stores a file of the same size under the predicted name before it is copied to the one that is wanted: it is not
// taken for the file that was uploaded.
func TestPredictedNameReplacedBeforeTheCopy(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	p.store(t, "/x.tmp", []byte("uploaded"))
	m.Lost = func(_ context.Context, op string, _ int, key string) error {
		if op == "complete" && key == "x" {
			m.Set("x", []byte("precious"))
		}
		return nil
	}
	if err := p.Rename("/x.tmp", "/y"); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("Rename: %v, want vfs.ErrBusy", err)
	}
	if got, _ := m.Object("x"); string(got) != "precious" {
		t.Errorf("x is %q", got)
	}
	if got, ok := m.Object("y"); ok {
		t.Errorf("y is %q", got)
	}
}

func TestPublishRefusals(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	m.Set("dir/f", nil)
	// The final name is a directory's: a file like all others, and refused as always.
	p.store(t, "/dir.tmp", []byte("x"))
	if err := p.Rename("/dir.tmp", "/dir"); !errors.Is(err, vfs.ErrIsDir) {
		t.Errorf("over a directory: %v", err)
	}
	if got := visible(m); !slices.Equal(got, []string{"dir.tmp", "dir/f"}) {
		t.Errorf("files %q", got)
	}
	// Another name that is a directory's.
	p.store(t, "/x.tmp", []byte("x"))
	if err := p.Rename("/x.tmp", "/dir"); !errors.Is(err, vfs.ErrIsDir) {
		t.Errorf("over a directory: %v", err)
	}
	// A directory that has come up since.
	m.Set("x/f", nil)
	other := process()
	if err := other.Rename("/x.tmp", "/x"); !errors.Is(err, vfs.ErrIsDir) {
		t.Errorf("over a new directory: %v", err)
	}
	// Directories with what waits in them.
	p.store(t, "/d/x.tmp", []byte("x"))
	if _, err := process().StatDir("/d"); err != nil {
		t.Errorf("a directory with nothing but a file that waits: %v", err)
	}
	if err := p.RemoveDir("/d"); !errors.Is(err, vfs.ErrNotEmpty) {
		t.Errorf("RMD: %v", err)
	}
	if err := p.Rename("/d", "/e"); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("rename of the directory: %v", err)
	}
	p.store(t, "/deep/a/b/x.tmp", []byte("x"))
	if err := p.RemoveDir("/deep"); !errors.Is(err, vfs.ErrNotEmpty) {
		t.Errorf("RMD of a directory with a file that waits further below: %v", err)
	}
	m.Set("deep/f", nil)
	if err := p.Rename("/deep", "/e"); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("rename of a directory with a file that waits further below: %v", err)
	}
	if err := p.Rename("/deep/a/b/x.tmp", "/deep/a/b/x"); err != nil {
		t.Error(err)
	}
	if err := p.Rename("/deep", "/e"); err != nil {
		t.Errorf("rename of the directory behind that: %v", err)
	}
}

// What a rule makes of a name can be no file's: then nothing is predicted.
func TestPredictedNameOfADirectory(t *testing.T) {
	for name, to := range map[string]string{"..tmp": "", "...tmp": "", ".tmp": "", "x.tmp": "x", ".x.tmp": ".x"} {
		m, process := newPublishers(t)
		p := process()
		p.store(t, "/a/b/"+name, []byte("x"))
		if waits := m.Pending() == 1; waits != (to != "") {
			t.Errorf("%q waits: %v", name, waits)
		}
		if to == "" {
			to = "y"
		}
		if err := p.Rename("/a/b/"+name, "/a/b/"+to); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		wantOnly(t, m, "a/b/"+to, []byte("x"))
	}
}

func (l longETags) PutHeld(ctx context.Context, key string, o object.PutOptions, held func(context.Context, string, []object.Part) error) (object.Upload, error) {
	return l.Mem.PutHeld(ctx, key, o, func(ctx context.Context, id string, parts []object.Part) error {
		for i := range parts {
			parts[i].ETag = strings.Repeat("e", 200)
		}
		return held(ctx, id, parts)
	})
}

// Whatever of the rename's requests fails, or is the last one before a crash: a repetition brings the file, once and whole.
func TestRenameBrokenOff(t *testing.T) {
	broken := errors.New("broken")
	for _, lost := range []bool{false, true} {
		for _, op := range []string{"complete", "delete"} {
			t.Run(fmt.Sprintf("%s, answer lost=%v", op, lost), func(t *testing.T) {
				m, process := newPublishers(t)
				if lost {
					m.Lost = object.FailNth(op, 1, broken)
				} else {
					m.Fault = object.FailNth(op, 1, broken)
				}
				p := process()
				data := bytesOf(2*parkPart + 1)
				p.store(t, "/x.tmp", data)
				err := p.Rename("/x.tmp", "/x")
				if op == "complete" != (err != nil) {
					t.Errorf("Rename: %v", err)
				}
				p = process() // the client comes back to another one
				var want error
				if op == "delete" && lost {
					want = fs.ErrNotExist // the note was gone
				}
				if err := p.Rename("/x.tmp", "/x"); !errors.Is(err, want) {
					t.Errorf("Rename again: %v, want %v", err, want)
				}
				wantOnly(t, m, "x", data)
			})
		}
	}
}

// Cut uploads of other names are parked beside.
func TestPublishAndResume(t *testing.T) {
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	both := func() *publishing {
		return newPublishing(t, m, b, func(o *object.Options) { o.Parks = o.Pending })
	}
	p := both()
	data := bytesOf(2*parkPart + 9)
	cutUpload(t, p.process, "/f", data[:parkPart+1])
	p.store(t, "/x.tmp", data)
	p = both()
	p.wantListed(t, "/", fmt.Sprint("f ", parkPart+1), fmt.Sprint("x.tmp ", len(data)))
	if _, err := p.OpenAt("/x.tmp", -1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("APPE: %v", err)
	}
	if err := goOn(p.process, "/f", parkPart+1, data[parkPart+1:]); err != nil {
		t.Error(err)
	}
	if err := p.Rename("/x.tmp", "/x"); err != nil {
		t.Error(err)
	}
	if got := m.Keys(); !slices.Equal(got, []string{"f", "x"}) || m.Pending() != 0 {
		t.Errorf("files %q, %d uploads", got, m.Pending())
	}
	for _, key := range []string{"f", "x"} {
		if got, _ := m.Object(key); !bytes.Equal(got, data) {
			t.Errorf("%s has %d bytes", key, len(got))
		}
	}
}
