package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// Check looks for mistakes that one key alone does not show, and at the files
// that the document names. It does not touch the network.
func (c *Config) Check() Report {
	k := &checker{c: c}
	k.listeners()
	k.tls()
	k.passive()
	k.limits()
	k.guard()
	k.memory()
	k.backends()
	k.profiles()
	k.users()
	k.identities()
	k.anonymous("anonymous", c.Anonymous)
	k.unix()
	k.hosts()
	k.encoding("encoding", c.Encoding)
	k.message("banner", c.Banner)
	k.events()
	k.log()
	k.admin()
	if c.Metrics.Address != "" {
		k.address("metrics.address", c.Metrics.Address)
		for _, l := range c.Listeners {
			if l.Address == c.Metrics.Address && !strings.HasSuffix(l.Address, ":0") || samePort(l.Address, c.Metrics.Address) {
				k.errorf("metrics.address", "", "%s is a listener for FTP as well", l.Address)
				break
			}
		}
	}
	k.report.Sort()
	return k.report
}

type checker struct {
	c       *Config
	report  Report
	runtime bool // of an account that comes with a login
}

func (k *checker) errorf(path, hint, format string, args ...any) {
	k.report = append(k.report, k.c.Problem(path, fmt.Sprintf(format, args...), hint))
}

func (k *checker) warnf(path, hint, format string, args ...any) {
	p := k.c.Problem(path, fmt.Sprintf(format, args...), hint)
	p.Warning = true
	k.report = append(k.report, p)
}

// encoding checks the name of an encoding; empty means none.
func (k *checker) encoding(at, name string) {
	if _, err := LookupEncoding(name); err != nil {
		k.errorf(at, "names such as utf-8, iso-8859-1, windows-1252, shift_jis, gbk, ibm437", "%v", err)
	}
}

// message checks a text that clients are sent.
func (k *checker) message(at, text string) {
	if strings.ContainsRune(text, 0) {
		k.errorf(at, "", "holds a NUL character")
	}
}

// session checks the keys that are about how sessions behave.
func (k *checker) session(at, profile, encoding, login, quit string) {
	k.profile(at+".profile", profile)
	k.encoding(at+".encoding", encoding)
	k.message(at+".login_message", login)
	k.message(at+".quit_message", quit)
}

func (k *checker) listeners() {
	if len(k.c.Listeners) == 0 {
		k.errorf("listeners", `for example - {address: ":2121"}`, "there is no listener")
	}
	seen := map[string]bool{}
	for i, l := range k.c.Listeners {
		at := fmt.Sprintf("listeners[%d]", i)
		if l.Address == "" {
			k.errorf(at, `for example address: ":21"`, "the address is missing")
			continue
		}
		k.address(at+".address", l.Address)
		if seen[l.Address] && !strings.HasSuffix(l.Address, ":0") {
			k.errorf(at+".address", "", "%s is there twice", l.Address)
		} else if j := slices.IndexFunc(k.c.Listeners[:i], func(o Listener) bool { return samePort(o.Address, l.Address) }); j >= 0 {
			k.errorf(at+".address", "choose another port, or name an address in each", "listeners[%d] (%s) has the port on this address already", j, k.c.Listeners[j].Address)
		}
		seen[l.Address] = true
		k.session(at, l.Profile, l.Encoding, "", "")
		if p, ok := k.c.Profile(l.Profile); ok && l.TLS.Min == "" && k.c.TLSMode(l) != "none" {
			k.oldTLS(at+".profile", p.TLSMin)
		}
		switch mode := k.c.TLSMode(l); {
		case mode != "none" && len(k.c.TLS.Certificates) == 0:
			k.errorf(at+".tls.mode", "add tls.certificates", "TLS needs a certificate")
		case mode == "none":
			if len(l.TLS.Require) > 0 {
				k.errorf(at+".tls.require", "set mode: explicit or implicit", "the listener has no TLS that could be required")
			}
			if l.TLS.ClientAuth == "request" || l.TLS.ClientAuth == "require" {
				k.errorf(at+".tls.client_auth", "set mode: explicit or implicit", "the listener has no TLS in which to ask for certificates")
			}
		default:
			k.listenerTLS(at+".tls", l)
		}
	}
}

// TLSMode returns the mode of a listener with the default filled in.
func (c *Config) TLSMode(l Listener) string {
	switch {
	case l.TLS.Mode != "":
		return l.TLS.Mode
	case len(c.TLS.Certificates) > 0:
		return "explicit"
	}
	return "none"
}

// address checks host:port. Host names are allowed; whether they exist is seen when they are bound.
func (k *checker) address(at, addr string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		hint := `want host:port, for example ":21", "127.0.0.1:2121" or "[::1]:2121"`
		if n, err := strconv.ParseUint(addr, 10, 16); err == nil {
			hint = fmt.Sprintf("write \":%d\" for all addresses of the machine", n)
		} else if a, err := netip.ParseAddr(addr); err == nil {
			hint = fmt.Sprintf("write %q", netip.AddrPortFrom(a, 21))
		}
		k.errorf(at, hint, "%q is not an address", addr)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		k.errorf(at, "a port is a number from 1 to 65535, or 0 for any free one", "%q is not a port", port)
	}
	if strings.ContainsAny(host, " /@") || strings.Trim(host, "0123456789.") == "" && host != "" && !netipValid(host) {
		k.errorf(at, "", "%q is neither an IP address nor a host name", host)
	}
}

// samePort reports whether two addresses cannot be listened on by one machine: the port of both is the same, and one stands for
// all addresses that the other could be.
func samePort(a, b string) bool {
	hostA, port, errA := net.SplitHostPort(a)
	hostB, other, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || port != other || port == "0" || runtime.GOOS != "linux" {
		return false
	}
	all := func(host string) bool { return host == "" || host == "::" }
	ipA, errA := netip.ParseAddr(hostA)
	ipB, errB := netip.ParseAddr(hostB)
	switch {
	case all(hostA), all(hostB):
		return true
	case errA != nil || errB != nil:
		return false // what a name stands for is seen when it is bound
	}
	ipA, ipB = ipA.Unmap(), ipB.Unmap()
	return ipA == ipB || ipA.Is4() && ipB.Is4() && (ipA.IsUnspecified() || ipB.IsUnspecified())
}

func netipValid(s string) bool { _, err := netip.ParseAddr(s); return err == nil }

// certificates checks the files of a list of certificates.
func (k *checker) certificates(list string, certificates []Certificate) {
	for i, cert := range certificates {
		at := fmt.Sprintf("%s[%d]", list, i)
		if cert.Cert == "" {
			k.errorf(at, "", "the key \"cert\" is missing")
			continue
		}
		key, keyAt := cert.KeyFile(), at+".key"
		if cert.Key == "" {
			keyAt = at + ".cert"
		}
		missing := false
		for _, f := range []struct {
			at   string
			file Path
		}{{at + ".cert", cert.Cert}, {at + ".key", cert.Key}} {
			if f.file == "" {
				continue
			}
			if _, err := os.ReadFile(string(f.file)); err != nil {
				k.errorf(f.at, "", "%s: %s", f.file, pathless(err))
				missing = true
			}
		}
		if missing {
			continue
		}
		pair, err := tls.LoadX509KeyPair(string(cert.Cert), string(key))
		if err != nil {
			hint := ""
			if cert.Key == "" {
				hint = fmt.Sprintf("the file has to hold the key too, or name it with %s", k.keyName(at+".key", `"key"`))
			}
			k.errorf(keyAt, hint, "%s", strings.TrimPrefix(err.Error(), "tls: "))
			continue
		}
		k.keyMode(keyAt, key)
		if leaf, err := x509.ParseCertificate(pair.Certificate[0]); err == nil {
			if now := time.Now(); now.After(leaf.NotAfter) {
				k.warnf(at+".cert", "", "the certificate expired on %s", leaf.NotAfter.Format(time.DateOnly))
			} else if now.Before(leaf.NotBefore) {
				k.warnf(at+".cert", "", "the certificate is not valid before %s", leaf.NotBefore.Format(time.DateOnly))
			}
		}
	}
}

func (k *checker) tls() {
	k.certificates("tls.certificates", k.c.TLS.Certificates)
	k.oldTLS("tls.min", k.c.TLS.Min)
	k.ciphers("tls.ciphers", k.c.TLS.Ciphers)
	k.clientCA("tls.client_ca", k.c.TLS.ClientCA)
	if k.c.TLS.ClientAuth == "require" && !slices.ContainsFunc(k.c.Listeners, func(l Listener) bool { return k.c.TLSMode(l) != "none" }) {
		k.errorf("tls.client_auth", "add tls.certificates", "no listener has TLS in which to ask for certificates")
	}
}

// KeyFile is the file that holds the private key.
func (c Certificate) KeyFile() Path { return cmp.Or(c.Key, c.Cert) }

// keyMode warns of a secret that every user of the machine can read.
func (k *checker) keyMode(at string, file Path) {
	if fi, err := os.Stat(string(file)); err == nil && fi.Mode().Perm()&0o004 != 0 {
		k.warnf(at, "chmod o-r "+string(file), "everybody on this machine can read %s", file)
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}\.?)+$`)

func (k *checker) passive() {
	p := k.c.Passive
	if n := p.Ports.Len(); n > 0 {
		want := max(k.c.Limits.Connections, 1)
		switch {
		case p.Match == "exclusive" && (n < 10 || n < k.c.Limits.Connections):
			k.warnf("passive.ports", "exclusive needs a port for each session that transfers", "only %d of the sessions can transfer at a time (limits.connections: %d)", n, k.c.Limits.Connections)
		case p.Match == "address" && n < 2 && want > 1:
			k.warnf("passive.ports", "use ten or more", "with one port each client address can have one transfer at a time")
		}
		if p.Ports.First < 1024 {
			k.warnf("passive.ports", "", "ports below 1024 need privileges")
		}
		for i, l := range k.c.Listeners {
			if _, port, err := net.SplitHostPort(l.Address); err == nil {
				if n, err := strconv.Atoi(port); err == nil && n >= int(p.Ports.First) && n <= int(p.Ports.Last) {
					k.errorf("passive.ports", "", "%s holds the port of listeners[%d]", p.Ports, i)
				}
			}
		}
	}
	public := func(at, host string) {
		if a, err := netip.ParseAddr(host); err == nil {
			if !a.Unmap().Is4() {
				k.errorf(at, "EPSV, which IPv6 clients use, tells no address", "%s is not an IPv4 address", host)
			} else if a.IsUnspecified() || a.IsMulticast() {
				k.errorf(at, "", "no client can connect to %s", host)
			}
		} else if host != "" && (!hostName.MatchString(host) || strings.Trim(host, "0123456789.") == "") {
			k.errorf(at, "", "%q is neither an IPv4 address nor a host name", host)
		}
	}
	public("passive.address", p.Address.Host)
	for local, host := range p.Address.ByLocal {
		at := "passive.address." + local.String()
		if host == "" {
			k.errorf(at, "", "the address to tell is missing")
		}
		public(at, host)
	}
	if p.PermitForeignAddresses {
		k.warnf("passive.permit_foreign_addresses", "", "lets clients use the server to connect to others (FTP bounce)")
	}
}

func (k *checker) limits() {
	l := k.c.Limits
	for name, d := range map[string]time.Duration{"idle": l.Idle, "stall": l.Stall, "connect": l.Connect, "command": l.Command, "commit": l.Commit, "rename": l.Rename, "login": l.Login} {
		if d <= 0 {
			k.errorf("limits."+name, "this time cannot be unlimited", "0 would end everything at once")
		}
	}
	if l.LoginAttempts < 1 {
		k.errorf("limits.login_attempts", "", "at least one attempt is needed")
	}
	if s := k.c.Cut.Settle; s < 0 || s > time.Second {
		k.errorf("cut.settle", "", "has to be from 0 to 1s: every upload waits for it")
	}
	if k.c.Cut.Grace <= 0 {
		k.errorf("cut.grace", "", "has to be more than 0")
	}
	if k.c.Hash.Concurrent < 1 {
		k.errorf("hash.concurrent", "", "has to be at least 1")
	}
	k.bandwidth()
	k.descriptors(descriptorLimit())
	if l.Connections > 0 && l.PerIP > l.Connections {
		k.warnf("limits.per_ip", "", "%d is more than connections allows (%d)", l.PerIP, l.Connections)
	}
}

func (k *checker) guard() {
	g := k.c.Guard
	if g.Failures > 0 && g.Failures < k.c.Limits.LoginAttempts {
		k.warnf("guard.failures", "", "%d is less than the wrong passwords that end a session (limits.login_attempts: %d)", g.Failures, k.c.Limits.LoginAttempts)
	}
	if g.Failures > 0 && g.Ban <= 0 {
		k.errorf("guard.ban", "failures: 0 is for no bans", "a ban has to last for a while")
	}
	if (g.Failures > 0 || g.UserFailures > 0) && g.Window <= 0 {
		k.errorf("guard.window", "", "nothing would ever be counted")
	}
	if g.MaxDelay > 5*time.Minute {
		k.errorf("guard.max_delay", "", "%v would keep sessions waiting for too long; 5m is the most", g.MaxDelay)
	}
	for i, n := range g.Allow {
		if _, err := ParseNetwork(n); err != nil {
			k.errorf(fmt.Sprintf("guard.allow[%d]", i), "for example 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7", "%v", err)
		}
	}
}

// Sizes of parts: the least that S3 takes, and the default of max_part_size.
const (
	minPart     = 5 << 20
	defaultPart = 64 << 20
	// gcsPart is what an upload into GCS holds at a time.
	gcsPart = 8 << 20
	// defaultBudget is the upload budget without GOMEMLIMIT.
	defaultBudget = 256 << 20
)

// Budget returns the upload budget in bytes, with the default filled in.
func (c *Config) Budget() int64 {
	if c.Memory.UploadBudget > 0 {
		return int64(c.Memory.UploadBudget)
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return max(limit/10*4, defaultPart/4)
	}
	return defaultBudget
}

// PartSize returns the largest part of the back end in bytes, with the default filled in.
func (c *Config) PartSize(b *S3) int64 {
	if b.MaxPartSize > 0 {
		return int64(b.MaxPartSize)
	}
	return max(minPart, min(defaultPart, c.Budget()))
}

func (k *checker) memory() {
	budget := k.c.Budget()
	for _, name := range k.c.BackendNames() {
		b := k.c.Backends[name]
		var part int64
		switch {
		case b.S3 != nil:
			part = k.c.PartSize(b.S3)
		case b.GCS != nil:
			part = gcsPart
		}
		if part > budget {
			k.errorf("memory.upload_budget", "every upload needs room for one part", "%v is less than a part of back end %q (%v)", Size(budget), name, Size(part))
		}
	}
}

// LookupEncoding finds an encoding by its WHATWG or IANA name; nil is what no name stands for.
func LookupEncoding(name string) (encoding.Encoding, error) {
	switch strings.ToLower(name) {
	case "":
		return nil, nil
	case "utf-8", "utf8":
		return unicode.UTF8, nil
	}
	// IANA first: WHATWG takes "iso-8859-1" for windows-1252.
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil || e == nil {
		if e, err = htmlindex.Get(name); err != nil {
			return nil, fmt.Errorf("unknown encoding %q", name)
		}
	}
	// Commands and slashes are ASCII: UTF-16 or EBCDIC would change them.
	const ascii = "/STOR a-z_0.9"
	if s, err := e.NewEncoder().String(ascii); err != nil || s != ascii {
		return nil, fmt.Errorf("the encoding %q does not contain ASCII", name)
	}
	if s, err := e.NewDecoder().String(ascii); err != nil || s != ascii {
		return nil, fmt.Errorf("the encoding %q does not contain ASCII", name)
	}
	if e == japanese.ISO2022JP || e == simplifiedchinese.HZGB2312 {
		// The state that they leave behind would change the line's end.
		return nil, fmt.Errorf("the encoding %q switches between character sets within a line", name)
	}
	return e, nil
}
