package vfstest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/afero"
)

type suite struct {
	newFS func(t *testing.T) afero.Fs
	caps  *Caps
	seen  map[string]bool // subtests that exist
	ran   map[string]bool // subtests whose children are known, because they ran
}

func (s *suite) run(t *testing.T) {
	for name, reason := range s.caps.Deviations {
		if strings.TrimSpace(reason) == "" {
			t.Errorf("deviation %q has no reason", name)
		}
	}
	for _, c := range checks() {
		if c.raw && s.caps.PutRaw == nil {
			continue
		}
		s.sub(t, "", c.name, nil, c.f)
	}
	for name := range s.caps.Deviations {
		parent := ""
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			parent = name[:i]
		}
		// A subtest whose parent was not selected (go test -run) is not known.
		if !s.seen[name] && (parent == "" || s.ran[parent] || !s.seen[parent]) {
			t.Errorf("deviation %q: there is no such subtest", name)
		}
	}
}

// sub runs one subtest. Failures of a subtest with a deviation are collected
// and logged; a deviation that does not happen is the failure.
func (s *suite) sub(t *testing.T, parent, name string, inherited *deviation, f func(*T)) bool {
	full := name
	if parent != "" {
		full = parent + "/" + name
	}
	s.seen[full] = true
	return t.Run(name, func(t *testing.T) {
		s.ran[full] = true
		dev := inherited
		reason, listed := s.caps.Deviations[full]
		if listed {
			dev = &deviation{}
		}
		tt := &T{t: t, s: s, name: full, dev: dev}
		if dev == nil {
			f(tt)
			return
		}
		// A goroutine of its own, so that Fatalf can end the subtest without
		// failing it. It ends with f.
		done := make(chan struct{})
		go func() {
			defer close(done)
			f(tt)
		}()
		<-done
		if listed {
			if what := dev.failures(); len(what) == 0 {
				t.Errorf("deviation listed but test passes (%s)", reason)
			} else {
				t.Logf("deviates as listed (%s):\n%s", reason, strings.Join(what, "\n"))
			}
		}
	})
}

// deviation collects the failures of a subtest that is known to fail.
type deviation struct {
	mu   sync.Mutex
	what []string
}

func (d *deviation) add(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.what = append(d.what, s)
}

func (d *deviation) failures() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.what
}

// T is what a subtest of the suite gets instead of a testing.T. Its methods mean
// the same, but a failure of a subtest that is known to deviate is collected.
type T struct {
	t    *testing.T
	s    *suite
	name string
	dev  *deviation
}

// Run runs a subtest below this one.
func (t *T) Run(name string, f func(*T)) bool { return t.s.sub(t.t, t.name, name, t.dev, f) }

// Errorf tells of a failure and goes on. It may be called by any goroutine.
func (t *T) Errorf(format string, args ...any) {
	t.t.Helper()
	if t.dev != nil {
		t.dev.add(fmt.Sprintf(format, args...))
		return
	}
	t.t.Errorf(format, args...)
}

// Fatalf tells of a failure and ends the subtest. Only the subtest's own goroutine may call it.
func (t *T) Fatalf(format string, args ...any) {
	t.t.Helper()
	t.Errorf(format, args...)
	if t.dev != nil {
		runtime.Goexit()
	}
	t.t.FailNow()
}

// Helper marks the calling function as one whose line is of no interest.
func (t *T) Helper() { t.t.Helper() }

// caps returns what the tree can do.
func (t *T) caps() *Caps { return t.s.caps }

// fs makes a new, empty tree.
func (t *T) fs() afero.Fs {
	t.t.Helper()
	return t.s.newFS(t.t)
}

// raw stores an object behind the tree's back.
func (t *T) raw(fsys afero.Fs, key, content string) {
	t.t.Helper()
	if err := t.s.caps.PutRaw(t.t, fsys, key, []byte(content)); err != nil {
		t.Fatalf("PutRaw(%q): %v", key, err)
	}
}
