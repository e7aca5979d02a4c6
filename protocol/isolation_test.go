package protocol_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// A programming error in a tree ends its own session only, is logged with its
// stack and told to the hook.
func TestPanic(t *testing.T) {
	var panics atomic.Int32
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.tree.plain = true
		s.Hooks.Panic = func(protocol.Client, any, []byte) { panics.Add(1) }
		s.tree.hook = func(op string) {
			if op == "write" {
				panic("planned")
			}
		}
	})
	other := dial(t, s.addr).login()
	c := dial(t, s.addr).login()
	d, _ := c.transfer("STOR a")
	d.Write([]byte("x"))
	d.Close()
	c.want(451)
	if _, _, err := c.reply(); err != io.EOF {
		t.Errorf("the session goes on: %v", err)
	}
	other.cmd(200, "NOOP")
	if panics.Load() != 1 || !strings.Contains(s.log.String(), "isolation_test.go") {
		t.Errorf("%d panics reported, stack in the log: %v", panics.Load(), strings.Contains(s.log.String(), "isolation_test.go"))
	}
	if got := s.tree.seen(); len(got) != 1 || got[0] != "abort" {
		t.Errorf("the file was ended by %v, want abort", got)
	}
}

// Nor does one that panics again while the session is being ended, or a hook that does.
func TestPanicWhileEnding(t *testing.T) {
	var panics atomic.Int32
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.tree.plain = true
		s.Hooks.Panic = func(protocol.Client, any, []byte) { panics.Add(1) }
		s.Hooks.Disconnect = func(protocol.Client, time.Duration) { panic("planned hook") }
		s.tree.hook = func(op string) {
			if op != "close" {
				panic("planned " + op)
			}
		}
	})
	c := dial(t, s.addr).login()
	d, _ := c.transfer("STOR a")
	d.Write([]byte("x"))
	d.Close()
	c.want(451)
	for deadline := time.Now().Add(30 * time.Second); s.Sessions() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions remain", s.Sessions())
		}
	}
	if panics.Load() != 2 {
		t.Errorf("%d panics reported, want that of the upload and that of the hook", panics.Load())
	}
}

// Connect and Disconnect are told in pairs, also of a port scan on a port with implicit TLS.
func TestHooksInPairs(t *testing.T) {
	var open atomic.Int32
	s := start(t, protocol.TLSImplicit, func(s *server) {
		s.Hooks.Connect = func(protocol.Client) { open.Add(1) }
		s.Hooks.Disconnect = func(protocol.Client, time.Duration) { open.Add(-1) }
	})
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	io.Copy(io.Discard, c)
	c.Close()
	for deadline := time.Now().Add(30 * time.Second); s.Sessions() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions remain", s.Sessions())
		}
	}
	if n := open.Load(); n != 0 {
		t.Errorf("%d sessions are open by the hooks' count", n)
	}
}

// endless is a tree whose directories have no last entry.
type endless struct{ *recorder }

func (e endless) WithContext(context.Context) afero.Fs { return e }

func (e endless) Open(name string) (afero.File, error) {
	f, err := e.recorder.Open(name)
	return endlessDir{f}, err
}

type endlessDir struct{ afero.File }

func (d endlessDir) Readdir(int) ([]os.FileInfo, error) {
	fi, err := d.Stat()
	return []os.FileInfo{fi}, err
}

// A listing that nobody reads any more is not gone on with: a bucket would be asked for all its pages.
func TestListingForNobody(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) { return endless{s.tree}, nil }
	})
	c := dial(t, s.addr).login()
	d, raw := c.transfer("NLST")
	if _, err := d.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	reset(raw)
	c.want(426)
}

// A tree that hangs blocks nobody else.
func TestSlowTreeBlocksNobody(t *testing.T) {
	release := make(chan bool)
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.tree.hook = func(op string) {
			if op == "close" {
				<-release
			}
		}
	})
	var stuck []*client
	for range 50 {
		c := dial(t, s.addr).login()
		d, _ := c.transfer("STOR a")
		d.Write([]byte("x"))
		d.Close()
		stuck = append(stuck, c)
	}
	dial(t, s.addr).login().cmd(200, "NOOP")
	for _, c := range stuck {
		c.cmd(200, "NOOP")
	}
	close(release)
	for _, c := range stuck {
		c.want(226)
	}
}

// Random bytes end at most the session that sent them, and no goroutine stays behind.
func TestGarbage(t *testing.T) {
	before := runtime.NumGoroutine()
	s := start(t, protocol.TLSExplicit, nil)
	for i := range 50 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(bytes.Repeat([]byte{byte(i), 0xff, byte(i * 7), '\n', 0, '\r'}, 500))
		reset(c.(*net.TCPConn))
	}
	dial(t, s.addr).login().cmd(221, "QUIT")
	for deadline := time.Now().Add(30 * time.Second); s.Sessions() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions remain", s.Sessions())
		}
	}
	s.Close()
	for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before+1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
		}
	}
}
