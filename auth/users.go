package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// User is one entry of a [Users] set.
type User struct {
	Name     string
	Password Password
	// Stored is the password as it is written down, which [ParsePassword] reads, where Password is zero; for users that
	// stand in a program.
	Stored string
	// Certificate, unless zero, is the client certificate that a login needs: beside the password, or
	// instead of one where there is none.
	Certificate Certificate
	// Account is what a login gives; its Name is set to the user's.
	Account Account
}

// Users is a fixed set of users; [Live] holds one that is replaced. It is safe for use by many goroutines.
//
// Devices tend to log in again for every file. After a password was found right
// once, Users remembers a keyed digest of it (HMAC-SHA-256 under a key that
// only this process has), so that the next login of the same device costs
// microseconds instead of a whole password hash, and comes through also while
// a flood of wrong passwords keeps the hashing busy.
type Users struct {
	byName map[string]*userEntry
	hashed []*userEntry // those with a password in the given order, for picking a stand-in
	key    [32]byte
}

type userEntry struct {
	User
	mu    sync.Mutex
	known [sha256.Size]byte // digest of the right password
	valid bool              // known is set
}

// NewUsers makes a set of users. Names are compared byte by byte. All mistakes are in the
// error: names that [CheckName] refuses, names that appear twice, stored passwords that cannot be checked.
func NewUsers(users []User) (*Users, error) {
	u := &Users{byName: make(map[string]*userEntry, len(users))}
	if _, err := rand.Read(u.key[:]); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	var errs []error
	for _, v := range users {
		if err := CheckName(v.Name); err != nil {
			errs = append(errs, err)
			continue
		}
		if u.byName[v.Name] != nil {
			errs = append(errs, fmt.Errorf("auth: user %q appears twice", v.Name))
			continue
		}
		if v.Stored != "" && v.Password.IsZero() {
			p, err := ParsePassword(v.Stored)
			if err != nil {
				errs = append(errs, fmt.Errorf("user %q: %w", v.Name, err))
				continue
			}
			v.Password = p
		}
		v.Account.Name = v.Name
		e := &userEntry{User: v}
		u.byName[v.Name] = e
		if !v.Password.IsZero() {
			u.hashed = append(u.hashed, e)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return u, nil
}

// CheckName refuses user names that could not stand for one directory: a home
// such as "disk:/homes/{user}" must never lead elsewhere. Slashes, backslashes,
// control characters, invalid UTF-8, ".", ".." and names longer than 128 bytes are refused.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("auth: empty user name")
	case len(name) > 128:
		return fmt.Errorf("auth: user name %q… is longer than 128 bytes", name[:16])
	case name == "." || name == "..":
		return fmt.Errorf("auth: user name %q is the name of a directory", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("auth: user name %q is not valid UTF-8", name)
	case strings.ContainsAny(name, `/\`):
		return fmt.Errorf("auth: user name %q holds a slash", name)
	}
	for _, r := range name {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return fmt.Errorf("auth: user name %q holds a control character", name)
		}
	}
	return nil
}

// Authenticate implements [Authenticator]. For a name that does not exist, or has no password, it
// checks the password against that of one of the users and forgets the result,
// always the same one for the same name, so that the time tells nothing. A certificate is looked at behind
// the password, for the same reason.
func (u *Users) Authenticate(ctx context.Context, r Request) (*Account, error) {
	e := u.byName[r.User]
	fits := e != nil && (e.Certificate.IsZero() || e.Certificate.Matches(ClientCertificate(r.TLS)))
	if e == nil || e.Password.IsZero() {
		if fits && !e.Certificate.IsZero() {
			return e.account(), nil // a client that sends some password all the same
		}
		if len(u.hashed) > 0 {
			pick := binary.LittleEndian.Uint64(u.digest("name", r.User)) % uint64(len(u.hashed))
			if _, err := u.hashed[pick].Password.Check(ctx, r.Password); err != nil {
				return nil, fmt.Errorf("auth: check password: %w", err)
			}
		}
		if e != nil {
			return nil, ErrDenied
		}
		return nil, ErrUnknownUser
	}
	// The digest binds the name too: equal passwords of two users look different in memory.
	sum := u.digest("password", r.User+"\x00"+r.Password)
	if !e.remembers(sum) {
		ok, err := e.Password.Check(ctx, r.Password)
		if err != nil {
			return nil, fmt.Errorf("auth: check password: %w", err)
		}
		if !ok {
			return nil, ErrDenied
		}
		e.remember(sum)
	}
	if !fits {
		return nil, fmt.Errorf("%w: right password without the right client certificate", ErrDenied)
	}
	return e.account(), nil
}

// cheap reports whether there is no password whose check takes time.
func (u *Users) cheap() bool {
	return !slices.ContainsFunc(u.hashed, func(e *userEntry) bool { return !e.Password.Plain() })
}

// Knows implements [Knower].
func (u *Users) Knows(_ context.Context, user string) (bool, error) {
	return u.byName[user] != nil, nil
}

// Inherit takes over which passwords an older set has found right, of those users whose stored password is still the same. It is to be
// called before u is used.
func (u *Users) Inherit(old *Users) {
	u.key = old.key
	for name, e := range u.byName {
		if o := old.byName[name]; o != nil && o.Password.stored == e.Password.stored {
			o.mu.Lock()
			e.known, e.valid = o.known, o.valid
			o.mu.Unlock()
		}
	}
}

// account is a copy of what a login gives.
func (e *userEntry) account() *Account {
	a := e.Account
	a.Mounts = maps.Clone(a.Mounts)
	return &a
}

func (u *Users) digest(what, s string) []byte {
	h := hmac.New(sha256.New, u.key[:])
	h.Write([]byte(what))
	h.Write([]byte{0})
	h.Write([]byte(s))
	return h.Sum(nil)
}

func (e *userEntry) remembers(sum []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.valid && hmac.Equal(e.known[:], sum)
}

func (e *userEntry) remember(sum []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known, e.valid = [sha256.Size]byte(sum), true
}
