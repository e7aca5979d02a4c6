package windows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// Accounts are what is asked of the system.
type Accounts interface {
	// Exists reports whether there is an account of that name, local or of a domain, for people.
	Exists(domain, user string) (bool, error)
	// Logon checks a password and returns the profile directory, such as C:\Users\ann. An error is a
	// *[LogonError] where the system says no.
	Logon(domain, user, password string) (profile string, err error)
}

// LogonError is why the system does not let somebody in.
type LogonError struct{ Why string }

func (e *LogonError) Error() string { return e.Why }

// Options say which accounts may log in, and what they get.
type Options struct {
	// Accounts are the system's; nil means [System].
	Accounts Accounts
	// Domain is where names without one are looked up; empty means the machine itself. Clients may write DOMAIN\name or name@domain only if
	// AnyDomain is set.
	Domain    string
	AnyDomain bool
	// Allowed are the only ones that may log in; none means all but the rejected. Windows does not tell upper from lower case.
	Allowed []string
	// Rejected may not log in.
	Rejected []string
	// Volume is the drive that profiles have to be on for {profile} to mean something, such as "C:".
	Volume string
	// Account is what a login gets. In Home, {profile} stands for the profile directory in the volume, such as /Users/ann.
	Account auth.Account
	// Guest, unless empty, is the account that anonymous logins are made with, usually "Guest".
	Guest         string
	GuestPassword string
	// GuestAccount is what they get.
	GuestAccount auth.Account
}

// Users are the accounts of the system. They are safe for use by many goroutines.
type Users struct{ o Options }

var _ auth.Knower = (*Users)(nil)

// New makes an authenticator. It fails where the system is not Windows and Options.Accounts is nil.
func New(o Options) (*Users, error) {
	if o.Accounts == nil {
		var err error
		if o.Accounts, err = System(); err != nil {
			return nil, err
		}
	}
	return &Users{o}, nil
}

// Knows implements [auth.Knower].
func (u *Users) Knows(_ context.Context, user string) (bool, error) {
	if u.guest(user) {
		return true, nil
	}
	domain, name, ok := u.split(user)
	if !ok {
		return false, nil
	}
	known, err := u.o.Accounts.Exists(domain, name)
	if err != nil {
		return false, fmt.Errorf("windows: %w", err)
	}
	return known, nil
}

// Authenticate implements [auth.Authenticator]. The system's calls cannot be called off.
func (u *Users) Authenticate(ctx context.Context, r auth.Request) (*auth.Account, error) {
	if u.guest(r.User) {
		return u.anonymous()
	}
	known, err := u.Knows(ctx, r.User)
	if err != nil {
		return nil, err
	}
	domain, name, ok := u.split(r.User)
	if !ok {
		return nil, auth.ErrUnknownUser
	}
	// Whatever else speaks against the login, the password is checked, so that the time tells nothing.
	profile, err := u.o.Accounts.Logon(domain, name, r.Password)
	if !known {
		return nil, auth.ErrUnknownUser
	}
	if err != nil {
		return nil, refusal(err)
	}
	is := func(other string) bool { return strings.EqualFold(other, r.User) || strings.EqualFold(other, name) }
	switch {
	case r.Password == "":
		return nil, fmt.Errorf("%w: empty password", auth.ErrDenied)
	case u.o.Guest != "" && strings.EqualFold(name, u.o.Guest):
		return nil, fmt.Errorf("%w: the guest comes in as anonymous", auth.ErrDenied)
	case len(u.o.Allowed) > 0 && !slices.ContainsFunc(u.o.Allowed, is):
		return nil, fmt.Errorf("%w: the account is not among the allowed ones", auth.ErrDenied)
	case slices.ContainsFunc(u.o.Rejected, is):
		return nil, fmt.Errorf("%w: the account is rejected", auth.ErrDenied)
	}
	// One name for all spellings: homes and limits go by it.
	if domain != "" && !strings.EqualFold(domain, u.o.Domain) {
		name += "@" + domain
	}
	return u.account(u.o.Account, strings.ToLower(name), profile)
}

func (u *Users) guest(user string) bool { return u.o.Guest != "" && auth.IsAnonymous(user) }

func (u *Users) anonymous() (*auth.Account, error) {
	profile, err := u.o.Accounts.Logon(u.o.Domain, u.o.Guest, u.o.GuestPassword)
	if err != nil {
		if why, ok := errors.AsType[*LogonError](err); ok { // nobody's password is wrong here
			return nil, fmt.Errorf("windows: log on as %s: %w", u.o.Guest, why)
		}
		return nil, refusal(err)
	}
	a, err := u.account(u.o.GuestAccount, "anonymous", profile)
	if err != nil {
		return nil, err
	}
	a.Anonymous = true
	return a, nil
}

// split takes DOMAIN\name and name@domain apart.
func (u *Users) split(user string) (domain, name string, ok bool) {
	domain, name = u.o.Domain, user
	if d, n, found := strings.Cut(user, `\`); found {
		domain, name = d, n
	} else if i := strings.LastIndexByte(user, '@'); i >= 0 {
		domain, name = user[i+1:], user[:i]
	}
	if (domain != u.o.Domain || name != user) && !u.o.AnyDomain {
		return "", "", false
	}
	// Windows allows none of these in a name; a trailing point it forgets.
	bad := strings.ContainsAny(name+domain, `"/\[]:;|=,+*?<>@`) || strings.HasSuffix(name, ".") || strings.TrimSpace(name) != name
	return domain, name, !bad && auth.CheckName(name) == nil && (domain == "" || auth.CheckName(domain) == nil)
}

func (u *Users) account(a auth.Account, name, profile string) (*auth.Account, error) {
	a.Name = name
	a.Mounts = maps.Clone(a.Mounts)
	if strings.Contains(a.Home, "{profile}") {
		dir, ok := u.inVolume(profile)
		if !ok {
			return nil, fmt.Errorf("windows: the profile %q of %s is not on %s", profile, name, u.o.Volume)
		}
		a.Home = strings.ReplaceAll(a.Home, "{profile}", dir)
	}
	return &a, nil
}

// inVolume is a directory of the volume as the path of a tree.
func (u *Users) inVolume(dir string) (string, bool) {
	v := len(u.o.Volume)
	if v == 0 || len(dir) <= v || !strings.EqualFold(dir[:v], u.o.Volume) || dir[v] != '\\' {
		return "", false
	}
	rest := strings.ReplaceAll(dir[v:], `\`, "/")
	for elem := range strings.SplitSeq(rest, "/") {
		if elem == ".." || strings.ContainsAny(elem, "{}:") {
			return "", false
		}
	}
	return rest, true
}

// refusal is what an error of Logon means.
func refusal(err error) error {
	if why, ok := errors.AsType[*LogonError](err); ok {
		return fmt.Errorf("%w: %s", auth.ErrDenied, why.Why)
	}
	return fmt.Errorf("windows: %w", err)
}
