package auth

import (
	"context"
	"maps"
	"strings"
)

// Anonymous lets in everybody who comes as "anonymous" or "ftp" (RFC 1635), in
// any spelling of upper and lower case, with any password.
type Anonymous struct {
	// Account is what a login gives; its Name becomes "anonymous" and its
	// Anonymous true.
	Account Account
}

// IsAnonymous reports whether name is one of the names that [Anonymous] answers to.
func IsAnonymous(name string) bool {
	return strings.EqualFold(name, "anonymous") || strings.EqualFold(name, "ftp")
}

// Authenticate implements [Authenticator].
func (a *Anonymous) Authenticate(_ context.Context, r Request) (*Account, error) {
	if !IsAnonymous(r.User) {
		return nil, ErrUnknownUser
	}
	acc := a.Account
	acc.Name, acc.Anonymous = "anonymous", true
	acc.Mounts = maps.Clone(acc.Mounts)
	return &acc, nil
}
