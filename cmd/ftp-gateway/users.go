package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
)

// checkUsers finds what only package auth knows about: names that are no
// names, hashes that are no hashes, and passwords in plain text, which are a
// warning.
func checkUsers(cfg *config.Config) config.Report {
	var r config.Report
	for i, u := range cfg.Users {
		at := fmt.Sprintf("users[%d]", i)
		if u.Name != "" {
			if err := auth.CheckName(u.Name); err != nil {
				r = append(r, cfg.Problem(at+".name", trimAuth(err), ""))
			}
		}
		if u.Certificate != "" {
			if _, err := auth.ParseCertificate(u.Certificate); err != nil {
				r = append(r, cfg.Problem(at+".certificate", trimAuth(err), `"openssl x509 -noout -fingerprint -sha256 -in FILE" prints one`))
			}
		}
		if u.Password == "" {
			continue // config has told, or there is a certificate
		}
		key := at + ".password"
		if u.PasswordFile != "" {
			key += "_file"
		}
		p, err := auth.ParsePassword(string(u.Password))
		switch {
		case err != nil:
			r = append(r, cfg.Problem(key, trimAuth(err), `make one with "ftp-gateway hash-password"; plain text of that form begins with "plain:"`))
		case p.Plain():
			text := "the password is plain text"
			if weak(u.Name, strings.TrimPrefix(string(u.Password), auth.PlainPrefix)) {
				text += ", and weak"
			}
			w := cfg.Problem(key, text, `make a hash with "ftp-gateway hash-password"`)
			w.Warning = true
			r = append(r, w)
		}
	}
	return r
}

// weak reports whether a password is one of the first that anybody tries.
func weak(user, password string) bool {
	p := strings.ToLower(password)
	return len(p) < 8 || strings.Contains(p, strings.ToLower(user)) || strings.Contains(p, "password") || strings.Trim(p, p[:1]) == "" ||
		strings.HasPrefix("01234567890123456789", p) || strings.HasPrefix("1234567890", p)
}

// trimAuth is the error's text without the package's name, for people.
func trimAuth(err error) string {
	const prefix = "auth: "
	if s := err.Error(); len(s) > len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):]
	}
	return err.Error()
}

// logins are the authenticators of a configuration.
type logins struct {
	all   auth.Authenticator   // without a virtual host
	hosts []auth.Authenticator // of the virtual hosts, in their order
}

// newLogins makes the authenticators of a configuration that has passed the checks.
func newLogins(cfg *config.Config) (*logins, error) {
	users, err := newAccounts(cfg)
	if err != nil {
		return nil, err
	}
	anonymous, err := newAnonymous(cfg.Anonymous)
	if err != nil {
		return nil, err
	}
	// Anonymous first: its names are nobody else's, and no password has to be hashed for it.
	l := &logins{all: append(anonymous[:len(anonymous):len(anonymous)], users)}
	for _, h := range cfg.Hosts {
		here, err := newAnonymous(h.Anonymous)
		if err != nil {
			return nil, err
		}
		if h.Anonymous == nil && (len(h.Users) == 0 || slices.Contains(h.Users, "anonymous")) {
			here = anonymous[:len(anonymous):len(anonymous)]
		}
		if len(h.Users) == 0 {
			here = append(here, users)
		} else {
			here = append(here, &auth.Only{Auth: users, Names: h.Users})
		}
		l.hosts = append(l.hosts, here)
	}
	return l, nil
}

// newAnonymous makes the authenticator of anonymous logins, if there are any.
func newAnonymous(a *config.Anonymous) (auth.Chain, error) {
	if a == nil {
		return nil, nil
	}
	perm, err := auth.ParsePerm(a.Permissions)
	if err != nil {
		return nil, err
	}
	return auth.Chain{&auth.Anonymous{Account: auth.Account{
		Permissions: auth.Permissions{Base: perm}, Home: a.Home, Mounts: a.Mounts, Overwrite: a.Overwrite, Limits: accountLimits(a.Limits),
		Profile: a.Profile, Encoding: a.Encoding, LoginMessage: a.LoginMessage, QuitMessage: a.QuitMessage}}}, nil
}

// newAccounts makes the chain of those who know accounts, in the order in which they are asked.
func newAccounts(cfg *config.Config) (auth.Authenticator, error) {
	users, err := newUsers(cfg)
	if err != nil {
		return nil, err
	}
	chain := auth.Chain{users}
	if u := cfg.UnixUsers; u != nil {
		system, err := newUnixUsers(u)
		if err != nil {
			return nil, refusal(cfg.Problem("unix_users", trimAuth(err), ""))
		}
		chain = append(chain, system)
	}
	return chain, nil
}

// newUsers makes the authenticator of the users in the document.
func newUsers(cfg *config.Config) (auth.Authenticator, error) {
	users := make([]auth.User, 0, len(cfg.Users))
	for _, u := range cfg.Users {
		perm, err := auth.ParsePerm(u.Permissions)
		if err != nil {
			return nil, err
		}
		user := auth.User{Name: u.Name, Account: auth.Account{
			Permissions: auth.Permissions{Base: perm}, Home: u.Home, Mounts: u.Mounts, Overwrite: u.Overwrite, Limits: accountLimits(u.Limits),
			Profile: u.Profile, Encoding: u.Encoding, LoginMessage: u.LoginMessage, QuitMessage: u.QuitMessage}}
		if u.Password != "" || u.Certificate == "" {
			if user.Password, err = auth.ParsePassword(string(u.Password)); err != nil {
				return nil, fmt.Errorf("user %q: %w", u.Name, err)
			}
		}
		if u.Certificate != "" {
			if user.Certificate, err = auth.ParseCertificate(u.Certificate); err != nil {
				return nil, fmt.Errorf("user %q: %w", u.Name, err)
			}
		}
		users = append(users, user)
	}
	return auth.NewUsers(users)
}

// accountLimits are the limits of a user as package auth has them.
func accountLimits(l config.UserLimits) auth.Limits {
	return auth.Limits{Upload: int64(l.Upload), Download: int64(l.Download), FileSize: int64(l.FileSize),
		Quota: auth.Quota{Bytes: int64(l.Quota.Bytes), Files: int64(l.Quota.Files)}}
}
