package object_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/afero"

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

func TestWaitingFileIsNotReadNorContinued(t *testing.T) {
	for _, restart := range []bool{false, true} {
		m, process := newPublishers(t)
		p := process()
		p.store(t, "/x.tmp", []byte("waits"))
		if restart {
			p = process()
		}
		if _, err := p.OpenFrom("/x.tmp", 0); !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("RETR: %v, want vfs.ErrBusy", err)
		}
		f, err := p.Open("/x.tmp")
		if err != nil {
			t.Fatal(err)
		}
		if fi, err := f.Stat(); err != nil || fi.Size() != 5 {
			t.Errorf("Stat: %v, %v", fi, err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("Read: %v, want vfs.ErrBusy", err)
		}
		if _, err := f.Readdir(-1); !errors.Is(err, vfs.ErrNotDir) {
			t.Errorf("Readdir: %v, want vfs.ErrNotDir", err)
		}
		f.Close()
		if _, err := p.OpenAt("/x.tmp", 5); !errors.Is(err, vfs.ErrBadOffset) {
			t.Errorf("REST and STOR: %v, want vfs.ErrBadOffset", err)
		}
		if _, err := p.OpenAt("/x.tmp", -1); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("APPE: %v, want errors.ErrUnsupported", err)
		}
		if err := p.Copy("/x.tmp", "/y"); !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("Copy: %v, want vfs.ErrBusy", err)
		}
		if err := p.Mkdir("/x.tmp", 0o777); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Mkdir: %v, want fs.ErrExist", err)
		}
		if _, err := p.OpenFile("/x.tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); !errors.Is(err, fs.ErrExist) {
			t.Errorf("O_EXCL: %v, want fs.ErrExist", err)
		}
		if err := p.Remove("/x.tmp"); err != nil {
			t.Errorf("DELE: %v", err)
		}
		if err := p.Rename("/x.tmp", "/x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Rename after DELE: %v", err)
		}
		if n, keys := m.Pending(), m.Keys(); n > 0 || len(keys) > 0 {
			t.Errorf("left: %d uploads, %q", n, keys)
		}
	}
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

// Who may not overwrite does not take the place of a file that waits for a rename of its own.
func TestPublishedOverWaiting(t *testing.T) {
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	p := newPublishing(t, m, b, func(o *object.Options) {
		o.Publish = []object.Rule{{From: [2]string{"", ".part"}, To: [2]string{"", ".tmp"}}, tmp}
	})
	p.store(t, "/x.tmp", []byte("waits"))
	p.store(t, "/x.part", []byte("new"))
	if err := p.RenameNew("/x.part", "/x.tmp"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("RenameNew: %v, want fs.ErrExist", err)
	}
	p.wantListed(t, "/", "x.part 3", "x.tmp 5")
	if err := p.Rename("/x.part", "/x.tmp"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "x.tmp", []byte("new"))
}

// Where a directory has got the final name, the file is one like all others, and what waited under its name is gone.
func TestOrdinaryFileInThePlaceOfWaiting(t *testing.T) {
	for _, resume := range []bool{false, true} {
		b := object.NewBudget(8 << 20)
		m := object.NewMem(b, parkPart)
		p := newPublishing(t, m, b, func(o *object.Options) {
			if resume {
				o.Parks = o.Pending
			}
		})
		p.store(t, "/x.tmp", []byte("waits"))
		m.Set("x/f", nil)
		cutUpload(t, p.process, "/x.tmp", bytesOf(2*parkPart))
		p.wantListed(t, "/", "x 0", "x.tmp 5")
		if n := m.Pending(); n != 1 {
			t.Errorf("%d uploads, want the one that waits", n)
		}
		p.store(t, "/x.tmp", []byte("new"))
		p.wantListed(t, "/", "x 0", "x.tmp 3")
		if err := p.Rename("/x.tmp", "/y"); err != nil {
			t.Fatal(err)
		}
		if got, _ := m.Object("y"); string(got) != "new" || m.Pending() != 0 {
			t.Errorf("y is %q, %d uploads wait", got, m.Pending())
		}
	}
}

// A file that has become whole while another session, which knows of no renames, was at the beginning of the same name stays.
func TestWholeBeforeTheFirstPartOfAnother(t *testing.T) {
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	p := newPublishing(t, m, b, nil)
	other, err := object.New(m, object.Options{Parks: p.parks})
	if err != nil {
		t.Fatal(err)
	}
	f, err := other.Create("/x.tmp")
	if err != nil {
		t.Fatal(err)
	}
	p.store(t, "/x.tmp", []byte("whole"))
	_, err = f.Write(bytesOf(3 * parkPart))
	if cerr := f.Close(); !errors.Is(errors.Join(err, cerr), vfs.ErrBusy) {
		t.Errorf("the other upload: %v, %v; want vfs.ErrBusy", err, cerr)
	}
	if err := p.Rename("/x.tmp", "/x"); err != nil {
		t.Fatal(err)
	}
	if got, _ := m.Object("x"); string(got) != "whole" || m.Pending() != 0 {
		t.Errorf("x is %q, %d uploads are open", got, m.Pending())
	}
}

// longETags is a store whose parts have long ETags.
type longETags struct{ *object.Mem }

func (l longETags) PutHeld(ctx context.Context, key string, o object.PutOptions, held func(context.Context, string, []object.Part) error) (object.Upload, error) {
	return l.Mem.PutHeld(ctx, key, o, func(ctx context.Context, id string, parts []object.Part) error {
		for i := range parts {
			parts[i].ETag = strings.Repeat("e", 200)
		}
		return held(ctx, id, parts)
	})
}

// Parts that would make the note too long to be read are not noted.
func TestNoteOfLongETags(t *testing.T) {
	b := object.NewBudget(8 << 20)
	m := object.NewMem(b, parkPart)
	process := func() *process {
		p, err := object.NewParks(longETags{m}, ".ftpgw/")
		if err != nil {
			t.Fatal(err)
		}
		f, err := object.New(longETags{m}, object.Options{Pending: p, Publish: []object.Rule{tmp}})
		if err != nil {
			t.Fatal(err)
		}
		return &process{f, p, b}
	}
	data := bytes.Repeat([]byte("0123456789a"), 300*parkPart/11)
	if err := startUpload(t, process(), "/x.tmp", data).Close(); err != nil {
		t.Fatal(err)
	}
	if err := process().Rename("/x.tmp", "/x"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "x", data)
}

// The directory of a file that waits is kept as that of any other file.
func TestDirectoryOfWaitingIsKept(t *testing.T) {
	for what, do := range map[string]func(p *publishing) error{
		"renamed away": func(p *publishing) error { return p.Rename("/d/x.tmp", "/y") },
		"removed":      func(p *publishing) error { return p.Remove("/d/x.tmp") },
	} {
		m := object.NewMem(object.NewBudget(8<<20), parkPart)
		p := newPublishing(t, m, nil, func(o *object.Options) { o.KeepDirs = true })
		p.store(t, "/d/x.tmp", []byte("x"))
		if err := do(p); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(m.Keys(), "d/") {
			t.Errorf("%s: the bucket has %q, and no directory", what, m.Keys())
		}
	}
}

func TestNameOfWaitingFileTakenByOthers(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	p.store(t, "/x.tmp", []byte("waits"))
	p.store(t, "/y", []byte("y"))
	if err := p.Rename("/y", "/x.tmp"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "x.tmp", []byte("y"))
}

func TestCutWhileWaiting(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	p.store(t, "/x.tmp", []byte("first"))
	cutUpload(t, p.process, "/x.tmp", bytesOf(3*parkPart))
	cutUpload(t, p.process, "/y.tmp", bytesOf(10))
	cutUpload(t, p.process, "/z.tmp", bytesOf(2*parkPart))
	if n := m.Pending(); n != 1 {
		t.Errorf("%d uploads are open, want 1", n)
	}
	p.wantListed(t, "/", "x.tmp 5")
	if err := p.Rename("/x.tmp", "/x"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, m, "x", []byte("first"))
}

// Of more parts than a note holds the store is asked at the rename.
func TestMorePartsThanANoteHolds(t *testing.T) {
	for _, restart := range []bool{false, true} {
		m, process := newPublishers(t)
		p := process()
		data := bytes.Repeat([]byte("0123456789a"), 501*parkPart/11+1)
		p.store(t, "/x.tmp", data)
		if restart {
			p = process()
		}
		if got := p.requestsOf(func() {
			if err := p.Rename("/x.tmp", "/x"); err != nil {
				t.Fatal(err)
			}
		}); got["parts"] != 1 || got["complete"] != 1 {
			t.Errorf("requests %v", got)
		}
		wantOnly(t, m, "x", data)
	}
}

// The note is what makes the file last: without it there is no 226.
func TestNoteFails(t *testing.T) {
	broken := errors.New("note")
	for name, fault := range map[string]func(m *object.Mem){
		"refused": func(m *object.Mem) {
			m.Fault = func(_ context.Context, op string, _ int, key string) error {
				if op == "single" && strings.HasPrefix(key, ".ftpgw/") {
					return broken
				}
				return nil
			}
		},
		"answer lost, and the question": func(m *object.Mem) {
			lost := false
			m.Lost = func(_ context.Context, op string, _ int, key string) error {
				if op == "single" && strings.HasPrefix(key, ".ftpgw/") {
					lost = true
					return broken
				}
				return nil
			}
			m.Fault = func(_ context.Context, op string, _ int, key string) error {
				if op == "get" && lost {
					lost = false
					return broken
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range sizes {
				m, process := newPublishers(t)
				fault(m)
				p := process()
				if err := startUpload(t, p.process, "/x.tmp", bytesOf(n)).Close(); !errors.Is(err, broken) {
					t.Errorf("Close: %v", err)
				}
				// A note that speaks of nothing ends with the next rename.
				if err := p.Rename("/x.tmp", "/x"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("Rename: %v", err)
				}
				if left, keys := m.Pending(), m.Keys(); left > 0 || len(keys) > 0 {
					t.Errorf("left: %d uploads, %q", left, keys)
				}
			}
		})
	}
}

// A note that is there is one, whatever became of its answer: the file waits, and the one before it is gone. Where nobody can tell,
// the one before stays, too.
func TestNoteInDoubt(t *testing.T) {
	broken := errors.New("broken")
	note := func(op, want, key string) bool { return op == want && strings.HasPrefix(key, ".ftpgw/") }
	for _, before := range []bool{false, true} {
		for name, answer := range map[string]error{"lost": broken, "taken for another's": vfs.ErrBusy} {
			t.Run(fmt.Sprintf("answer %s, one before=%v", name, before), func(t *testing.T) {
				m, process := newPublishers(t)
				p := process()
				if before {
					p.store(t, "/x.tmp", []byte("before"))
				}
				failed := false
				m.Lost = func(_ context.Context, op string, n int, key string) error {
					if note(op, "single", key) && !failed && (!before || n > 2) { // behind the condition that the old note answers
						failed = true
						return answer
					}
					return nil
				}
				data := bytesOf(parkPart + 3)
				p.store(t, "/x.tmp", data)
				if n := m.Pending(); n != 1 || !failed {
					t.Errorf("%d uploads wait, want 1; an answer was lost: %v", n, failed)
				}
				if err := process().Rename("/x.tmp", "/x"); err != nil {
					t.Fatal(err)
				}
				wantOnly(t, m, "x", data)
			})
		}
	}
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprint("nobody can tell, stored=", stored), func(t *testing.T) {
			m, process := newPublishers(t)
			p := process()
			first, second := []byte("before"), bytesOf(parkPart+3)
			p.store(t, "/x.tmp", first)
			var down atomic.Bool
			m.Fault = func(_ context.Context, op string, n int, key string) error {
				if !stored && note(op, "single", key) && n > 2 {
					down.Store(true)
				}
				if down.Load() && (note(op, "single", key) || note(op, "get", key)) {
					return broken
				}
				return nil
			}
			m.Lost = func(_ context.Context, op string, n int, key string) error {
				if note(op, "single", key) && n > 2 {
					down.Store(true)
				}
				if down.Load() {
					return broken
				}
				return nil
			}
			if err := startUpload(t, p.process, "/x.tmp", second).Close(); !errors.Is(err, broken) {
				t.Errorf("Close: %v", err)
			}
			m.Fault, m.Lost = nil, nil
			if err := process().Rename("/x.tmp", "/x"); err != nil {
				t.Fatal(err)
			}
			want := first
			if stored {
				want = second
			}
			if got, _ := m.Object("x"); !bytes.Equal(got, want) {
				t.Errorf("x has %d bytes, want %d", len(got), len(want))
			}
		})
	}
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

func TestUploadOfWaitingFileGone(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	p.store(t, "/x.tmp", []byte("x"))
	m.ExpireUploads()
	if err := p.Rename("/x.tmp", "/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rename: %v, want fs.ErrNotExist", err)
	}
	if keys := m.Keys(); len(keys) > 0 {
		t.Errorf("left: %q", keys)
	}
}

func TestTwoDevicesOfOneName(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprint("two processes=", two), func(t *testing.T) {
			m, process := newPublishers(t)
			a := process()
			b := a
			if two {
				b = process()
			}
			first, second := bytesOf(2*parkPart+1), bytesOf(3*parkPart+2)
			fa := startUpload(t, a.process, "/x.tmp", first)
			fb := startUpload(t, b.process, "/x.tmp", second)
			for _, f := range []afero.File{fa, fb} {
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if n := m.Pending(); n != 1 {
				t.Errorf("%d uploads wait, want the last one", n)
			}
			// The one process still knows its own file only.
			if err := a.Rename("/x.tmp", "/x"); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, m, "x", second)
			// In another process it may find that x is what it was to become.
			if err := b.Rename("/x.tmp", "/x"); err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && !two {
				t.Errorf("the other one's rename: %v", err)
			}
			wantOnly(t, m, "x", second)
		})
	}
	t.Run("many at once", func(t *testing.T) {
		m, process := newPublishers(t)
		var wg sync.WaitGroup
		for i := range 8 {
			p := process()
			wg.Go(func() {
				f, err := p.OpenFile("/x.tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
				if err == nil {
					_, err = f.Write(bytes.Repeat([]byte{byte(i)}, parkPart+i))
				}
				if err == nil {
					err = f.Close()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		p := process()
		if n := m.Pending(); n != 1 {
			t.Errorf("%d uploads wait, want 1", n)
		}
		if err := p.Rename("/x.tmp", "/x"); err != nil {
			t.Fatal(err)
		}
		got, _ := m.Object("x")
		if len(got) < parkPart || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) || len(got) != parkPart+int(got[0]) {
			t.Errorf("a mix of %d bytes", len(got))
		}
	})
}

func TestNeverRenamed(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	data := bytesOf(parkPart + 1)
	p.store(t, "/d/x.tmp", data)
	p.store(t, "/d/y.tmp", data)
	if err := p.Rename("/d/y.tmp", "/d/y"); err != nil {
		t.Fatal(err)
	}
	p.Release()
	p.Release()
	if log := p.log.String(); strings.Count(log, "d/x.tmp") != 1 || strings.Contains(log, "y.tmp") {
		t.Errorf("the end of the session says %q", log)
	}
	p = process()
	if n, err := p.parks.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("Sweep of what is young: %d, %v", n, err)
	}
	if ids, err := p.parks.Uploads(t.Context()); len(ids) != 1 || err != nil {
		t.Errorf("uploads that stay: %v, %v", ids, err)
	}
	if n, err := p.parks.Sweep(t.Context(), -time.Hour); n != 1 || err != nil {
		t.Errorf("Sweep: %d, %v, want 1", n, err)
	}
	if log := p.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "d/x.tmp") || !strings.Contains(log, fmt.Sprint("size=", len(data))) {
		t.Errorf("the janitor says %q", log)
	}
	wantOnly(t, m, "d/y", data)
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
