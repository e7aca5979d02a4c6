package protocol_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// listenTLS adds a listener with a TLS configuration of its own.
func (s *server) listenTLS(mode protocol.TLSMode, change func(*tls.Config)) string {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: s.TLSConfig.Certificates}
	change(cfg)
	go s.Serve(protocol.Listener{Listener: l, TLS: mode, TLSConfig: cfg})
	return l.Addr().String()
}

// Each listener has versions and ciphers of its own, on control and data connections; what a client would
// have needed is in the log.
func TestTLSByListener(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	old := s.listenTLS(protocol.TLSExplicit, func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 })
	only := s.listenTLS(protocol.TLSExplicit, func(c *tls.Config) {
		c.MinVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	})
	newest := s.listenTLS(protocol.TLSExplicit, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })

	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		c := dial(t, old).secure(&tls.Config{MinVersion: v, MaxVersion: v, ClientSessionCache: newTickets()}).login()
		d, _ := c.transfer("STOR a")
		if got := d.(*tls.Conn).ConnectionState(); got.Version != v || !got.DidResume {
			t.Errorf("data connection has %s, resumed %v, want %s, resumed", tls.VersionName(got.Version), got.DidResume, tls.VersionName(v))
		}
		d.Write([]byte("x"))
		d.Close()
		c.want(226)
	}
	refused := func(addr string, cfg *tls.Config) {
		t.Helper()
		cfg.InsecureSkipVerify = true
		c := dial(t, addr)
		c.cmd(234, "AUTH TLS")
		c.raw.SetDeadline(time.Now().Add(time.Minute))
		if err := tls.Client(c.raw, cfg).Handshake(); err == nil {
			t.Errorf("%+v: the handshake succeeded", cfg)
		}
		io.Copy(io.Discard, c.raw)
	}
	refused(s.addr, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	refused(newest, &tls.Config{MaxVersion: tls.VersionTLS12})
	refused(only, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}})
	c := dial(t, only).secure(&tls.Config{MaxVersion: tls.VersionTLS12}).login()
	if got := c.conn.(*tls.Conn).ConnectionState().CipherSuite; got != tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 {
		t.Errorf("cipher %s", tls.CipherSuiteName(got))
	}
	s.waitLog("the client offers at most TLS 1.1: a listener with a lower tls.min would take it",
		"the client offers at most TLS 1.2", "TLS 1.2 with TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: name one of them in tls.ciphers")
}

// A data connection whose client cannot agree on TLS, speaks none, or says nothing, is a 425, and the session goes on.
func TestDataHandshakeFails(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) { s.ConnectTimeout = 500 * time.Millisecond })
	c := dial(t, s.addr).secure(nil).login()
	for name, step := range map[string]func(net.Conn){
		"clear text": func(d net.Conn) { io.WriteString(d, "this is no TLS at all\r\n") },
		"nothing":    func(net.Conn) {},
		"the end":    func(d net.Conn) { d.(*net.TCPConn).CloseWrite() },
		"old": func(d net.Conn) {
			tls.Client(d, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}).Handshake()
		},
		"distrust": func(d net.Conn) { tls.Client(d, &tls.Config{ServerName: "elsewhere"}).Handshake() },
	} {
		d := c.data()
		c.cmd(150, "STOR a")
		step(d)
		if code, text, err := c.reply(); code != 425 && code != 426 || err != nil {
			t.Errorf("%s: reply %d %q, %v, want 425", name, code, text, err)
		}
		d.Close()
	}
	if code := c.put("a", []byte("x")); code != 226 {
		t.Errorf("afterwards: %d", code)
	}
	s.waitLog("first record does not look like a TLS handshake", "the client offers at most TLS 1.0", "remote error: tls: ")
}

// A client that asks for TLS and then says nothing, or half of it, is gone after the time a connection may take.
func TestHalfOpenTLS(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) { s.ConnectTimeout = 200 * time.Millisecond })
	implicit := s.listenTLS(protocol.TLSImplicit, func(*tls.Config) {})
	for name, open := range map[string]func() net.Conn{
		"explicit": func() net.Conn {
			c := dial(t, s.addr)
			c.cmd(234, "AUTH TLS")
			return c.raw
		},
		"half a record": func() net.Conn {
			c := dial(t, s.addr)
			c.cmd(234, "AUTH TLS")
			c.raw.Write([]byte{22, 3, 1, 2, 0, 1})
			return c.raw
		},
		"implicit": func() net.Conn {
			c, err := net.Dial("tcp", implicit)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
	} {
		c := open()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("%s: %v, want the end", name, err)
		}
		c.Close()
	}
}

// AUTH SSL and TLS-P imply private data connections, TLS and TLS-C do not, in any case of letters.
func TestAuthMechanisms(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	for mech, private := range map[string]bool{"TLS": false, "tls-c": false, "SSL": true, "Tls-P": true} {
		c := dial(t, s.addr)
		c.cmd(234, "AUTH "+mech)
		cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
		tc := tls.Client(c.raw, cfg)
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		c.over(tc)
		c.cmd(503, "PROT P") // PBSZ comes first
		c.login()
		if private {
			c.tls = cfg
		}
		if code := c.put("a", []byte("x")); code != 226 {
			t.Errorf("AUTH %s: STOR %d", mech, code)
		}
	}
}

// An implicit listener has no AUTH and needs no PBSZ; PROT C goes back to clear text where that is allowed.
func TestImplicitCommands(t *testing.T) {
	s := start(t, protocol.TLSExplicit, nil)
	addr := s.listenTLS(protocol.TLSImplicit, func(*tls.Config) {})
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, raw: raw.(*net.TCPConn)}
	c.over(tls.Client(raw, &tls.Config{InsecureSkipVerify: true}))
	c.want(220)
	c.cmd(534, "AUTH TLS")
	c.cmd(200, "PROT C")
	c.login()
	if code := c.put("a", []byte("x")); code != 226 {
		t.Errorf("STOR: %d", code)
	}
}
