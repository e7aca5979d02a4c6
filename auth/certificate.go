package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Certificate says which client certificate is a user's. The zero value is none.
type Certificate struct {
	sum  []byte // SHA-256 of the whole certificate
	name string
}

// fingerprintPrefix marks a Certificate that is a digest.
const fingerprintPrefix = "sha256:"

// ParseCertificate reads which certificate is a user's: "sha256:" and the fingerprint in hexadecimal digits, with or without
// colons, as "openssl x509 -fingerprint -sha256" prints it; anything else is a name, which has to be
// the certificate's common name or one of its alternative names (DNS, e-mail, URI).
func ParseCertificate(s string) (Certificate, error) {
	s = strings.TrimSpace(s)
	digits, ok := strings.CutPrefix(s, fingerprintPrefix)
	if !ok {
		if s == "" {
			return Certificate{}, errors.New("auth: empty name of a certificate")
		}
		return Certificate{name: s}, nil
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(digits), ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return Certificate{}, fmt.Errorf("auth: %q is no SHA-256 fingerprint: %d hexadecimal digits are needed", s, 2*sha256.Size)
	}
	return Certificate{sum: sum}, nil
}

// IsZero reports whether c is no certificate.
func (c Certificate) IsZero() bool { return c.sum == nil && c.name == "" }

// Matches reports whether cert is the one that is meant. It does not verify it: see [ClientCertificate].
func (c Certificate) Matches(cert *x509.Certificate) bool {
	switch {
	case cert == nil || c.IsZero():
		return false
	case c.sum != nil:
		sum := sha256.Sum256(cert.Raw)
		return subtle.ConstantTimeCompare(sum[:], c.sum) == 1
	}
	return cert.Subject.CommonName == c.name || slices.Contains(cert.EmailAddresses, c.name) ||
		slices.ContainsFunc(cert.DNSNames, func(n string) bool { return strings.EqualFold(n, c.name) }) ||
		slices.ContainsFunc(cert.URIs, func(u *url.URL) bool { return u.String() == c.name })
}

// ClientCertificate returns the certificate that the client of a connection has shown and that was
// verified, or nil.
func ClientCertificate(st *tls.ConnectionState) *x509.Certificate {
	if st == nil || len(st.VerifiedChains) == 0 || len(st.PeerCertificates) == 0 {
		return nil
	}
	return st.PeerCertificates[0]
}

// CertificateAuthenticator is an [Authenticator] that knows users for whom a
// certificate is enough.
type CertificateAuthenticator interface {
	Authenticator
	// AuthenticateCertificate is Authenticate without a password. [ErrUnknownUser] means that a password is needed.
	AuthenticateCertificate(ctx context.Context, r Request) (*Account, error)
}

// ByCertificate asks a for a login without a password; ErrUnknownUser where a does not know such logins.
func ByCertificate(ctx context.Context, a Authenticator, r Request) (*Account, error) {
	if c, ok := a.(CertificateAuthenticator); ok {
		return c.AuthenticateCertificate(ctx, r)
	}
	return nil, ErrUnknownUser
}

// AuthenticateCertificate implements [CertificateAuthenticator]: of the first authenticator that knows
// the user by certificate.
func (c Chain) AuthenticateCertificate(ctx context.Context, r Request) (*Account, error) {
	for _, a := range c {
		acc, err := ByCertificate(ctx, a, r)
		if errors.Is(err, ErrUnknownUser) {
			continue
		}
		return acc, err
	}
	return nil, ErrUnknownUser
}

// AuthenticateCertificate implements [CertificateAuthenticator] for users that have a
// certificate and no password.
func (u *Users) AuthenticateCertificate(_ context.Context, r Request) (*Account, error) {
	e := u.byName[r.User]
	if e == nil || !e.Password.IsZero() || !e.Certificate.Matches(ClientCertificate(r.TLS)) {
		return nil, ErrUnknownUser
	}
	return e.account(), nil
}
