package xferlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

func TestLines(t *testing.T) {
	cam := protocol.Client{User: "cam 7", Remote: netip.MustParseAddrPort("192.0.2.7:40112")}
	anyone := protocol.Client{User: "anonymous", Anonymous: true, Remote: netip.MustParseAddrPort("[2001:db8::7]:40112")}
	tests := []struct {
		name string
		do   func(h protocol.Hooks)
		want string
	}{
		{"upload", func(h protocol.Hooks) {
			h.Transfer(cam, protocol.Transfer{Verb: "STOR", Path: "/a b.jpg", Upload: true, Bytes: 48213, Took: 200 * time.Millisecond, Result: protocol.Done})
		}, "1 192.0.2.7 48213 /a_b.jpg b _ i r cam_7 ftp 0 * c"},
		{"cut", func(h protocol.Hooks) {
			h.Transfer(cam, protocol.Transfer{Verb: "APPE", Path: "/a", Upload: true, Bytes: 3, Took: 2600 * time.Millisecond, Result: protocol.Cut})
		}, "3 192.0.2.7 3 /a b _ i r cam_7 ftp 0 * i"},
		{"anonymous download of text", func(h protocol.Hooks) {
			h.Transfer(anyone, protocol.Transfer{Verb: "RETR", Path: "/a\r\nb\u2028\x1b", ASCII: true, Bytes: 9, Took: time.Minute, Result: protocol.Done})
		}, "60 2001:db8::7 9 /a__b__ a _ o a anonymous ftp 0 * c"},
		{"deleted", func(h protocol.Hooks) { h.Changed(cam, protocol.Change{Verb: "DELE", Path: "/名前"}) },
			"0 192.0.2.7 0 /名前 b _ d r cam_7 ftp 0 * c"},
		{"listing", func(h protocol.Hooks) { h.Transfer(cam, protocol.Transfer{Verb: "LIST", Path: "/"}) }, ""},
		{"directory", func(h protocol.Hooks) { h.Changed(cam, protocol.Change{Verb: "MKD", Path: "/d"}) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				l := New(&out, false, slog.New(slog.DiscardHandler))
				tt.do(l.Hooks())
				l.Close()
				want := tt.want
				if want != "" {
					want = "Sat Jan  1 00:00:00 2000 " + want + "\n" // when the bubble begins
				}
				if out.String() != want {
					t.Errorf("%q, want %q", out.String(), want)
				}
			})
		})
	}
}

// slow is a file on a disk that hangs.
type slow struct {
	begun, goOn chan struct{}
	once        sync.Once
	lines       int
}

func (s *slow) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.begun) })
	<-s.goOn
	s.lines += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

// A file that hangs holds up nobody; what is too much is counted, and told.
func TestSlowFile(t *testing.T) {
	w := &slow{begun: make(chan struct{}), goOn: make(chan struct{})}
	var told bytes.Buffer
	l := New(w, false, slog.New(slog.NewTextHandler(&told, nil)))
	h := l.Hooks()
	one := func(n int) { h.Changed(protocol.Client{}, protocol.Change{Verb: "DELE", Path: fmt.Sprint("/", n)}) }
	one(0)
	<-w.begun
	for n := range queueSize + 5 {
		one(n)
	}
	if l.Lost() != 5 || !strings.Contains(told.String(), "lines of the xferlog were lost") {
		t.Errorf("%d lost, log %q; want 5", l.Lost(), told.String())
	}
	close(w.goOn)
	l.Close()
	if !strings.Contains(told.String(), "lost=5") {
		t.Errorf("log %q; want it to tell in the end how many", told.String())
	}
	if w.lines != queueSize+1 {
		t.Errorf("%d lines were written, want %d", w.lines, queueSize+1)
	}
}

type full struct{ io.Writer }

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestFullDisk(t *testing.T) {
	var told bytes.Buffer
	l := New(full{}, false, slog.New(slog.NewTextHandler(&told, nil)))
	l.Hooks().Changed(protocol.Client{}, protocol.Change{Verb: "DELE", Path: "/a"})
	l.Close()
	if l.Lost() != 1 || !strings.Contains(told.String(), "no space left") {
		t.Errorf("%d lost, log %q", l.Lost(), told.String())
	}
}

// tight is a disk that fills up, and has room again.
type tight struct {
	bytes.Buffer
	room int
}

func (w *tight) Write(p []byte) (int, error) {
	if len(p) <= w.room {
		return w.Buffer.Write(p)
	}
	n, _ := w.Buffer.Write(p[:w.room])
	w.room = 1 << 20
	return n, errors.New("no space left")
}

// What the disk has taken of a line stays a line of its own.
func TestTornLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &tight{room: 30}
		l := New(w, false, slog.New(slog.DiscardHandler))
		h := l.Hooks()
		for _, name := range []string{"/a", "/b"} {
			h.Changed(protocol.Client{}, protocol.Change{Verb: "DELE", Path: name})
			synctest.Wait()
		}
		l.Close()
		if lines := strings.Split(w.String(), "\n"); len(lines) != 3 || len(lines[0]) != 30 || !strings.Contains(lines[1], " /b b _ d ") || lines[2] != "" || l.Lost() != 1 {
			t.Errorf("%q, %d lost", lines, l.Lost())
		}
	})
}
