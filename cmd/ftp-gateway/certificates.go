package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// certificates are the server's certificates, which can be read again while they are used.
type certificates struct {
	from   []config.Certificate
	loaded atomic.Pointer[[]tls.Certificate]
	hosts  []*certificates // of the virtual hosts, in their order; their own other fields are empty

	authorities map[config.Path]*atomic.Pointer[x509.CertPool] // for client certificates, by file
}

// newTLS reads the certificates of the document, and the authorities for those of clients; nil where it
// has no certificate.
func newTLS(cfg *config.Config) (*certificates, error) {
	if len(cfg.TLS.Certificates) == 0 {
		return nil, nil
	}
	certs := &certificates{from: cfg.TLS.Certificates, authorities: map[config.Path]*atomic.Pointer[x509.CertPool]{}}
	for _, h := range cfg.Hosts {
		certs.hosts = append(certs.hosts, &certificates{from: h.Certificates})
	}
	for _, l := range cfg.Listeners {
		if t := cfg.TLSOf(l); t.Mode != "none" && t.ClientAuth != "none" {
			certs.authorities[t.ClientCA] = new(atomic.Pointer[x509.CertPool])
		}
	}
	if err := certs.reload(); err != nil {
		return nil, err
	}
	return certs, nil
}

// listener gives a listener the TLS that the document says.
func (c *certificates) listener(l *protocol.Listener, t config.ListenerTLS) {
	if c == nil || t.Mode == "none" {
		return
	}
	// A MinVersion of its own takes TLS 1.0 and 1.1 without a GODEBUG setting.
	l.TLSConfig = &tls.Config{GetCertificate: c.choose, MinVersion: config.TLSVersion(t.Min)}
	switch {
	case len(t.Ciphers) > 0:
		for _, name := range t.Ciphers {
			if s, ok := config.CipherSuite(name); ok {
				l.TLSConfig.CipherSuites = append(l.TLSConfig.CipherSuites, s.ID)
			}
		}
	case l.TLSConfig.MinVersion < tls.VersionTLS12:
		// Devices of that age often know nothing but the RSA key exchange, which Go has
		// switched off by default.
		for _, s := range tls.CipherSuites() {
			l.TLSConfig.CipherSuites = append(l.TLSConfig.CipherSuites, s.ID)
		}
		l.TLSConfig.CipherSuites = append(l.TLSConfig.CipherSuites, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
	}
	switch t.ClientAuth {
	case "request":
		l.TLSConfig.ClientAuth = tls.VerifyClientCertIfGiven
	case "require":
		l.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
		l.RequireTLSControl = true // who can leave TLS out can leave the certificate out
	default:
		return
	}
	l.ClientCAs = c.authorities[t.ClientCA].Load
}

// reload reads all files again. If one of them is no good, everything stays as it was.
func (c *certificates) reload() error {
	all := append([]*certificates{c}, c.hosts...)
	lists := make([][]tls.Certificate, len(all))
	for i, one := range all {
		var err error
		if lists[i], err = one.read(); err != nil {
			return err
		}
	}
	pools := make(map[config.Path]*x509.CertPool, len(c.authorities))
	for file := range c.authorities {
		data, err := os.ReadFile(string(file))
		if err != nil {
			return fmt.Errorf("authorities for client certificates: %w", err)
		}
		pools[file] = x509.NewCertPool()
		if !pools[file].AppendCertsFromPEM(data) {
			return fmt.Errorf("authorities for client certificates: no PEM certificate in %s", file)
		}
	}
	for i, one := range all {
		one.loaded.Store(&lists[i])
	}
	for file, pool := range pools {
		c.authorities[file].Store(pool)
	}
	return nil
}

// read reads the files.
func (c *certificates) read() ([]tls.Certificate, error) {
	list := make([]tls.Certificate, 0, len(c.from))
	for _, f := range c.from {
		pair, err := tls.LoadX509KeyPair(string(f.Cert), string(f.KeyFile()))
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", f.Cert, err)
		}
		list = append(list, pair)
	}
	return list, nil
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
