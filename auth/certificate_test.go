package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
)

func newCertificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name + ".example.com"},
		EmailAddresses: []string{name + "@example.com"}, URIs: []*url.URL{{Scheme: "urn", Opaque: "device:" + name}}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shown is a TLS connection whose client has shown c, verified or not.
func shown(c *x509.Certificate, verified bool) *tls.ConnectionState {
	st := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
	if verified {
		st.VerifiedChains = [][]*x509.Certificate{{c}}
	}
	return st
}

func TestCertificateMatches(t *testing.T) {
	cert, other := newCertificate(t, "cam7"), newCertificate(t, "cam8")
	sum := sha256.Sum256(cert.Raw)
	digits := hex.EncodeToString(sum[:])
	var colons []string
	for i := 0; i < len(digits); i += 2 {
		colons = append(colons, strings.ToUpper(digits[i:i+2]))
	}
	for _, s := range []string{"cam7", "cam7.example.com", "CAM7.Example.com", "cam7@example.com", "urn:device:cam7",
		"sha256:" + digits, "sha256: " + strings.Join(colons, ":")} {
		c, err := ParseCertificate(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if !c.Matches(cert) || c.Matches(other) || c.Matches(nil) {
			t.Errorf("%q: matches its certificate %v, another %v, none %v", s, c.Matches(cert), c.Matches(other), c.Matches(nil))
		}
	}
	for _, s := range []string{"", " ", "sha256:", "sha256:abcd", "sha256:" + strings.Repeat("g", 64), "sha256:" + digits + "00"} {
		if _, err := ParseCertificate(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	c, _ := ParseCertificate("CAM7")
	if c.Matches(cert) {
		t.Error("common names are not compared without case")
	}
	if (Certificate{}).Matches(cert) || !(Certificate{}).IsZero() {
		t.Error("no certificate matches one")
	}
	nameless := *cert
	nameless.Subject.CommonName = ""
	if (Certificate{}).Matches(&nameless) {
		t.Error("no certificate matches one without a name")
	}
}

// A certificate is a second factor where there is a password, and enough where there is none.
func TestUsersWithCertificates(t *testing.T) {
	cert, other := newCertificate(t, "cam7"), newCertificate(t, "cam8")
	is, err := ParseCertificate("cam7")
	if err != nil {
		t.Fatal(err)
	}
	var both, plain int
	u, err := NewUsers([]User{
		{Name: "both", Password: counting("right", &both), Certificate: is},
		{Name: "alone", Certificate: is, Account: Account{Mounts: map[string]string{"/a": "b:/"}}},
		{Name: "plain", Password: counting("right", &plain)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		user, password string
		tls            *tls.ConnectionState
		password331    error // of a login with the password
		alone          error // of one without
	}{
		{"both", "right", shown(cert, true), nil, ErrUnknownUser},
		{"both", "right", shown(cert, false), ErrDenied, ErrUnknownUser},
		{"both", "right", shown(other, true), ErrDenied, ErrUnknownUser},
		{"both", "right", nil, ErrDenied, ErrUnknownUser},
		{"both", "wrong", shown(cert, true), ErrDenied, ErrUnknownUser},
		{"alone", "whatever", shown(cert, true), nil, nil},
		{"alone", "", shown(cert, true), nil, nil},
		{"alone", "right", shown(cert, false), ErrDenied, ErrUnknownUser},
		{"alone", "right", shown(other, true), ErrDenied, ErrUnknownUser},
		{"alone", "right", nil, ErrDenied, ErrUnknownUser},
		{"plain", "right", shown(cert, true), nil, ErrUnknownUser},
		{"plain", "wrong", shown(cert, true), ErrDenied, ErrUnknownUser},
		{"nobody", "right", shown(cert, true), ErrUnknownUser, ErrUnknownUser},
	} {
		r := Request{User: tt.user, Password: tt.password, TLS: tt.tls}
		before := both + plain
		if a, err := u.Authenticate(t.Context(), r); !errors.Is(err, tt.password331) || err == nil && a.Name != tt.user {
			t.Errorf("%+v: %v, %v, want %v", r, a, err, tt.password331)
		} else if tt.user == "alone" && err != nil && both+plain == before {
			t.Errorf("%+v: no password was checked, which the time would tell", r)
		}
		chain := Chain{&Anonymous{}, u}
		if a, err := ByCertificate(t.Context(), chain, r); !errors.Is(err, tt.alone) || err == nil && a.Name != tt.user {
			t.Errorf("%+v without a password: %v, %v, want %v", r, a, err, tt.alone)
		}
	}
	if _, err := ByCertificate(t.Context(), &Anonymous{}, Request{User: "ftp"}); !errors.Is(err, ErrUnknownUser) {
		t.Errorf("an authenticator that knows no certificates: %v", err)
	}
}
