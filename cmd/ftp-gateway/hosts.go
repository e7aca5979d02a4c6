package main

import (
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// newHosts makes the virtual hosts of a configuration that has passed the checks. Certs is nil without TLS.
func newHosts(cfg *config.Config, l *logins, certs *certificates, p profiles) []protocol.Host {
	var all []protocol.Host
	for i, h := range cfg.Hosts {
		host := protocol.Host{Names: h.Names, Banner: h.Banner, Profile: p.byName(h.Profile), Auth: l.hosts[i]}
		if certs != nil && len(h.Certificates) > 0 {
			host.GetCertificate = certs.hosts[i].choose
		}
		all = append(all, host)
	}
	return all
}
