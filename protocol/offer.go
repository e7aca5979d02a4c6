package protocol

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// offer is what a client can do, as its ClientHello says. When a handshake fails over it, the log
// tells the operator which setting the device would need.
type offer struct {
	versions, ciphers []uint16
}

// record is a step of tls.Config.GetConfigForClient.
func (o *offer) record(h *tls.ClientHelloInfo) {
	o.versions, o.ciphers = slices.Clone(h.SupportedVersions), slices.Clone(h.CipherSuites)
}

// maxCiphers bounds what the log tells of a ClientHello.
const maxCiphers = 16

// mismatch says why the offer does not fit a configuration, with what to do about it; "" where it
// fits, or where there has been none.
func (o *offer) mismatch(c *tls.Config) string {
	if len(o.versions) == 0 {
		return ""
	}
	least := c.MinVersion
	if least == 0 {
		least = tls.VersionTLS12 // crypto/tls's default
	}
	newest, oldest := slices.Max(o.versions), slices.Min(o.versions)
	switch {
	case newest < least:
		return fmt.Sprintf("the client offers at most %s: a listener with a lower tls.min would take it", tls.VersionName(newest))
	case c.MaxVersion != 0 && oldest > c.MaxVersion:
		return fmt.Sprintf("the client offers at least %s", tls.VersionName(oldest))
	case newest >= tls.VersionTLS13:
		return ""
	}
	known := func(id uint16) bool {
		if c.CipherSuites != nil {
			return slices.Contains(c.CipherSuites, id)
		}
		return slices.ContainsFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == id })
	}
	if slices.ContainsFunc(o.ciphers, known) {
		return ""
	}
	var names []string
	for _, id := range o.ciphers[:min(len(o.ciphers), maxCiphers)] {
		names = append(names, tls.CipherSuiteName(id))
	}
	return fmt.Sprintf("the client offers %s with %s: name one of them in tls.ciphers of a listener", tls.VersionName(newest), strings.Join(names, ", "))
}

// handshakeError is why a handshake failed, in words for the log.
func (o *offer) handshakeError(err error, c *tls.Config) error {
	if why := o.mismatch(c); why != "" {
		return fmt.Errorf("%w (%s)", err, why)
	}
	return err
}
