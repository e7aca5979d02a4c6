package protocol

import (
	"crypto/tls"
	"net/netip"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// Host is a virtual host: what is different for clients that came to the server by
// one of its names. A client says the name in HOST (RFC 7151) or in the TLS handshake (server name
// indication). What is left out is as without a host.
type Host struct {
	// Names are DNS names, or IP addresses without brackets, as clients say them in HOST. Upper and lower case are the same. Who only
	// connects to one of the addresses has named no host.
	Names []string
	// Banner is the text of the greeting, several lines possible.
	Banner string
	// Profile is that of its sessions, unless the account has its own.
	Profile *Profile
	// Auth checks the logins.
	Auth auth.Authenticator
	// GetCertificate chooses the certificate, as in tls.Config.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// hostsByName is the index of Server.Hosts.
func (s *Server) hostsByName() map[string]*Host {
	all := make(map[string]*Host)
	for i := range s.Hosts {
		for _, n := range s.Hosts[i].Names {
			all[foldName(n)] = &s.Hosts[i]
		}
	}
	return all
}

// foldName makes spellings of one host name or address equal.
func foldName(name string) string {
	if a, err := netip.ParseAddr(name); err == nil {
		return a.String()
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// cmdHOST chooses a virtual host before the login, RFC 7151 section 3. A server without virtual hosts is what
// it is under every name.
//
// What the client has said in the TLS handshake cannot be changed behind it: the certificate that it has
// checked is that host's.
func (s *session) cmdHOST(arg string) {
	if s.account != nil || s.userSent {
		s.reply(503, "HOST comes before the login")
		return
	}
	name, ok := parseHost(strings.TrimSpace(arg))
	if !ok {
		s.reply(501, "A host name is needed, or an address; IPv6 addresses stand in brackets")
		return
	}
	h := s.srv.hosts[name]
	switch {
	case s.sni != "" && name != s.sni && (h == nil || h != s.srv.hosts[s.sni]):
		s.reply(504, "Another host was named in the TLS handshake")
	case h == nil && len(s.srv.hosts) > 0 && name != s.local.Addr().String():
		s.reply(504, "Unknown host")
	default:
		s.host = h
		s.adopt()
		s.introduce()
		s.send(220, s.banner())
	}
}

// parseHost reads the argument of HOST: a domain, an IPv4 address, or an IPv6 address in brackets. There is
// no port in it.
func parseHost(arg string) (string, bool) {
	if inner, ok := strings.CutPrefix(arg, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return a.String(), ok && err == nil && a.Zone() == ""
	}
	name := foldName(arg)
	if len(name) == 0 || len(name) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return "", false
			}
		}
	}
	return name, true
}

// named takes the host that the client has named in the TLS handshake. A name that nobody knows is no
// reason to refuse: clients name whatever they were told to connect to.
func (s *session) named(sni string) {
	s.sni = foldName(sni)
	if h := s.srv.hosts[s.sni]; h != nil && s.account == nil {
		s.host = h
		s.adopt()
	}
}

// leaveHost goes back to what the TLS handshake has said, or to no host.
func (s *session) leaveHost() {
	s.host = s.srv.hosts[s.sni]
	s.adopt()
}

// banner is the text of the greeting in lines.
func (s *session) banner() []string {
	text := s.srv.Banner
	if s.host != nil && s.host.Banner != "" {
		text = s.host.Banner
	}
	if text == "" {
		text = "ftp-gateway ready."
	}
	return strings.Split(strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\r\n", "\n"), "\n")
}

// authenticator checks the logins of this session.
func (s *session) authenticator() auth.Authenticator {
	if s.host != nil && s.host.Auth != nil {
		return s.host.Auth
	}
	return s.srv.Auth
}

// certificateFor chooses the certificate by the name in the handshake, or where there is none
// by the host that HOST has named before. Others is what chooses for the rest; it may be nil.
func (s *session) certificateFor(others func(*tls.ClientHelloInfo) (*tls.Certificate, error)) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if len(s.srv.hosts) == 0 {
		return others
	}
	host := s.host
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		h := host
		if hello.ServerName != "" {
			h = s.srv.hosts[foldName(hello.ServerName)]
		}
		if h != nil && h.GetCertificate != nil {
			return h.GetCertificate(hello)
		}
		if others == nil {
			return nil, nil // crypto/tls goes on with Config.Certificates
		}
		return others(hello)
	}
}
