package protocol_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// tickets is a client's session cache that counts what it is given.
type tickets struct {
	tls.ClientSessionCache
	mu   sync.Mutex
	puts int
}

func newTickets() *tickets { return &tickets{ClientSessionCache: tls.NewLRUClientSessionCache(8)} }

func (k *tickets) Put(key string, s *tls.ClientSessionState) {
	if s != nil {
		k.mu.Lock()
		k.puts++
		k.mu.Unlock()
	}
	k.ClientSessionCache.Put(key, s)
}

func (k *tickets) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.puts
}

// Under "require" the data connections of one session, of every kind, resume its
// control connection's TLS session.
func TestSessionReuse(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			s := start(t, protocol.TLSExplicit, func(s *server) { s.SessionReuse = protocol.ReuseRequire })
			c := dial(t, s.addr).secure(&tls.Config{ClientSessionCache: newTickets(), MinVersion: version, MaxVersion: version}).login()
			for _, line := range []string{"STOR a", "NLST", "STOR b", "RETR a", "STOR c", "MLSD"} {
				d, _ := c.transfer(line)
				if !d.(*tls.Conn).ConnectionState().DidResume {
					t.Errorf("%s did not resume", line)
				}
				if line[:4] == "STOR" {
					d.Write([]byte("x"))
				} else if _, err := io.ReadAll(d); err != nil {
					t.Errorf("%s: %v", line, err)
				}
				d.Close()
				c.want(226)
			}
		})
	}
}

// A ticket of another session proves nothing, and neither does a full handshake.
func TestSessionReuseOfAnotherSession(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) { s.SessionReuse = protocol.ReuseRequire })
	mine, theirs := newTickets(), newTickets()
	c := dial(t, s.addr).secure(&tls.Config{ClientSessionCache: mine}).login()
	dial(t, s.addr).secure(&tls.Config{ClientSessionCache: theirs}).login()
	for name, cache := range map[string]tls.ClientSessionCache{"another session's": theirs, "none": nil} {
		raw := c.data()
		c.cmd(150, "STOR a")
		tc := tls.Client(raw, &tls.Config{ClientSessionCache: cache, InsecureSkipVerify: true, ServerName: "localhost"})
		tc.Handshake()
		tc.Write([]byte("x"))
		tc.Close()
		if code, _, err := c.reply(); code != 522 || err != nil {
			t.Errorf("ticket %s: reply %d, %v, want 522", name, code, err)
		}
	}
}

// Under TLS 1.3 an upload's connection carries no ticket: a client that only
// writes would never read it, and lose the end of its file to a reset.
func TestNoTicketOnUploads(t *testing.T) {
	for _, resume := range []bool{false, true} {
		s := start(t, protocol.TLSExplicit, nil)
		control := newTickets()
		c := dial(t, s.addr).secure(&tls.Config{ClientSessionCache: control}).login()
		k := newTickets()
		if resume {
			k = control
		}
		before := k.count()
		d, raw := c.transferWith("STOR a", &tls.Config{ClientSessionCache: k, InsecureSkipVerify: true, ServerName: "localhost"})
		if got := d.ConnectionState().DidResume; got != resume {
			t.Errorf("resumed: %v, want %v", got, resume)
		}
		d.Write([]byte("x"))
		d.CloseWrite()
		if b, err := io.ReadAll(d); len(b) != 0 || err != nil {
			t.Errorf("read %q, %v from an upload's connection", b, err)
		}
		raw.Close()
		c.want(226)
		if n := k.count() - before; n != 0 {
			t.Errorf("%d tickets on an upload (resumed: %v), want none", n, resume)
		}
		before = k.count()
		d, _ = c.transferWith("RETR a", &tls.Config{ClientSessionCache: k, InsecureSkipVerify: true, ServerName: "localhost"})
		io.ReadAll(d)
		d.Close()
		c.want(226)
		if n := k.count() - before; n == 0 {
			t.Error("no ticket on a download")
		}
	}
}

func (c *client) transferWith(line string, cfg *tls.Config) (*tls.Conn, net.Conn) {
	c.t.Helper()
	raw := c.data()
	c.cmd(150, line)
	tc := tls.Client(raw, cfg)
	if err := tc.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	return tc, raw
}

// What was sent in clear text behind AUTH is not taken for the client's word under TLS.
func TestPlaintextBehindAuth(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr)
	c.send("AUTH TLS\r\nUSER joe")
	c.want(421)
	if _, err := c.in.ReadByte(); err != io.EOF {
		t.Errorf("read %v, want the end", err)
	}
}

// The same for an AUTH that was sent during a transfer, with something behind it or alone.
func TestAuthDuringTransfer(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr).login()
	d, _ := c.transfer("STOR a")
	c.send("AUTH TLS\r\nUSER joe\r\nNOOP")
	c.want(200) // NOOP does not wait: the lines before it have been read
	d.Close()
	c.want(226)
	c.want(421)
	if _, err := c.in.ReadByte(); err != io.EOF {
		t.Errorf("read %v, want the end", err)
	}

	c = dial(t, s.addr).login()
	d, _ = c.transfer("STOR a")
	c.send("NOOP")
	c.want(200)
	c.send("AUTH TLS")
	d.Close()
	c.want(226)
	c.want(234)
	tc := tls.Client(c.raw, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.conn, c.in = tc, bufio.NewReader(tc)
	c.login()
}

// The order of AUTH, PBSZ and PROT, and what TLS being required means.
func TestSecurityCommands(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	c := dial(t, s.addr)
	c.cmd(504, "AUTH KERBEROS_V4")
	c.cmd(503, "PBSZ 0")
	c.cmd(503, "PROT P")
	c.secure(nil)
	c.cmd(534, "AUTH TLS")
	c.cmd(501, "PBSZ x")
	c.cmd(536, "PROT S")
	c.cmd(504, "PROT X")
	c.login()
	c.cmd(200, "PROT C")
	c.tls = nil
	if code := c.put("a", []byte("x")); code != 226 {
		t.Errorf("STOR under PROT C: %d", code)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(protocol.Listener{Listener: l, TLS: protocol.TLSExplicit, RequireTLSControl: true, RequireTLSData: true})
	c = dial(t, l.Addr().String())
	c.cmd(530, "USER joe")
	c.secure(nil).login()
	c.cmd(534, "PROT C")

	l, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(protocol.Listener{Listener: l, TLS: protocol.TLSExplicit, RequireTLSData: true})
	c = dial(t, l.Addr().String()).login()
	c.cmd(521, "STOR a")
}

// Implicit TLS: the handshake comes before the greeting, and data connections are private.
func TestImplicit(t *testing.T) {
	s := start(t, protocol.TLSImplicit, nil)
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
	tc := tls.Client(raw, cfg)
	c := &client{t: t, raw: raw.(*net.TCPConn), conn: tc, in: bufio.NewReader(tc), tls: cfg}
	c.want(220)
	c.login()
	if code := c.put("a", []byte("secret")); code != 226 {
		t.Errorf("STOR: %d", code)
	}
	if b, code := c.get("RETR a"); code != 226 || !bytes.Equal(b, []byte("secret")) {
		t.Errorf("RETR: %q, %d", b, code)
	}
}
