// Package ldap logs in the users of a directory server, by LDAPv3 (RFC 4511): the user's entry is searched with the
// service's own identity, its groups are looked at, and then the directory is asked to bind as the
// user, so that it decides about the password, with all its rules about locked and expired accounts.
//
// Each login has a connection of its own, which ends with it; at most Options.Parallel of them at a time. A cache in front of it
// (auth.Cache) keeps devices that log in for every file from being many of them.
package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// Options say where users are and what they get.
type Options struct {
	// URLs are of servers that hold the same: ldap://host:port or ldaps://host:port. They are tried in this order.
	URLs []string
	// StartTLS encrypts connections to ldap:// before anything is said.
	StartTLS bool
	// TLS is for both; nil means the system's authorities. The server's name is filled in.
	TLS *tls.Config
	// BindDN and BindPassword are the identity that searches; without a DN it is nobody's.
	BindDN, BindPassword string
	// Base is the DN below which users are searched.
	Base string
	// Filter finds one user; {user} stands for the name.
	Filter string
	// NameAttribute holds the name as the directory writes it, which is the name of the account: servers take
	// upper and lower case for the same, and homes do not. Empty means the name as the client wrote it.
	NameAttribute string
	// MemberOf is an attribute of users that names the DNs of their groups; empty for none.
	MemberOf string
	// GroupBase, unless empty, is the DN below which groups are searched, with GroupFilter, in which {dn} stands for the DN of the user
	// and {user} for the name.
	GroupBase, GroupFilter string
	// Groups give accounts to their members. The first that a user is in decides.
	Groups []Group
	// Account is what everybody else gets; nil keeps out who is in none of the groups.
	Account *auth.Account
	// Timeout bounds a whole login; 0 means 10 s.
	Timeout time.Duration
	// Parallel is how many connections there may be at a time; 0 means 32.
	Parallel int
}

// Group is what the members of a group get.
type Group struct {
	DN      string
	Account auth.Account
}

// Users are the users of a directory. They are safe for use by many goroutines.
type Users struct {
	o      Options
	groups []*ldap.DN // of o.Groups
	turns  chan struct{}
}

// New checks the options. It asks no server.
func New(o Options) (*Users, error) {
	u := &Users{o: o}
	if len(o.URLs) == 0 {
		return nil, errors.New("ldap: no URL")
	}
	for _, s := range o.URLs {
		if _, _, err := target(s); err != nil {
			return nil, err
		}
	}
	if !strings.Contains(o.Filter, "{user}") {
		return nil, fmt.Errorf("ldap: the filter %q does not hold {user}", o.Filter)
	}
	filters := []string{o.Filter}
	if o.GroupBase != "" {
		filters = append(filters, o.GroupFilter)
	}
	for _, f := range filters {
		if _, err := ldap.CompileFilter(expand(f, "x", "cn=x")); err != nil {
			if e, ok := errors.AsType[*ldap.Error](err); ok {
				err = e.Err // without the code, which no server has sent
			}
			return nil, fmt.Errorf("ldap: the filter %q: %s", f, strings.TrimPrefix(err.Error(), "ldap: "))
		}
	}
	for _, dn := range []string{o.BindDN, o.Base, o.GroupBase} {
		if _, err := ldap.ParseDN(dn); err != nil {
			return nil, fmt.Errorf("ldap: the name %q: %s", dn, strings.TrimPrefix(err.Error(), "ldap: "))
		}
	}
	for _, g := range o.Groups {
		dn, err := ldap.ParseDN(g.DN)
		if err != nil || len(dn.RDNs) == 0 {
			return nil, fmt.Errorf("ldap: %q is no name of a group", g.DN)
		}
		u.groups = append(u.groups, dn)
	}
	if u.o.Timeout == 0 {
		u.o.Timeout = 10 * time.Second
	}
	if u.o.Parallel == 0 {
		u.o.Parallel = 32
	}
	u.turns = make(chan struct{}, u.o.Parallel)
	return u, nil
}

// target is what a URL says: host:port, and whether TLS begins at once.
func target(s string) (addr string, secure bool, err error) {
	w, err := url.Parse(s)
	if err != nil || w.Hostname() == "" || w.Scheme != "ldap" && w.Scheme != "ldaps" || strings.Trim(w.Path, "/") != "" || w.User != nil {
		return "", false, fmt.Errorf("ldap: %q is no URL such as ldaps://directory.example.com", s)
	}
	port := w.Port()
	if port == "" {
		port = map[string]string{"ldap": ldap.DefaultLdapPort, "ldaps": ldap.DefaultLdapsPort}[w.Scheme]
	}
	return net.JoinHostPort(w.Hostname(), port), w.Scheme == "ldaps", nil
}

// expand fills a filter in; what comes from outside can be no part of its grammar (RFC 4515 section 3).
func expand(filter, user, dn string) string {
	return strings.NewReplacer("{user}", ldap.EscapeFilter(user), "{dn}", ldap.EscapeFilter(dn)).Replace(filter)
}

// Authenticate implements [auth.Authenticator].
func (u *Users) Authenticate(ctx context.Context, r auth.Request) (*auth.Account, error) {
	if auth.CheckName(r.User) != nil {
		return nil, auth.ErrUnknownUser
	}
	ctx, cancel := context.WithTimeout(ctx, u.o.Timeout)
	defer cancel()
	select {
	case u.turns <- struct{}{}:
		defer func() { <-u.turns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("ldap: too many logins at a time: %w", context.Cause(ctx))
	}
	c, err := u.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("ldap: %w", err)
	}
	defer c.Close()
	// Whatever is waited for ends with the context, because the connection does.
	defer context.AfterFunc(ctx, func() { c.Close() })()
	a, err := u.login(c, r)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("ldap: %w", context.Cause(ctx))
	}
	return a, err
}

// dial connects to the first server that can be reached.
func (u *Users) dial(ctx context.Context) (*ldap.Conn, error) {
	var errs []error
	for i, s := range u.o.URLs {
		// Each that is left gets an equal share of the time, so that one that does not answer leaves some for the next.
		share := u.o.Timeout
		if end, ok := ctx.Deadline(); ok {
			share = time.Until(end) / time.Duration(len(u.o.URLs)-i)
		}
		c, err := u.dialOne(ctx, s, share)
		if err == nil {
			return c, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", s, err))
	}
	return nil, errors.Join(errs...)
}

func (u *Users) dialOne(ctx context.Context, s string, limit time.Duration) (*ldap.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	addr, secure, err := target(s)
	if err != nil {
		return nil, err
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(addr)
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if u.o.TLS != nil {
		cfg = u.o.TLS.Clone()
	}
	cfg.ServerName = host
	conn := raw
	if secure {
		t := tls.Client(raw, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		conn = t
	}
	c := ldap.NewConn(conn, secure)
	c.Start() // its two goroutines end with Close
	if u.o.StartTLS && !secure {
		stop := context.AfterFunc(ctx, func() { raw.Close() })
		err := c.StartTLS(cfg)
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("StartTLS: %w", err)
		}
	}
	return c, nil
}

// login is a login on a connection.
func (u *Users) login(c *ldap.Conn, r auth.Request) (*auth.Account, error) {
	if err := u.service(c); err != nil {
		return nil, fmt.Errorf("ldap: bind as the service: %w", err)
	}
	entry, err := u.find(c, r.User)
	if err != nil {
		return nil, err
	}
	name := r.User
	if at := u.o.NameAttribute; at != "" {
		if name = entry.GetAttributeValue(at); name == "" {
			return nil, fmt.Errorf("ldap: %s has no attribute %s", entry.DN, at)
		}
		if err := auth.CheckName(name); err != nil {
			return nil, fmt.Errorf("ldap: %s: %w", entry.DN, err)
		}
	}
	// Groups come before the password: the user's own identity may not be allowed to see them, and a wrong password costs the same.
	account, err := u.account(c, entry, r.User)
	if err != nil {
		return nil, err
	}
	// A bind with a name and without a password succeeds as nobody (RFC 4513 section 5.1.2).
	if r.Password == "" {
		return nil, fmt.Errorf("%w: empty password", auth.ErrDenied)
	}
	switch err := c.Bind(entry.DN, r.Password); {
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication,
		ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation, ldap.LDAPResultInsufficientAccessRights):
		return nil, fmt.Errorf("%w: the directory says %q", auth.ErrDenied, ldap.LDAPResultCodeMap[err.(*ldap.Error).ResultCode])
	case err != nil:
		return nil, fmt.Errorf("ldap: bind as %s: %w", entry.DN, err)
	}
	if account == nil {
		return nil, fmt.Errorf("%w: in none of the groups", auth.ErrDenied)
	}
	a := *account
	a.Name = name
	return &a, nil
}

// service takes the identity that searches.
func (u *Users) service(c *ldap.Conn) error {
	if u.o.BindDN == "" {
		return c.UnauthenticatedBind("")
	}
	return c.Bind(u.o.BindDN, u.o.BindPassword)
}

// find returns the entry of a user.
func (u *Users) find(c *ldap.Conn, user string) (*ldap.Entry, error) {
	want := []string{"1.1"} // no attributes, RFC 4511 section 4.5.1.8
	for _, at := range []string{u.o.NameAttribute, u.o.MemberOf} {
		if at != "" {
			want = append(slices.DeleteFunc(want, func(s string) bool { return s == "1.1" }), at)
		}
	}
	res, err := c.Search(ldap.NewSearchRequest(u.o.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, 0, false, expand(u.o.Filter, user, ""), want, nil))
	switch {
	case err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		return nil, fmt.Errorf("ldap: search for the user: %w", err)
	case err != nil || len(res.Entries) > 1:
		return nil, fmt.Errorf("ldap: several entries are user %q", user)
	case len(res.Entries) == 0:
		return nil, auth.ErrUnknownUser
	}
	return res.Entries[0], nil
}

// account is what a user gets; nil for nothing.
func (u *Users) account(c *ldap.Conn, entry *ldap.Entry, user string) (*auth.Account, error) {
	if len(u.groups) == 0 {
		return u.o.Account, nil
	}
	var member []string
	if u.o.MemberOf != "" {
		member = entry.GetAttributeValues(u.o.MemberOf)
	}
	if u.o.GroupBase != "" {
		res, err := c.Search(ldap.NewSearchRequest(u.o.GroupBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
			expand(u.o.GroupFilter, user, entry.DN), []string{"1.1"}, nil))
		if err != nil {
			return nil, fmt.Errorf("ldap: search for groups: %w", err)
		}
		for _, e := range res.Entries {
			member = append(member, e.DN)
		}
	}
	var is []*ldap.DN
	for _, s := range member {
		if dn, err := ldap.ParseDN(s); err == nil {
			is = append(is, dn)
		}
	}
	for i, g := range u.groups {
		if slices.ContainsFunc(is, g.EqualFold) {
			return &u.o.Groups[i].Account, nil
		}
	}
	return u.o.Account, nil
}
