package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

func TestHooksBecomeEvents(t *testing.T) {
	var lines bytes.Buffer
	o := openOutbox(t, filepath.Join(t.TempDir(), "events.db"), 100, Receiver{Name: "r"})
	defer o.Close()
	s := New(o, NewLog(&lines, nil), silent())
	h := s.Hooks()
	c := protocol.Client{ID: 7, Remote: netip.MustParseAddrPort("192.0.2.7:4711"), User: "cam7"}
	up := protocol.Transfer{Verb: "STOR", Path: "/a", Upload: true, Bytes: 3, Result: protocol.Done,
		Stored: vfs.Stored{Backend: "b", Bucket: "k", Key: "p/a", Version: "v", Checksum: "crc32:01"}}
	down := protocol.Transfer{Verb: "RETR", Path: "/a", Bytes: 3, Result: protocol.Done}
	cut := up
	cut.Result = protocol.Cut
	broken := down
	broken.Result = protocol.Aborted

	h.Connect(c)
	h.LoginFailed(protocol.Client{ID: 7, Claimed: "who"}, "denied")
	h.Login(c)
	if err := h.Received(c, up); err != nil {
		t.Fatal(err)
	}
	h.Transfer(c, up) // told already
	h.Transfer(c, cut)
	h.Transfer(c, down)
	h.Transfer(c, broken)
	h.Transfer(c, protocol.Transfer{Verb: "LIST", Result: protocol.Done})
	h.Changed(c, protocol.Change{Verb: "RNTO", Path: "/a", To: "/b"})
	h.Changed(c, protocol.Change{Verb: "DELE", Path: "/b"})
	h.Changed(c, protocol.Change{Verb: "MKD", Path: "/d"})
	h.Changed(c, protocol.Change{Verb: "RMD", Path: "/d"})
	h.Changed(c, protocol.Change{Verb: "SITE CPTO", Path: "/a", To: "/c"})
	h.Changed(c, protocol.Change{Verb: "COMB", Path: "/a", To: "/c"})
	h.Changed(c, protocol.Change{Verb: "MFMT", Path: "/d"})
	h.Logout(c)
	h.Disconnect(c, time.Second)
	s.Close()

	var got []string
	ids := map[string]bool{}
	for l := range strings.Lines(lines.String()) {
		var e Event
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Type))
		ids[e.ID] = true
		if e.Type == LoginFailed && (e.User != "who" || e.Reason != "denied") {
			t.Errorf("login_failed: %s", l)
		}
		if e.Type == Received && (e.Bucket != "k" || e.Key != "p/a" || e.Version != "v" || e.Checksum != "crc32:01" || e.User != "cam7" || e.Remote != "192.0.2.7") {
			t.Errorf("received: %s", l)
		}
	}
	want := "connect login_failed login received incomplete_received sent incomplete_sent renamed deleted directory_made directory_removed copied copied logout disconnect"
	if strings.Join(got, " ") != want {
		t.Errorf("log: %v, want %s", got, want)
	}
	if n := len(strings.Fields(want)); o.Waiting()["r"] != n || len(ids) != n || s.Dropped() != 0 {
		t.Errorf("outbox has %v, %d ids, %d dropped; want %d of each", o.Waiting(), len(ids), s.Dropped(), n)
	}
}

// An upload whose event cannot be kept is refused; a login is not.
func TestAFullOutboxEndsInAnErrorForUploadsAlone(t *testing.T) {
	o := openOutbox(t, filepath.Join(t.TempDir(), "events.db"), 1, Receiver{Name: "r"})
	defer o.Close()
	s := New(o, nil, silent())
	h := s.Hooks()
	up := protocol.Transfer{Verb: "STOR", Upload: true, Result: protocol.Done}
	if err := h.Received(protocol.Client{}, up); err != nil {
		t.Fatal(err)
	}
	if err := h.Received(protocol.Client{}, up); err == nil {
		t.Error("the second upload was taken")
	}
	h.Login(protocol.Client{})
	s.Close()
	if s.Dropped() != 1 {
		t.Errorf("dropped %d, want 1", s.Dropped())
	}
}

// disk is a writer that is full now and then, in the middle of a line.
type disk struct {
	bytes.Buffer
	room int
}

func (d *disk) Write(p []byte) (int, error) {
	if n := min(len(p), d.room); n < len(p) {
		d.Buffer.Write(p[:n])
		d.room -= n
		return n, errors.New("no space left")
	}
	d.room -= len(p)
	return d.Buffer.Write(p)
}

func TestALineThatWasBrokenOffBreaksNoOther(t *testing.T) {
	d := &disk{room: 100}
	s := New(nil, NewLog(d, nil), silent())
	defer s.Close()
	h := s.Hooks()
	up := protocol.Transfer{Verb: "STOR", Upload: true, Result: protocol.Done, Path: "/first"}
	for range 2 {
		if err := h.Received(protocol.Client{}, up); err == nil {
			t.Fatal("an upload whose line was not written was taken")
		}
	}
	h.Login(protocol.Client{})
	if s.Dropped() != 1 {
		t.Errorf("dropped %d, want 1", s.Dropped())
	}
	d.room = 1 << 20
	up.Path = "/second"
	for range 2 {
		if err := h.Received(protocol.Client{}, up); err != nil {
			t.Fatal(err)
		}
	}
	whole := 0
	for l := range strings.Lines(d.String()) {
		var e Event
		if json.Unmarshal([]byte(l), &e) == nil && e.Path == "/second" {
			whole++
		}
	}
	if whole != 2 {
		t.Errorf("%d whole lines of 2 uploads in %q", whole, d.String())
	}
}
