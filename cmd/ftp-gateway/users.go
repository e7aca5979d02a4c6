package main

import (
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
)

// checkUsers reads the files that hold users, and finds what only package auth knows about: names that are no
// names, hashes that are no hashes, and passwords that are stored in a weak form, which are a warning.
func checkUsers(cfg *config.Config) config.Report {
	_, r := readUsers(cfg)
	return r
}

// readUsers returns all users of the document and of its files. What is wrong with the users of the document itself has
// been told by config but for what checkUsers is about.
func readUsers(cfg *config.Config) ([]*config.UserSet, config.Report) {
	sets, r := cfg.ReadUsers()
	for _, s := range sets {
		for i, u := range s.Users {
			r = append(r, checkUser(s, i, u)...)
		}
	}
	return sets, r
}

func checkUser(s *config.UserSet, i int, u config.User) config.Report {
	var r config.Report
	if u.Name != "" {
		if err := auth.CheckName(u.Name); err != nil {
			r = append(r, s.Problem(i, "name", trimPackage(err), ""))
		}
	}
	if u.Certificate != "" {
		if _, err := auth.ParseCertificate(u.Certificate); err != nil {
			r = append(r, s.Problem(i, "certificate", trimPackage(err), `"openssl x509 -noout -fingerprint -sha256 -in FILE" prints one`))
		}
	}
	if u.Password == "" {
		return r // config has told, or there is a certificate
	}
	key := "password"
	if u.PasswordFile != "" {
		key += "_file"
	}
	hint := `make a hash with "ftp-gateway hash-password"`
	if s.Hashes {
		hint = `make a hash with "htpasswd -B"`
	}
	p, err := auth.ParsePassword(string(u.Password))
	switch {
	case err != nil && s.Hashes, err == nil && p.Plain() && s.Hashes:
		r = append(r, s.Problem(i, key, "not a usable password hash (bcrypt, apr1, {SHA}, sha256-crypt and sha512-crypt are)", hint))
	case err != nil:
		r = append(r, s.Problem(i, key, trimPackage(err), `make one with "ftp-gateway hash-password"; plain text of that form begins with "plain:"`))
	case p.Weak() != "":
		text := "the password is " + p.Weak()
		if p.Plain() && weak(u.Name, strings.TrimPrefix(string(u.Password), auth.PlainPrefix)) {
			text += ", and weak"
		}
		w := s.Problem(i, key, text, hint)
		w.Warning = true
		r = append(r, w)
	}
	return r
}

// weak reports whether a password is one of the first that anybody tries.
func weak(user, password string) bool {
	p := strings.ToLower(password)
	return len(p) < 8 || strings.Contains(p, strings.ToLower(user)) || strings.Contains(p, "password") || strings.Trim(p, p[:1]) == "" ||
		strings.HasPrefix("01234567890123456789", p) || strings.HasPrefix("1234567890", p)
}

// logins are the authenticators of a configuration.
type logins struct {
	all   auth.Authenticator   // without a virtual host
	hosts []auth.Authenticator // of the virtual hosts, in their order
	users *accounts            // those that are read again
}

// newLogins makes the authenticators of a configuration that has passed the checks.
func newLogins(cfg *config.Config, log *slog.Logger) (*logins, error) {
	live, err := newAccounts(cfg, log)
	if err != nil {
		return nil, err
	}
	users, err := newChain(cfg, live)
	if err != nil {
		return nil, err
	}
	anonymous, err := newAnonymous(cfg, cfg.Anonymous)
	if err != nil {
		return nil, err
	}
	// Anonymous first: its names are nobody else's, and no password has to be hashed for it.
	l := &logins{all: &auth.Admit{Auth: append(anonymous[:len(anonymous):len(anonymous)], users)}, users: live}
	for _, h := range cfg.Hosts {
		here, err := newAnonymous(cfg, h.Anonymous)
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
		l.hosts = append(l.hosts, &auth.Admit{Auth: here})
	}
	return l, nil
}

// newAnonymous makes the authenticator of anonymous logins, if there are any.
func newAnonymous(cfg *config.Config, a *config.Anonymous) (auth.Chain, error) {
	if a == nil {
		return nil, nil
	}
	account, err := newAccount(cfg, &a.Account)
	if err != nil {
		return nil, err
	}
	return auth.Chain{&auth.Anonymous{Account: account}}, nil
}

// newChain makes the chain of those who know accounts, in the order in which they are asked.
func newChain(cfg *config.Config, live *accounts) (auth.Authenticator, error) {
	var chain auth.Chain
	for _, source := range cfg.Auth {
		if source == "file" {
			chain = append(chain, live.users) // none at first, perhaps
			continue
		}
		if !cfg.Configured(source) {
			continue
		}
		a, err := newSource(cfg, source)
		if err != nil {
			return nil, refusal(cfg.Problem(source+"_users", trimPackage(err), ""))
		}
		chain = append(chain, a)
	}
	return chain, nil
}

// newSource makes an authenticator of accounts that are not ours.
func newSource(cfg *config.Config, source string) (auth.Authenticator, error) {
	switch source {
	case "unix":
		return newUnixUsers(cfg.UnixUsers)
	case "windows":
		return newWindowsUsers(cfg, cfg.WindowsUsers)
	case "http":
		return newHTTPUsers(cfg, cfg.HTTPUsers)
	case "ldap":
		return newLDAPUsers(cfg, cfg.LDAPUsers)
	}
	return nil, fmt.Errorf("nobody is called %q", source)
}

// newUsers makes a set of users.
func newUsers(cfg *config.Config, sets []*config.UserSet) (*auth.Users, error) {
	var users []auth.User
	for _, s := range sets {
		for _, u := range s.Users {
			user, err := newUser(cfg, u)
			if err != nil {
				return nil, fmt.Errorf("user %q: %w", u.Name, err)
			}
			users = append(users, user)
		}
	}
	return auth.NewUsers(users)
}

func newUser(cfg *config.Config, u config.User) (auth.User, error) {
	account, err := newAccount(cfg, &u.Account)
	if err != nil {
		return auth.User{}, err
	}
	user := auth.User{Name: u.Name, Account: account}
	if u.Password != "" || u.Certificate == "" {
		if user.Password, err = auth.ParsePassword(string(u.Password)); err != nil {
			return auth.User{}, err
		}
	}
	if u.Certificate != "" {
		if user.Certificate, err = auth.ParseCertificate(u.Certificate); err != nil {
			return auth.User{}, err
		}
	}
	return user, nil
}

// newAccount is what a login gets, of whatever kind, as package auth has it.
func newAccount(cfg *config.Config, a *config.Account) (auth.Account, error) {
	perm, err := auth.ParsePerm(a.Permissions)
	if err != nil {
		return auth.Account{}, err
	}
	expires, err := a.ExpiresAt(cfg.Zone())
	if err != nil {
		return auth.Account{}, err
	}
	account := auth.Account{
		Permissions: auth.Permissions{Base: perm}, Home: a.Home, Mounts: a.Mounts, Overwrite: a.Overwrite, Cut: a.Cut, Publish: a.PublishOnRename, Limits: accountLimits(a.Limits), Expires: expires, MaxSessions: a.Sessions,
		Profile: a.Profile, Encoding: a.Encoding, LoginMessage: a.LoginMessage, QuitMessage: a.QuitMessage}
	for _, o := range a.Overrides {
		perm, err := auth.ParsePerm(o.Permissions)
		if err != nil {
			return auth.Account{}, err
		}
		account.Permissions.Rules = append(account.Permissions.Rules, auth.Rule{Dir: path.Clean("/" + o.Path), Perm: perm, Recursive: o.Recursive})
	}
	for _, n := range a.Networks {
		network, err := config.ParseNetwork(n)
		if err != nil {
			return auth.Account{}, err
		}
		account.Networks = append(account.Networks, network)
	}
	return account, nil
}

// accountLimits are the limits of a user as package auth has them.
func accountLimits(l config.UserLimits) auth.Limits {
	return auth.Limits{Upload: int64(l.Upload), Download: int64(l.Download), FileSize: int64(l.FileSize),
		Quota: auth.Quota{Bytes: int64(l.Quota.Bytes), Files: int64(l.Quota.Files)}}
}
