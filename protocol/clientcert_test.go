package protocol_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// authority signs client certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, next: 1}
	c := a.sign("authority", true)
	var err error
	if a.cert, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
		t.Fatal(err)
	}
	a.key = c.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) client(name string) tls.Certificate { return a.sign(name, false) }

func (a *authority) sign(name string, ca bool) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.next++
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, IsCA: ca, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// certificateUsers are joe with password and certificate, and cert with the certificate alone.
func certificateUsers(t *testing.T) auth.Authenticator {
	t.Helper()
	joe, err1 := auth.ParseCertificate("joe")
	cert, err2 := auth.ParseCertificate("cert")
	password, err3 := auth.ParsePassword("plain:secret")
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	all := auth.Account{Permissions: auth.Permissions{Base: auth.PermAll}}
	u, err := auth.NewUsers([]auth.User{{Name: "joe", Password: password, Certificate: joe, Account: all}, {Name: "cert", Certificate: cert, Account: all}})
	if err != nil {
		t.Fatal(err)
	}
	return auth.Chain{u}
}

// startClientAuth starts a server that asks for client certificates.
func startClientAuth(t *testing.T, a *authority, ask tls.ClientAuthType, change func(*server)) *server {
	return start(t, protocol.TLSExplicit, func(s *server) {
		s.Auth = certificateUsers(t)
		s.TLSConfig.ClientAuth, s.TLSConfig.ClientCAs = ask, a.pool()
		if change != nil {
			change(s)
		}
	})
}

// A certificate logs in alone with 232, or together with a password; and only over the connection that showed it.
func TestClientCertificates(t *testing.T) {
	a := newAuthority(t)
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			s := startClientAuth(t, a, tls.VerifyClientCertIfGiven, nil)
			with := func(c ...tls.Certificate) *tls.Config {
				return &tls.Config{Certificates: c, MinVersion: version, MaxVersion: version}
			}

			c := dial(t, s.addr).secure(with(a.client("cert")))
			c.cmd(232, "USER cert")
			c.cmd(202, "PASS whatever") // from a client that does not look
			c.cmd(200, "TYPE I")
			if code := c.put("a", []byte("x")); code != 226 {
				t.Errorf("STOR: %d", code)
			}
			if b, code := c.get("RETR a"); code != 226 || string(b) != "x" {
				t.Errorf("RETR: %q, %d", b, code)
			}
			c.cmd(220, "REIN")
			c.cmd(331, "USER joe") // the certificate is not joe's
			c.cmd(530, "PASS secret")
			c.cmd(331, "USER nobody")
			c.cmd(530, "PASS secret")
			c.cmd(232, "USER cert")
			c.cmd(221, "QUIT")

			c = dial(t, s.addr).secure(with(a.client("joe")))
			c.cmd(331, "USER joe")
			c.cmd(530, "PASS wrong")
			c.cmd(331, "USER cert")
			c.cmd(530, "PASS secret")
			c.login()

			c = dial(t, s.addr).secure(with())
			c.cmd(331, "USER cert")
			c.cmd(530, "PASS secret")
			c.cmd(331, "USER joe")
			c.cmd(530, "PASS secret")

			c = dial(t, s.addr)
			c.cmd(331, "USER cert")
			c.cmd(530, "PASS secret")
			c.cmd(331, "USER joe")
			c.cmd(530, "PASS secret")
		})
	}
}

// Who has shown a certificate on the control connection shows the same on data connections, or resumes.
func TestClientCertificateOnDataConnections(t *testing.T) {
	a := newAuthority(t)
	s := startClientAuth(t, a, tls.VerifyClientCertIfGiven, nil)
	mine := a.client("joe")
	cache := newTickets()
	c := dial(t, s.addr).secure(&tls.Config{Certificates: []tls.Certificate{mine}, ClientSessionCache: cache}).login()
	for name, tt := range map[string]struct {
		cfg  *tls.Config
		want int
	}{
		"the same":             {&tls.Config{Certificates: []tls.Certificate{mine}}, 226},
		"none":                 {&tls.Config{}, 522},
		"another of that name": {&tls.Config{Certificates: []tls.Certificate{a.client("joe")}}, 522},
		"none, but resumed":    {&tls.Config{ClientSessionCache: cache}, 226},
	} {
		raw := c.data()
		c.cmd(150, "STOR a")
		tt.cfg.InsecureSkipVerify, tt.cfg.ServerName = true, "localhost"
		tc := tls.Client(raw, tt.cfg)
		if err := tc.Handshake(); err != nil && tt.want == 226 {
			t.Errorf("%s: %v", name, err)
		}
		tc.Write([]byte("x"))
		tc.Close()
		if code, text, err := c.reply(); code != tt.want || err != nil {
			t.Errorf("%s: reply %d %q, %v, want %d", name, code, text, err, tt.want)
		}
	}
}

// Where certificates are required nobody comes in without one that is trusted, on either connection; the log has
// the reason, also the client's own.
func TestClientCertificateRequired(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	s := startClientAuth(t, a, tls.RequireAndVerifyClientCert, nil)
	refused := func(cfg *tls.Config) {
		t.Helper()
		cfg.InsecureSkipVerify = true
		c := dial(t, s.addr)
		c.cmd(234, "AUTH TLS")
		tc := tls.Client(c.raw, cfg)
		tc.SetDeadline(time.Now().Add(time.Minute))
		err := tc.Handshake()
		if err == nil {
			_, err = tc.Read(make([]byte, 1)) // TLS 1.3 tells the client behind its handshake
		}
		if err == nil {
			t.Error("the handshake succeeded")
		}
		io.Copy(io.Discard, c.raw)
	}
	refused(&tls.Config{})
	refused(&tls.Config{Certificates: []tls.Certificate{stranger.client("joe")}})
	dial(t, s.addr).secure(&tls.Config{Certificates: []tls.Certificate{a.client("joe")}}).login()

	c := dial(t, s.addr)
	c.cmd(234, "AUTH TLS")
	tc := tls.Client(c.raw, &tls.Config{ServerName: "elsewhere"}) // a client that does not trust the server
	if err := tc.Handshake(); err == nil {
		t.Error("the client trusts a stranger")
	}
	io.Copy(io.Discard, c.raw)
	s.waitLog("client didn't provide a certificate", "certificate signed by unknown authority", "remote error: tls: ")
}

// waitLog waits until the log has all of the texts.
func (s *server) waitLog(texts ...string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		log := s.log.String()
		missing := ""
		for _, text := range texts {
			if !strings.Contains(log, text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the log does not have %q", missing)
		}
	}
}

// Whom to trust can change while the server runs.
func TestClientCAsChange(t *testing.T) {
	one, two := newAuthority(t), newAuthority(t)
	var now atomic.Pointer[x509.CertPool]
	now.Store(one.pool())
	s := start(t, protocol.TLSExplicit, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.TLSConfig.Clone()
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	go s.Serve(protocol.Listener{Listener: l, TLS: protocol.TLSExplicit, TLSConfig: cfg, ClientCAs: now.Load})
	for _, a := range []*authority{one, two} {
		now.Store(a.pool())
		dial(t, l.Addr().String()).secure(&tls.Config{Certificates: []tls.Certificate{a.client("joe")}}).login()
	}
	dial(t, s.addr).secure(nil).login() // the other listener asks for none
}

// An authenticator that cannot tell about a certificate leaves the password.
type brokenCertificates struct{ anybody }

func (brokenCertificates) AuthenticateCertificate(context.Context, auth.Request) (*auth.Account, error) {
	return nil, io.ErrUnexpectedEOF
}

func TestCertificateAuthenticatorDown(t *testing.T) {
	a := newAuthority(t)
	s := startClientAuth(t, a, tls.VerifyClientCertIfGiven, func(s *server) { s.Auth = brokenCertificates{} })
	dial(t, s.addr).secure(&tls.Config{Certificates: []tls.Certificate{a.client("joe")}}).login()
	s.waitLog("no answer about a certificate")
}

// A home that is missing refuses a login by certificate like any.
func TestCertificateLoginWithoutHome(t *testing.T) {
	a := newAuthority(t)
	s := startClientAuth(t, a, tls.VerifyClientCertIfGiven, func(s *server) {
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) { return nil, afero.ErrFileNotFound }
	})
	c := dial(t, s.addr).secure(&tls.Config{Certificates: []tls.Certificate{a.client("cert")}})
	c.cmd(530, "USER cert")
	c.cmd(503, "PASS x")
}
