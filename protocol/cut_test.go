package protocol_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

var half = bytes.Repeat([]byte("z"), 200<<10)

// Every way in which the client's end can break an upload off, and those that only look like it.
func TestCuts(t *testing.T) {
	cuts := []struct {
		name string
		// cut breaks the upload off after its bytes have been sent.
		cut  func(c *client, d net.Conn, raw *net.TCPConn)
		want protocol.Result
		tls  bool // makes sense under TLS only
	}{
		{"reset of the data connection", func(c *client, d net.Conn, raw *net.TCPConn) {
			reset(raw)
			c.want(426)
		}, protocol.Cut, false},
		{"reset of both", func(c *client, d net.Conn, raw *net.TCPConn) {
			reset(raw)
			reset(c.raw)
		}, protocol.Cut, false},
		{"killed client: both end in order, control first", func(c *client, d net.Conn, raw *net.TCPConn) {
			c.raw.Close()
			raw.Close()
		}, protocol.Cut, false},
		{"killed client behind other commands", func(c *client, d net.Conn, raw *net.TCPConn) {
			c.send("PWD")
			c.send("SYST")
			c.raw.CloseWrite()
			d.Close()
			c.want(426)
		}, protocol.Cut, false},
		{"no close_notify", func(c *client, d net.Conn, raw *net.TCPConn) {
			raw.CloseWrite()
			c.want(426)
		}, protocol.Cut, true},
		{"ABOR", func(c *client, d net.Conn, raw *net.TCPConn) {
			c.cmd(426, "ABOR")
			c.want(226)
		}, protocol.Aborted, false},
		{"end", func(c *client, d net.Conn, raw *net.TCPConn) {
			d.Close()
			c.want(226)
		}, protocol.Done, false},
		{"end, then QUIT", func(c *client, d net.Conn, raw *net.TCPConn) {
			d.Close()
			c.cmd(226, "QUIT")
			c.want(221)
		}, protocol.Done, false},
		{"QUIT and the end of both", func(c *client, d net.Conn, raw *net.TCPConn) {
			c.send("QUIT")
			c.raw.CloseWrite()
			d.Close()
			c.want(226)
			c.want(221)
		}, protocol.Done, false},
		{"commands, QUIT and the end of both", func(c *client, d net.Conn, raw *net.TCPConn) {
			c.send("PWD")
			c.send("SYST")
			c.send("QUIT")
			c.raw.CloseWrite()
			d.Close()
			c.want(226)
			c.want(257)
			c.want(215)
			c.want(221)
		}, protocol.Done, false},
	}
	for _, secure := range []bool{false, true} {
		for _, plain := range []bool{false, true} {
			kind := "clear"
			switch {
			case secure && plain:
				continue
			case secure:
				kind = "TLS"
			case plain:
				kind = "clear, buffered"
			}
			for _, tc := range cuts {
				if tc.tls && !secure {
					continue
				}
				t.Run(kind+"/"+tc.name, func(t *testing.T) {
					t.Parallel()
					s := start(t, protocol.TLSExplicit, func(s *server) { s.tree.plain = plain })
					c := dial(t, s.addr)
					if secure {
						c.secure(nil)
					}
					c.login()
					d, raw := c.transfer("STOR a")
					if _, err := d.Write(half); err != nil {
						t.Fatal(err)
					}
					tc.cut(c, d, raw)
					if got := s.results(1); got[0] != tc.want {
						t.Errorf("result %v, want %v", got, tc.want)
					}
					want := "abort"
					if tc.want == protocol.Done {
						want = "close"
					}
					if got := s.tree.seen(); !slices.Equal(got, []string{want}) {
						t.Errorf("the file was ended by %v, want %s", got, want)
					}
					if tc.want != protocol.Done {
						return
					}
					if b, err := os.ReadFile(s.path("a")); err != nil || !bytes.Equal(b, half) {
						t.Errorf("%d bytes stored (%v), want %d", len(b), err, len(half))
					}
				})
			}
		}
	}
}

// Devices that hang up at once after the last byte can be let in.
func TestAcceptCuts(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) { s.Profile.AcceptControlLost, s.Profile.AcceptNoCloseNotify = true, true })
	c := dial(t, s.addr).login()
	d, _ := c.transfer("STOR a")
	d.Write(half)
	c.raw.Close()
	d.Close()
	if got := s.results(1); got[0] != protocol.Done {
		t.Errorf("killed client with AcceptControlLost: %v", got)
	}
	c = dial(t, s.addr).secure(nil).login()
	d, raw := c.transfer("STOR a")
	d.Write(half)
	raw.CloseWrite()
	c.want(226)
	if got := s.results(2); got[1] != protocol.Done {
		t.Errorf("no close_notify with AcceptNoCloseNotify: %v", got)
	}
}

// Ordinary uploads in a row, each ended and the next begun at once, are never taken for cuts.
func TestNoFalseCuts(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr).login()
	for range 300 {
		if code := c.put("a", []byte("small")); code != 226 {
			t.Fatalf("STOR: %d", code)
		}
	}
	for range 100 { // a session each, QUIT on the heels of the last byte
		c := dial(t, s.addr).login()
		d, _ := c.transfer("STOR a")
		d.Write([]byte("small"))
		d.Close()
		c.send("QUIT")
		c.raw.CloseWrite()
		c.want(226)
	}
}

// The 226 comes after Close has returned, and nothing that happens meanwhile revokes the commit.
func TestCommitIsNotRevoked(t *testing.T) {
	entered, release := make(chan bool), make(chan bool)
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.tree.hook = func(op string) {
			if op == "close" {
				entered <- true
				<-release
			}
		}
	})
	c := dial(t, s.addr).login()
	d, _ := c.transfer("STOR a")
	d.Write([]byte("whole"))
	d.Close()
	<-entered
	c.send("ABOR")
	c.send("NOOP")
	if code := c.want(200); code == "" {
		t.Error("NOOP was not answered while the commit was pending")
	}
	c.raw.CloseWrite() // control lost
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	shut := make(chan error, 1)
	go func() { shut <- s.Shutdown(ctx) }()
	release <- true
	if got := s.results(1); got[0] != protocol.Done {
		t.Errorf("result %v, want done", got)
	}
	if err := <-shut; err == nil {
		t.Error("Shutdown with a context that was done = nil")
	}
	c.want(226)
}

// Shutdown waits for transfers until its context is done, then calls them off like a cut.
func TestShutdownCallsOff(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr).login()
	d, _ := c.transfer("STOR a")
	d.Write(half)
	ctx, cancel := context.WithCancel(context.Background())
	shut := make(chan error, 1)
	go func() { shut <- s.Shutdown(ctx) }()
	idle := dial2(t, s.addr)
	if idle != nil {
		t.Error("a connection was accepted during Shutdown")
	}
	cancel()
	c.want(426)
	if err := <-shut; err != context.Canceled {
		t.Errorf("Shutdown = %v", err)
	}
	if got := s.results(1); got[0] != protocol.Shutdown {
		t.Errorf("result %v, want shutdown", got)
	}
}

// dial2 returns nil where nobody serves any more.
func dial2(t *testing.T, addr string) net.Conn {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil
		}
		b := make([]byte, 3)
		if _, err := io.ReadFull(c, b); err != nil || string(b) == "421" {
			c.Close()
			return nil
		}
		c.Close()
	}
	return new(net.TCPConn)
}

// A slow upload is none that stalls: a deadline that fires after some bytes is progress.
func TestDrip(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := start(t, protocol.TLSExplicit, func(s *server) { s.StallTimeout = 2 * time.Second })
		c := dial(t, s.addr)
		if secure {
			c.secure(nil)
		}
		c.login()
		t.Run(map[bool]string{false: "clear", true: "TLS"}[secure], func(t *testing.T) {
			t.Parallel()
			d, _ := c.transfer("STOR a")
			for range 20 {
				if _, err := d.Write([]byte("drop")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(500 * time.Millisecond)
			}
			d.Close()
			c.want(226)
			if b, _ := os.ReadFile(s.path("a")); len(b) != 80 {
				t.Errorf("%d bytes stored, want 80", len(b))
			}
		})
	}
}

// A client that does not read its download is one that stalls, and one that
// reads slowly is not.
func TestDownloadStalls(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "clear", true: "TLS"}[secure], func(t *testing.T) {
			t.Parallel()
			s := start(t, protocol.TLSExplicit, func(s *server) { s.StallTimeout = time.Second })
			big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
			if err := os.WriteFile(s.path("big"), big, 0o644); err != nil {
				t.Fatal(err)
			}
			c := dial(t, s.addr)
			if secure {
				c.secure(nil)
			}
			c.login()
			d, _ := c.transfer("RETR big")
			got := make([]byte, 0, len(big))
			b := make([]byte, 4<<20)
			for range 6 { // slowly, but on and on
				n, err := io.ReadFull(d, b[:2<<20])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, b[:n]...)
				time.Sleep(300 * time.Millisecond)
			}
			rest, err := io.ReadAll(d)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, rest...); !bytes.Equal(got, big) {
				t.Error("the download differs")
			}
			c.want(226)
			c.transfer("RETR big") // and never read
			c.want(426)
			if got := s.results(2); got[1] != protocol.Stalled {
				t.Errorf("results %v", got)
			}
		})
	}
}
