package protocol_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// clear takes a client's control connection back to clear text: close_notify both ways.
func (c *client) clear() {
	c.t.Helper()
	tc := c.conn.(*tls.Conn)
	if err := tc.CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
	tc.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := tc.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		c.t.Fatalf("read %d bytes, %v instead of the server's close_notify", n, err)
	}
	c.raw.SetDeadline(time.Time{}) // CloseWrite has let it pass
	c.conn, c.in = c.raw, bufio.NewReader(c.raw)
}

func startCCC(t *testing.T) *server {
	return start(t, protocol.TLSExplicit, func(s *server) {
		s.AllowCCC, s.SessionReuse = true, protocol.ReuseRequire
	})
}

// After CCC the control connection is clear text and the data connections are what they were; PROT
// is fixed, another AUTH begins anew.
func TestCCC(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			s := startCCC(t)
			c := dial(t, s.addr)
			c.cmd(530, "CCC")
			c.login()
			c.cmd(503, "CCC")
			cfg := &tls.Config{ClientSessionCache: newTickets(), MinVersion: version, MaxVersion: version}
			c.secure(cfg)
			c.cmd(530, "CCC")
			c.login()
			if text := c.features(); !strings.Contains(text, " CCC\r\n") {
				t.Errorf("FEAT does not tell CCC: %q", text)
			}
			c.cmd(200, "CCC")
			c.clear()
			c.cmd(257, "PWD")
			c.cmd(503, "PROT C")
			c.cmd(503, "PBSZ 0")
			if code := c.put("a", []byte("private")); code != 226 {
				t.Errorf("STOR: %d", code)
			}
			if b, code := c.get("RETR a"); code != 226 || string(b) != "private" {
				t.Errorf("RETR: %q, %d", b, code)
			}
			c.secure(cfg)
			c.cmd(530, "PWD")
			c.login()
			c.cmd(200, "CCC")
			c.clear()
			c.cmd(221, "QUIT")
		})
	}
}

// features is FEAT's reply.
func (c *client) features() string {
	c.t.Helper()
	c.send("FEAT")
	var b strings.Builder
	for {
		l, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		if b.WriteString(l); strings.HasPrefix(l, "211 ") {
			return b.String()
		}
	}
}

// What a client sends in clear text at once behind its close_notify, in the same packet, is not lost in
// the buffers of TLS.
func TestCCCCommandBehindCloseNotify(t *testing.T) {
	s := startCCC(t)
	c := dial(t, s.addr)
	held := &heldConn{Conn: c.raw}
	c.cmd(234, "AUTH TLS")
	tc := tls.Client(held, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.conn, c.in = tc, bufio.NewReader(tc)
	c.login()
	c.cmd(200, "CCC")
	held.hold = true
	if err := tc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := tc.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("read %d, %v", n, err)
	}
	c.raw.SetDeadline(time.Time{})
	if _, err := c.raw.Write(append(held.held, "PWD\r\nNOOP\r\n"...)); err != nil {
		t.Fatal(err)
	}
	c.conn, c.in = c.raw, bufio.NewReader(c.raw)
	c.want(257)
	c.want(200)
}

// heldConn keeps what is written back.
type heldConn struct {
	net.Conn
	hold bool
	held []byte
}

func (c *heldConn) Write(b []byte) (int, error) {
	if !c.hold {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, b...)
	return len(b), nil
}

// curl, in its passive mode, waits for the server's close_notify and sends none.
func TestCCCWithoutCloseNotify(t *testing.T) {
	s := startCCC(t)
	c := dial(t, s.addr).secure(&tls.Config{ClientSessionCache: newTickets()}).login()
	c.cmd(200, "CCC")
	if n, err := c.conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("read %d, %v", n, err)
	}
	c.over(c.raw)
	c.send("PWD\r\nNOOP")
	c.want(257)
	c.want(200)
	if code := c.put("a", []byte("x")); code != 226 {
		t.Errorf("STOR: %d", code)
	}
}

// Whatever stands between CCC and the end of TLS ends the session.
func TestCCCBoundary(t *testing.T) {
	for name, step := range map[string]func(c *client){
		"a command in the same record": func(c *client) {
			c.send("CCC\r\nDELE a")
			c.want(421)
		},
		"half a command in the same record": func(c *client) {
			io.WriteString(c.conn, "CCC\r\nDELE ")
			c.want(421)
		},
		"a command under TLS behind it": func(c *client) {
			c.cmd(200, "CCC")
			c.send("DELE a")
		},
		"half a record": func(c *client) {
			c.cmd(200, "CCC")
			c.raw.Write([]byte{23, 3, 3, 0, 9, 'D'})
			c.raw.CloseWrite()
		},
		"no record of this session": func(c *client) {
			c.cmd(200, "CCC")
			c.raw.Write([]byte{21, 3, 3, 0, 2, 1, 0})
			io.WriteString(c.raw, "DELE a\r\n")
		},
		"the end of the connection": func(c *client) {
			c.cmd(200, "CCC")
			c.raw.CloseWrite()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startCCC(t)
			c := dial(t, s.addr).secure(&tls.Config{ClientSessionCache: newTickets()}).login()
			if code := c.put("a", []byte("x")); code != 226 {
				t.Fatal(code)
			}
			step(c)
			c.raw.SetReadDeadline(time.Now().Add(time.Minute))
			if rest, err := io.ReadAll(c.raw); err != nil && strings.Contains(err.Error(), "timeout") || strings.Contains(string(rest), "\r\n") {
				t.Errorf("read %q, %v, want the end of the session", rest, err)
			}
			c = dial(t, s.addr).login()
			c.cmd(213, "SIZE a")
		})
	}
}

// CCC waits no longer than a handshake may take for a client that never ends TLS.
func TestCCCSilence(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) { s.AllowCCC, s.ConnectTimeout = true, 200*time.Millisecond })
	c := dial(t, s.addr).secure(nil).login()
	c.cmd(200, "CCC")
	c.raw.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadAll(c.raw); err != nil {
		t.Errorf("read %v, want the end", err)
	}
}

// CCC is refused unless allowed, and where TLS is required no login in clear text follows it.
func TestCCCRefused(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr).secure(nil).login()
	c.cmd(534, "CCC")
	c.cmd(257, "PWD")
	if strings.Contains(c.features(), "CCC") {
		t.Error("FEAT tells CCC")
	}

	s = startCCC(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(protocol.Listener{Listener: l, TLS: protocol.TLSExplicit, RequireTLSControl: true})
	c = dial(t, l.Addr().String()).secure(nil).login()
	c.cmd(200, "CCC")
	c.clear()
	c.cmd(257, "PWD")
	c.cmd(530, "USER joe")
	c.cmd(257, "PWD")
	c.cmd(220, "REIN")
	c.cmd(530, "USER joe")
}

// The commands of mechanisms that wrap each line by itself have no meaning under TLS.
func TestWrappedCommands(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr)
	for range 2 {
		for _, line := range []string{"ADAT Zm9v", "MIC Zm9v", "CONF Zm9v", "ENC Zm9v"} {
			c.cmd(502, line)
		}
		if c.tls == nil {
			c.secure(nil)
		}
	}
}
