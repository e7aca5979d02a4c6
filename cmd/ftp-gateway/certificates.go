package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// certificates are the server's certificates, which can be read again while they are used.
type certificates struct {
	from   []config.Certificate
	loaded atomic.Pointer[[]tls.Certificate]
}

// newTLS returns the TLS configuration of the document and its certificates;
// both are nil where it has none.
func newTLS(c config.TLS) (*tls.Config, *certificates, error) {
	if len(c.Certificates) == 0 {
		return nil, nil, nil
	}
	certs := &certificates{from: c.Certificates}
	if err := certs.reload(); err != nil {
		return nil, nil, err
	}
	t := &tls.Config{GetCertificate: certs.choose, MinVersion: tls.VersionTLS12}
	switch c.Min {
	case "1.0":
		t.MinVersion = tls.VersionTLS10
	case "1.1":
		t.MinVersion = tls.VersionTLS11
	case "1.3":
		t.MinVersion = tls.VersionTLS13
	}
	if t.MinVersion < tls.VersionTLS12 {
		// Devices of that age often know nothing but the RSA key exchange, which Go has
		// switched off by default.
		for _, s := range tls.CipherSuites() {
			t.CipherSuites = append(t.CipherSuites, s.ID)
		}
		t.CipherSuites = append(t.CipherSuites, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
	}
	return t, certs, nil
}

// reload reads all files again. If one of them is no good, everything stays as it was.
func (c *certificates) reload() error {
	list := make([]tls.Certificate, 0, len(c.from))
	for _, f := range c.from {
		pair, err := tls.LoadX509KeyPair(string(f.Cert), string(f.KeyFile()))
		if err != nil {
			return fmt.Errorf("certificate %s: %w", f.Cert, err)
		}
		list = append(list, pair)
	}
	c.loaded.Store(&list)
	return nil
}

// choose returns the first certificate that fits the name and the abilities of
// the client, else the first: clients that come by address send no name.
func (c *certificates) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	list := *c.loaded.Load()
	if len(list) == 0 {
		return nil, errors.New("no certificate")
	}
	for i := range list {
		if hello.SupportsCertificate(&list[i]) == nil {
			return &list[i], nil
		}
	}
	return &list[0], nil
}
