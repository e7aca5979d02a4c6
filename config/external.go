package config

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// HTTPUsers is a service that knows users. It is sent JSON by POST, with user, password, remote (the address), port and tls, and answers 200
// with the account as JSON with the keys of users; 401 or 403 for a wrong password; 404 for an unknown user.
type HTTPUsers struct {
	// The URL to post to.
	URL string `yaml:"url" need:"yes"`
	// Sent as "Authorization: Bearer ...".
	Token Secret `yaml:"token"`
	// File that holds the token.
	TokenFile Path `yaml:"token_file"`
	// Key of the signature of each request (Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature): its text, or whsec_
	// and its base64. Default: none.
	Secret Secret `yaml:"secret"`
	// File that holds the key.
	SecretFile Path `yaml:"secret_file"`
	// PEM file with the authorities to trust for the service, instead of the system's.
	CAFile Path `yaml:"ca_file"`
	// The client certificate to show to the service, and its key.
	Certificate *Certificate `yaml:"certificate"`
	// How long an answer may take. Without one in time, nobody can log in who is not known to those before in auth.
	Timeout time.Duration `yaml:"timeout"`
	// How long a yes is remembered, for the same user, password and address; 0 means not at all.
	Cache time.Duration `yaml:"cache"`
	// Requests at a time.
	Parallel int `yaml:"parallel"`
	// What the answer leaves out.
	Account Account `yaml:"account" need:"no"`
}

func (h *HTTPUsers) setDefaults() {
	h.Timeout, h.Cache, h.Parallel = 10*time.Second, time.Minute, 64
	h.Account.setDefaults()
}

// LDAPUsers is a directory that knows users: their entries are searched, and the password is checked by a bind as the user.
type LDAPUsers struct {
	// ldap:// or ldaps:// URLs of servers that hold the same, tried in this order.
	URLs []string `yaml:"urls" need:"yes"`
	// Encrypt connections to ldap:// before anything is said (StartTLS).
	StartTLS bool `yaml:"start_tls"`
	// PEM file with the authorities to trust for the directory, instead of the system's.
	CAFile Path `yaml:"ca_file"`
	// The identity that searches. Default: anonymous.
	BindDN string `yaml:"bind_dn"`
	// Its password.
	BindPassword Secret `yaml:"bind_password"`
	// File that holds the password.
	BindPasswordFile Path `yaml:"bind_password_file"`
	// Where users are searched, with all that is below.
	Base string `yaml:"base" need:"yes"`
	// What finds a user; {user} stands for the name.
	Filter string `yaml:"filter"`
	// The attribute with the name as the directory writes it, for {user} in homes. Active Directory: sAMAccountName.
	NameAttribute string `yaml:"name_attribute"`
	// The attribute of users that names their groups; empty means none.
	MemberOf string `yaml:"member_of"`
	// Where groups are searched, for directories without such an attribute.
	GroupBase string `yaml:"group_base"`
	// What finds the groups of a user; {dn} stands for the DN of the user, {user} for the name.
	GroupFilter string `yaml:"group_filter"`
	// What the members of groups get. The first that somebody is in decides.
	Groups []LDAPGroup `yaml:"groups" need:"one"`
	// What everybody else gets. Without it, who is in none of the groups cannot log in.
	Account *Account `yaml:"account" need:"one"`
	// How long a login may take. Where the directory does not answer in time, nobody can log in who is not known to those before in auth.
	Timeout time.Duration `yaml:"timeout"`
	// How long a yes is remembered, for the same user, password and address; 0 means not at all.
	Cache time.Duration `yaml:"cache"`
	// Connections at a time.
	Parallel int `yaml:"parallel"`
}

func (l *LDAPUsers) setDefaults() {
	l.Filter, l.NameAttribute, l.MemberOf, l.GroupFilter = "(uid={user})", "uid", "memberOf", "(member={dn})"
	l.Timeout, l.Cache, l.Parallel = 10*time.Second, time.Minute, 32
}

// LDAPGroup is a group of the directory.
type LDAPGroup struct {
	// Its DN.
	Group string `yaml:"group" need:"yes"`
	// What its members get.
	Account Account `yaml:"account" need:"yes"`
}

// WindowsUsers are the accounts of a Windows machine and its domain. Files are read and written by the account that the server runs as.
type WindowsUsers struct {
	// Where names without a domain are looked up. Default: this machine.
	Domain string `yaml:"domain"`
	// Let clients write DOMAIN\name and name@domain.
	AnyDomain bool `yaml:"any_domain"`
	// The only accounts that may log in. Default: all but the rejected.
	Allowed []string `yaml:"allowed"`
	// Accounts that may not log in.
	Rejected []string `yaml:"rejected"`
	// What they get. In home, {profile} stands for the profile directory, in a back end whose path is the drive: "drive:{profile}".
	Account Account `yaml:"account" need:"yes"`
	// Anonymous logins as the account Guest, which has to be enabled. Without this key there are none.
	Guest *WindowsGuest `yaml:"guest"`
}

// WindowsGuest are anonymous logins on Windows.
type WindowsGuest struct {
	// The account of the system.
	User string `yaml:"user"`
	// Its password, usually none.
	Password Secret `yaml:"password"`
	// What they get.
	Account Account `yaml:"account" need:"yes"`
}

func (g *WindowsGuest) setDefaults() {
	g.User = "Guest"
	g.Account.setDefaults()
	g.Account.Permissions = "elr"
}

// ParseAccount reads an account that somebody else tells, as JSON with the keys of an account; what it leaves out is as in base. It must pass the checks of the document.
func (c *Config) ParseAccount(data []byte, base Account) (Account, error) {
	// Through Go's own JSON: YAML has other ideas about some escapes.
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return Account{}, fmt.Errorf("not JSON: %w", err)
	}
	if dec.More() {
		return Account{}, errors.New("more than one JSON value")
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return Account{}, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(buf.Bytes(), &doc); err != nil || len(doc.Content) != 1 {
		return Account{}, errors.New("cannot be read")
	}
	own := *c
	own.file, own.lines, own.KeyName = "", map[string]int{}, nil
	a := base
	d := newDecoder(&own, nil)
	d.literal = true
	d.mapping(doc.Content[0], "", fieldsOf(reflect.ValueOf(&a).Elem()), nil)
	report := d.report
	if !report.Failed() {
		k := &checker{c: &own, runtime: true}
		k.account("account", &a)
		report = k.report
	}
	for _, p := range report {
		if !p.Warning {
			return Account{}, errors.New(p.String())
		}
	}
	return a, nil
}

// Configured reports whether there is anybody to ask under a name of the key auth.
func (c *Config) Configured(source string) bool {
	switch source {
	case "file":
		return len(c.Users) > 0 || len(c.UsersFile) > 0 || len(c.Htpasswd) > 0
	case "unix":
		return c.UnixUsers != nil
	case "windows":
		return c.WindowsUsers != nil
	case "http":
		return c.HTTPUsers != nil
	case "ldap":
		return c.LDAPUsers != nil
	}
	return false
}

// external checks those who know users elsewhere, and the order in which they are asked.
func (k *checker) external() {
	seen := map[string]bool{}
	for i, s := range k.c.Auth {
		if seen[s] {
			k.errorf(fmt.Sprintf("auth[%d]", i), "", "%s is there twice", s)
		}
		seen[s] = true
	}
	for _, s := range []string{"file", "unix", "windows", "http", "ldap"} {
		if k.c.Configured(s) && !seen[s] {
			k.errorf("auth", "add it, or remove its users", "%s is not asked", s)
		}
	}
	k.http(k.c.HTTPUsers)
	k.ldap(k.c.LDAPUsers)
	k.windows(k.c.WindowsUsers)
}

func (k *checker) http(h *HTTPUsers) {
	const at = "http_users"
	if h == nil {
		return
	}
	u, err := url.Parse(h.URL)
	switch {
	case h.URL == "":
		k.errorf(at, "", `the key "url" is missing`)
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		k.errorf(at+".url", "for example https://accounts.example.com/ftp", "is not a URL with http or https")
	case u.User != nil:
		k.errorf(at+".url", "use token", "credentials do not belong into the URL")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		k.warnf(at+".url", "use https", "passwords go over the network in clear text")
	}
	if h.CAFile != "" {
		k.authorities(at+".ca_file", h.CAFile)
	}
	if c := h.Certificate; c != nil {
		if _, err := tls.LoadX509KeyPair(string(c.Cert), string(c.KeyFile())); err != nil {
			k.errorf(at+".certificate", "", "%v", err)
		} else {
			k.keyMode(at+".certificate", c.KeyFile())
		}
	}
	k.secretFile(at+".token_file", h.TokenFile)
	k.secretFile(at+".secret_file", h.SecretFile)
	k.signingKey(at+".secret", h.Secret, h.SecretFile)
	k.waiting(at, h.Timeout, h.Parallel)
	k.partAccount(at+".account", &h.Account)
	if h.Account.Home != "" {
		k.tree(at+".account", h.Account.Home, h.Account.Mounts)
		k.cut(at+".account", &h.Account)
	}
}

func (k *checker) ldap(l *LDAPUsers) {
	const at = "ldap_users"
	if l == nil {
		return
	}
	if len(l.URLs) == 0 {
		k.errorf(at, "for example urls: [ldaps://directory.example.com]", `the key "urls" is missing`)
	}
	for i, s := range l.URLs {
		here := fmt.Sprintf("%s.urls[%d]", at, i)
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps":
			k.errorf(here, "for example ldaps://directory.example.com", "%q is not a URL with ldap or ldaps", s)
		case u.User != nil:
			k.errorf(here, "use bind_dn and bind_password", "credentials do not belong into the URL")
		case u.Scheme == "ldaps" && l.StartTLS:
			k.warnf(here, "", "start_tls is for ldap:// URLs")
		case u.Scheme == "ldap" && !l.StartTLS && !loopback(u.Hostname()):
			k.warnf(here, "use ldaps:// or start_tls", "passwords go over the network in clear text")
		}
	}
	if l.CAFile != "" {
		k.authorities(at+".ca_file", l.CAFile)
	}
	if l.Base == "" {
		k.errorf(at, "for example base: ou=people,dc=example,dc=com", `the key "base" is missing`)
	}
	if !strings.Contains(l.Filter, "{user}") {
		k.errorf(at+".filter", "for example (uid={user})", "%q does not hold {user}", l.Filter)
	}
	if l.BindDN != "" && l.BindPassword == "" && l.BindPasswordFile == "" {
		k.errorf(at+".bind_dn", "", "bind_password is missing")
	}
	k.secretFile(at+".bind_password_file", l.BindPasswordFile)
	if len(l.Groups) == 0 && l.Account == nil {
		k.errorf(at, "", "nobody gets anything: groups or account is missing")
	}
	for i, g := range l.Groups {
		here := fmt.Sprintf("%s.groups[%d]", at, i)
		if g.Group == "" {
			k.errorf(here, "for example group: cn=ftp,ou=groups,dc=example,dc=com", `the key "group" is missing`)
		}
		k.account(here+".account", &g.Account)
	}
	if l.Account != nil {
		k.account(at+".account", l.Account)
	}
	k.waiting(at, l.Timeout, l.Parallel)
}

func (k *checker) windows(w *WindowsUsers) {
	const at = "windows_users"
	if w == nil {
		return
	}
	if runtime.GOOS != "windows" {
		k.errorf(at, "", "accounts of Windows can log in on Windows only")
	}
	home := func(at string, a Account) {
		if name, _, err := SplitPlace(strings.ReplaceAll(a.Home, "{profile}", "/x")); err == nil && strings.Contains(a.Home, "{profile}") {
			if b, ok := k.c.Backends[name]; ok && (b.Local == nil || strings.Trim(filepath.ToSlash(string(b.Local.Path)[len(filepath.VolumeName(string(b.Local.Path))):]), "/") != "") {
				k.errorf(at+".home", `path: 'C:\'`, "{profile} needs a local back end whose path is a drive")
			}
		}
		a.Home = strings.ReplaceAll(a.Home, "{profile}", "/x")
		k.account(at, &a)
	}
	home(at+".account", w.Account)
	if w.Guest != nil {
		home(at+".guest.account", w.Guest.Account)
		if k.c.Anonymous != nil {
			k.errorf(at+".guest", `remove it or the key "anonymous"`, "anonymous logins are there already")
		}
	}
	for i, n := range w.Rejected {
		if slices.Contains(w.Allowed, n) {
			k.errorf(fmt.Sprintf("%s.rejected[%d]", at, i), "", "%q is among the allowed accounts", n)
		}
	}
}

// waiting checks how long somebody is asked, and by how many.
func (k *checker) waiting(at string, timeout time.Duration, parallel int) {
	if timeout <= 0 {
		k.errorf(at+".timeout", "", "has to be more than 0")
	}
	if parallel < 1 {
		k.errorf(at+".parallel", "", "has to be at least 1")
	}
}

func (k *checker) secretFile(at string, file Path) {
	if file != "" {
		k.keyMode(at, file)
	}
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost"
}
