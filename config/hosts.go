package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func (k *checker) hosts() {
	seen := map[string]string{}
	var users []string
	for _, u := range k.c.Users {
		users = append(users, u.Name)
	}
	for i, h := range k.c.Hosts {
		at := fmt.Sprintf("hosts[%d]", i)
		if len(h.Names) == 0 {
			k.errorf(at, "for example names: [ftp.example.com]", `the key "names" is missing`)
		}
		for _, name := range h.Names {
			folded := strings.ToLower(strings.TrimSuffix(name, "."))
			if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" {
				folded = a.String()
			} else if !hostName.MatchString(folded) {
				k.errorf(at+".names", "without scheme, port and brackets", "%q is neither a host name nor an address", name)
			}
			if other := seen[folded]; other != "" {
				k.errorf(at+".names", "", "%q is a name of %s already", name, other)
			}
			seen[folded] = at
		}
		k.message(at+".banner", h.Banner)
		k.profile(at+".profile", h.Profile)
		k.certificates(at+".certificates", h.Certificates)
		if len(h.Certificates) > 0 && len(k.c.TLS.Certificates) == 0 {
			k.errorf(at+".certificates", "add tls.certificates, for clients that name no host", "TLS is off without a certificate for all")
		}
		k.anonymous(at+".anonymous", h.Anonymous)
		for _, name := range h.Users {
			if slices.Contains(users, name) || k.c.Anonymous != nil && name == "anonymous" || k.c.othersKnowUsers() {
				continue
			}
			k.errorf(at+".users", didYouMean(name, users), "unknown user %q", name)
		}
	}
}
