package unix

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// Options say which accounts of the system may log in, and what they get.
type Options struct {
	// Files are the system's; the zero value means [System].
	Files Files
	// Allowed are the only ones that may log in; none means all but the rejected.
	Allowed []string
	// Rejected may not log in.
	Rejected []string
	// AnyShell lets in also who has no shell of /etc/shells, as service accounts have none.
	AnyShell bool
	// AllowRoot lets in accounts with the uid 0.
	AllowRoot bool
	// PAMService checks passwords through PAM, under this service name, where the binary has it.
	PAMService string
	// Account is what a login gives. In Home and Start, {home} stands for the home directory.
	Account auth.Account
}

// Users are the accounts of the system. They are safe for use by many goroutines.
type Users struct{ o Options }

// New makes an authenticator. It refuses a PAM service in a binary that has no PAM.
func New(o Options) (*Users, error) {
	if o.Files == (Files{}) {
		o.Files = System()
	}
	if o.PAMService != "" && !HasPAM {
		return nil, errors.New("unix: this binary was built without PAM")
	}
	return &Users{o}, nil
}

var _ auth.Knower = (*Users)(nil)

// Authenticate implements [auth.Authenticator].
func (u *Users) Authenticate(ctx context.Context, r auth.Request) (*auth.Account, error) {
	// The name becomes a field of a line and a part of a path.
	if auth.CheckName(r.User) != nil || strings.Contains(r.User, ":") {
		return nil, auth.ErrUnknownUser
	}
	e, err := u.o.Files.user(r.User)
	if err != nil {
		return nil, fmt.Errorf("unix: %w", err)
	}
	why, err := u.check(ctx, r, e)
	switch {
	case err != nil:
		return nil, fmt.Errorf("unix: %w", err)
	case e == nil:
		return nil, auth.ErrUnknownUser
	case why != "":
		return nil, fmt.Errorf("%w: %s", auth.ErrDenied, why)
	}
	groups, err := u.o.Files.groups(e)
	if err != nil {
		return nil, fmt.Errorf("unix: %w", err)
	}
	home := path.Clean("/" + e.home)
	a := u.o.Account
	a.Name = e.name
	a.Home = strings.ReplaceAll(a.Home, "{home}", home)
	a.Start = strings.ReplaceAll(a.Start, "{home}", home)
	a.System = &auth.System{UID: e.uid, GID: e.gid, Groups: groups, Home: home}
	return &a, nil
}

// Knows implements [auth.Knower].
func (u *Users) Knows(_ context.Context, user string) (bool, error) {
	if auth.CheckName(user) != nil || strings.Contains(user, ":") {
		return false, nil
	}
	e, err := u.o.Files.user(user)
	if err != nil {
		return false, fmt.Errorf("unix: %w", err)
	}
	return e != nil, nil
}

// check says why a user may not log in, or "". The password is checked whatever
// else speaks against the login, so that the time tells nothing.
func (u *Users) check(ctx context.Context, r auth.Request, e *entry) (string, error) {
	why, err := u.password(ctx, r, e != nil)
	if err != nil || e == nil || why != "" {
		return why, err
	}
	switch {
	case len(u.o.Allowed) > 0 && !slices.Contains(u.o.Allowed, e.name):
		return "the account is not among the allowed ones", nil
	case slices.Contains(u.o.Rejected, e.name):
		return "the account is rejected", nil
	case e.home == "" && strings.Contains(u.o.Account.Home+u.o.Account.Start, "{home}"): // not "/", which would be no jail
		return "the account has no home directory", nil
	case e.uid == 0 && !u.o.AllowRoot:
		return "root may not log in", nil
	}
	if u.o.AnyShell {
		return "", nil
	}
	ok, err := u.o.Files.shellAllowed(e.shell)
	if err == nil && !ok {
		return "the account has no valid shell", nil
	}
	return "", err
}

// password says why the password does not do, or "".
func (u *Users) password(ctx context.Context, r auth.Request, known bool) (string, error) {
	if u.o.PAMService != "" {
		return checkPAM(ctx, u.o.PAMService, r)
	}
	own, somebody, err := u.o.Files.secrets(r.User)
	if err != nil {
		return "", err
	}
	hash := somebody
	if known && own != nil && usable(own.hash) {
		hash = own.hash
	}
	right := false
	if hash != "" {
		p, err := auth.ParsePassword(hash)
		if err != nil {
			return "", err
		}
		if right, err = p.Check(ctx, r.Password); err != nil {
			return "", err
		}
	}
	switch {
	case !known:
		return "no such account", nil
	case own == nil || !usable(own.hash):
		return "the account is locked or has no password that can be checked here", nil
	case !right:
		return "wrong password", nil
	}
	return own.expired(time.Now()), nil
}
