package object_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// listed returns the sizes of a directory's files by name, and fails if one is there twice.
func listed(t *testing.T, p *process, dir string) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	for fi, err := range vfs.List(p.FS, dir) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[fi.Name()]; twice {
			t.Errorf("%q is listed twice", fi.Name())
		}
		all[fi.Name()] = fi.Size()
	}
	return all
}

func TestListingShowsParkedSizes(t *testing.T) {
	p, m := newParks(t)
	data := bytesOf(3 * parkPart)
	m.Set("d/old", []byte("older and shorter"))
	m.Set("d/other", nil)
	m.Set("elsewhere/f", nil)
	cutUpload(t, p, "/d/old", data[:2*parkPart+5])
	cutUpload(t, p, "/d/new", data[:7])
	cutUpload(t, p, "/d/sub/deeper", data[:9])
	for _, restart := range []bool{false, true} {
		if restart {
			p = newProcess(t, m, p.b)
		}
		want := map[string]int64{"old": 2*parkPart + 5, "other": 0, "new": 7}
		got := listed(t, p, "/d")
		delete(got, "sub")
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("listing %v, want %v", got, want)
		}
		if got := listed(t, p, "/d/sub"); fmt.Sprint(got) != "map[deeper:9]" {
			t.Errorf("a directory with nothing but a parked upload: %v", got)
		}
	}
	if err := goOn(p, "/d/old", 2*parkPart+5, data[2*parkPart+5:]); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, p, "/d")["old"]; got != 3*parkPart {
		t.Errorf("after the resume: %d", got)
	}
}

func TestListingCosts(t *testing.T) {
	p, m := newParks(t)
	for i := range 2500 {
		m.Set(fmt.Sprintf("d/%04d", i), nil)
	}
	count := func(what, want string) {
		t.Helper()
		before := m.Requests()
		listed(t, p, "/d")
		after := m.Requests()
		for op, n := range before {
			if after[op] -= n; after[op] == 0 {
				delete(after, op)
			}
		}
		if got := fmt.Sprint(after); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	count("first", "map[get:1 list:4]") // the name may be a file's
	count("no notes", "map[list:4]")
	cutUpload(t, p, "/d/0007", bytesOf(parkPart+1))
	count("one note", "map[get:1 list:4 parts:1]")
	cutUpload(t, p, "/d/zzz", bytesOf(3))
	count("two notes, one without parts", "map[get:2 list:4 parts:1]")
	plain, err := object.New(m, object.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p = &process{FS: plain, b: p.b}
	listed(t, p, "/d")
	count("without parks", "map[list:3]")
}

func TestListingFailsWithItsNotes(t *testing.T) {
	broken := errors.New("broken")
	for _, op := range []string{"list", "get"} {
		p, m := newParks(t)
		m.Set("d/f", nil)
		cutUpload(t, p, "/d/g", bytesOf(3))
		m.Fault = func(_ context.Context, o string, _ int, key string) error {
			if o == op && strings.HasPrefix(key, ".ftpgw/") {
				return broken
			}
			return nil
		}
		var last error
		for _, err := range vfs.List(p.FS, "/d") {
			last = err
		}
		if !errors.Is(last, broken) {
			t.Errorf("%s of a note fails: %v", op, last)
		}
	}
}

// A great many notes cost a bounded number of requests.
func TestListingOfManyNotes(t *testing.T) {
	m, process := newPublishers(t)
	p := process()
	const files = 1200
	for i := range files {
		p.store(t, fmt.Sprintf("/d/%04d.tmp", i), []byte("x"))
	}
	m.Set("d/z", nil)
	p = process()
	var n int
	got := p.requestsOf(func() { n = len(listed(t, p.process, "/d")) })
	if n != 1001 || got["get"] > 1002 {
		t.Errorf("%d entries with requests %v; want 1,000 of the notes and z", n, got)
	}
	if !strings.Contains(p.log.String(), "leaves some of them out") {
		t.Errorf("log: %q", p.log)
	}
	if got := sizeOf(t, p.process, "/d/1199.tmp"); got != 1 {
		t.Errorf("SIZE of any: %d", got)
	}
}

// What is no note is left out, and keeps nobody from seeing the rest.
func TestListingPastWhatIsNoNote(t *testing.T) {
	p, m := newParks(t)
	cutUpload(t, p, "/d/f", bytesOf(3))
	i := slices.IndexFunc(m.Keys(), func(k string) bool { return strings.HasPrefix(k, ".ftpgw/parked/") })
	note := m.Keys()[i]
	m.Set(note[:strings.LastIndex(note, "/")+1]+"0", []byte("{"))
	m.Set(note[:strings.LastIndex(note, "/")+1]+"1", bytes.Repeat([]byte("x"), 100))
	if got := listed(t, p, "/d"); fmt.Sprint(got) != "map[f:3]" {
		t.Errorf("listing %v", got)
	}
}
