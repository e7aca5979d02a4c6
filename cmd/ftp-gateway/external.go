package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/auth"
	authldap "github.com/ftp-gateway/ftp-gateway/auth/ldap"
	authwindows "github.com/ftp-gateway/ftp-gateway/auth/windows"
	"github.com/ftp-gateway/ftp-gateway/config"
)

// newHTTPUsers makes the authenticator that asks a service.
func newHTTPUsers(cfg *config.Config, c *config.HTTPUsers) (auth.Authenticator, error) {
	conf, err := trusting(c.CAFile)
	if err != nil {
		return nil, err
	}
	if p := c.Certificate; p != nil {
		pair, err := tls.LoadX509KeyPair(string(p.Cert), string(p.KeyFile()))
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = conf
	transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = c.Parallel, c.Parallel
	return auth.NewCache(&auth.HTTP{
		URL: c.URL, Token: string(c.Token), Secret: []byte(c.Secret), Timeout: c.Timeout, Transport: transport,
		Account: func(body []byte) (*auth.Account, error) {
			told, err := cfg.ParseAccount(body, c.Account)
			if err != nil {
				return nil, err
			}
			a, err := newAccount(cfg, &told)
			return &a, err
		},
	}, c.Cache)
}

// newLDAPUsers makes the authenticator that asks a directory.
func newLDAPUsers(cfg *config.Config, c *config.LDAPUsers) (auth.Authenticator, error) {
	conf, err := trusting(c.CAFile)
	if err != nil {
		return nil, err
	}
	o := authldap.Options{URLs: c.URLs, StartTLS: c.StartTLS, TLS: conf, BindDN: c.BindDN, BindPassword: string(c.BindPassword),
		Base: c.Base, Filter: c.Filter, NameAttribute: c.NameAttribute, MemberOf: c.MemberOf, GroupBase: c.GroupBase, GroupFilter: c.GroupFilter,
		Timeout: c.Timeout, Parallel: c.Parallel}
	for i := range c.Groups {
		a, err := newAccount(cfg, &c.Groups[i].Account)
		if err != nil {
			return nil, err
		}
		o.Groups = append(o.Groups, authldap.Group{DN: c.Groups[i].Group, Account: a})
	}
	if c.Account != nil {
		a, err := newAccount(cfg, c.Account)
		if err != nil {
			return nil, err
		}
		o.Account = &a
	}
	users, err := authldap.New(o)
	if err != nil {
		return nil, err
	}
	return auth.NewCache(users, c.Cache)
}

// trusting is a TLS configuration for a client that trusts the authorities of a file; without one, the system's.
func trusting(file config.Path) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return conf, nil
	}
	data, err := os.ReadFile(string(file))
	if err != nil {
		return nil, err
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return conf, nil
}

// newWindowsUsers makes the authenticator of the accounts of a Windows machine.
func newWindowsUsers(cfg *config.Config, c *config.WindowsUsers) (auth.Authenticator, error) {
	o := authwindows.Options{Domain: c.Domain, AnyDomain: c.AnyDomain, Allowed: c.Allowed, Rejected: c.Rejected}
	var err error
	if o.Account, err = newAccount(cfg, &c.Account); err != nil {
		return nil, err
	}
	places := []string{c.Account.Home}
	if g := c.Guest; g != nil {
		o.Guest, o.GuestPassword = g.User, string(g.Password)
		if o.GuestAccount, err = newAccount(cfg, &g.Account); err != nil {
			return nil, err
		}
		places = append(places, g.Account.Home)
	}
	for _, place := range places {
		name, dir, _ := strings.Cut(place, ":")
		if b := cfg.Backends[name]; b.Local != nil && strings.Contains(dir, "{profile}") {
			volume := filepath.VolumeName(string(b.Local.Path))
			if o.Volume != "" && o.Volume != volume {
				return nil, fmt.Errorf("profiles on two drives, %s and %s", o.Volume, volume)
			}
			o.Volume = volume
		}
	}
	return authwindows.New(o)
}
