package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
)

// TLSOf returns what a listener asks of TLS, with what it does not say itself taken from the key tls.
func (c *Config) TLSOf(l Listener) ListenerTLS {
	t := l.TLS
	t.Mode = c.TLSMode(l)
	profile, _ := c.Profile(l.Profile)
	t.Min = cmp.Or(t.Min, profile.TLSMin, c.TLS.Min)
	if t.Ciphers == nil {
		t.Ciphers = c.TLS.Ciphers
	}
	t.ClientAuth = cmp.Or(t.ClientAuth, c.TLS.ClientAuth, "none")
	t.ClientCA = cmp.Or(t.ClientCA, c.TLS.ClientCA)
	return t
}

// TLSVersion returns the number of a version such as "1.2", as crypto/tls has it; empty means 1.2.
func TLSVersion(s string) uint16 {
	switch s {
	case "1.0":
		return tls.VersionTLS10
	case "1.1":
		return tls.VersionTLS11
	case "1.3":
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// CipherSuite finds a cipher suite of TLS 1.2 or older by its IANA name.
func CipherSuite(name string) (s *tls.CipherSuite, ok bool) {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if s.Name == name && slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			return s, true
		}
	}
	return nil, false
}

// asksForCertificates reports whether any listener asks for client certificates.
func (k *checker) asksForCertificates() bool {
	return slices.ContainsFunc(k.c.Listeners, func(l Listener) bool {
		t := k.c.TLSOf(l)
		return t.Mode != "none" && t.ClientAuth != "none"
	})
}

// listenerTLS checks what a listener says of TLS itself, and that together with the common keys it makes sense.
func (k *checker) listenerTLS(at string, l Listener) {
	k.oldTLS(at+".min", l.TLS.Min)
	k.ciphers(at+".ciphers", l.TLS.Ciphers)
	k.clientCA(at+".client_ca", l.TLS.ClientCA)
	t := k.c.TLSOf(l)
	if t.ClientAuth != "none" && t.ClientCA == "" {
		k.errorf(at+".client_auth", "whom to trust", "client certificates need client_ca, here or below tls")
	}
	if t.Min == "1.3" && len(l.TLS.Ciphers) > 0 {
		k.warnf(at+".ciphers", "", "nothing but TLS 1.3 is accepted, whose ciphers cannot be chosen")
	}
}

func (k *checker) oldTLS(at, version string) {
	if version == "1.0" || version == "1.1" {
		k.warnf(at, "only for devices that know nothing newer", "TLS below 1.2 is broken by today's standards")
	}
}

func (k *checker) ciphers(at string, names []string) {
	var known []string
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		known = append(known, s.Name)
	}
	for _, name := range names {
		s, ok := CipherSuite(name)
		switch {
		case ok && s.Insecure:
			k.warnf(at, "only for devices that know nothing newer", "%s is weak", name)
		case ok:
		case slices.Contains(known, name):
			k.errorf(at, "TLS 1.3 is always offered with all of its own", "%s is of TLS 1.3, whose ciphers cannot be chosen", name)
		default:
			hint := "IANA names such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
			if best := nearest(strings.ToUpper(name), known); best != "" {
				hint = fmt.Sprintf("did you mean %q?", best)
			}
			k.errorf(at, hint, "%q is no cipher that is known here", name)
		}
	}
}

func (k *checker) clientCA(at string, file Path) {
	if file == "" {
		return
	}
	data, err := os.ReadFile(string(file))
	if err != nil {
		k.errorf(at, "", "%s: %s", file, pathless(err))
	} else if !x509.NewCertPool().AppendCertsFromPEM(data) {
		k.errorf(at, "", "%s holds no PEM certificate", file)
	}
}

// keyName is how problems name a key: the option of the command line where the configuration came from there.
func (k *checker) keyName(path, name string) string {
	if f := k.c.KeyName; f != nil {
		return f(path)
	}
	return name
}
