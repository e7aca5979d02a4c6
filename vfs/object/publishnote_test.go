package object_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// longETags is a store whose parts have long ETags.
type longETags struct{ *object.Mem }

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
