package integration

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// TestHosts comes to one address under several names: by HOST, and by the name in the TLS handshake.
func TestHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localKind)
	other, err := servers.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(w.dir, "disk")
	if err := os.Mkdir(filepath.Join(disk, "press"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(disk, "press", "news.txt"), []byte("news")); err != nil {
		t.Fatal(err)
	}
	g := withUsers(t, w, []string{"name: editor, …"},
		"anonymous: {home: \"store:/\"}",
		"hosts:",
		"  - names: [press.example.com]",
		"    banner: The press.",
		fmt.Sprintf("    certificates: [{cert: %q, key: %q}]", other.Cert, other.Key),
		"    profile: plc",
		"    users: [editor]",
		"    anonymous: {home: \"store:/press\"}",
		"  - {names: [cams.example.com], users: ["+user+"]}")
	fresh := func() *clients.Conn {
		c, err := clients.Dial(t.Context(), g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}

	c := fresh()
	if r := say(t, c, "FEAT", 211); !strings.Contains(r.Text, " HOST\r\n") {
		t.Errorf("FEAT does not tell HOST:\n%s", r.Text)
	}
	say(t, c, "HOST nobody.example.com", 504)
	say(t, c, "HOST press.example.com:21", 501)
	if r := say(t, c, "HOST Press.Example.com", 220); r.Text != "220 The press.\r\n" {
		t.Errorf("HOST is answered with %q", r.Text)
	}
	// Who belongs to another host is nobody here.
	say(t, c, "USER "+user, 331)
	say(t, c, "PASS "+password, 530)
	say(t, c, "USER editor", 331)
	say(t, c, "HOST cams.example.com", 503)
	say(t, c, "PASS "+password, 230)
	say(t, c, "EPSV", 502) // the host's profile
	say(t, c, "REIN", 220)
	say(t, c, "HOST press.example.com", 220)
	say(t, c, "USER anonymous", 331)
	say(t, c, "PASS x", 230)
	if got := receive(t, c, passive(t, c, "RETR news.txt")); got != "news" {
		t.Errorf("the anonymous home of the host holds %q", got)
	}

	// No anonymous logins where the list of users has none.
	c = fresh()
	say(t, c, "HOST cams.example.com", 220)
	say(t, c, "USER anonymous", 331)
	say(t, c, "PASS x", 530)

	// The name in the handshake chooses certificate and host, and HOST cannot contradict it.
	handshake := func(c *clients.Conn, ca, sni string) *tls.Config {
		t.Helper()
		cfg, err := clients.TLSConfig(ca)
		if err != nil {
			t.Fatal(err)
		}
		// The test's certificates are all for localhost: who has signed tells them apart.
		roots := cfg.RootCAs
		cfg.ServerName, cfg.InsecureSkipVerify = sni, true
		cfg.VerifyConnection = func(s tls.ConnectionState) error {
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots})
			return err
		}
		if err := c.StartTLS(t.Context(), cfg); err != nil {
			t.Fatalf("handshake for %q: %v", sni, err)
		}
		return cfg
	}
	c = fresh()
	handshake(c, other.CA, "press.example.com")
	say(t, c, "HOST cams.example.com", 504)
	if r := say(t, c, "HOST press.example.com", 220); r.Text != "220 The press.\r\n" {
		t.Errorf("HOST is answered with %q", r.Text)
	}
	c = fresh()
	cfg := handshake(c, other.CA, "press.example.com")
	say(t, c, "USER "+user, 331)
	say(t, c, "PASS "+password, 530)
	say(t, c, "USER editor", 331)
	say(t, c, "PASS "+password, 230)
	send(t, c, tls.Client(passive(t, c, "STOR by-sni.txt"), cfg), "by name", 226)
	w.wantObject(t, "by-sni.txt", []byte("by name"))

	// HOST before AUTH chooses the certificate for a client that sends no name.
	c = fresh()
	say(t, c, "HOST press.example.com", 220)
	handshake(c, other.CA, "")
	c = fresh()
	handshake(c, w.certs.CA, "")
	say(t, c, "USER "+user, 331)
	say(t, c, "PASS "+password, 230)
}
