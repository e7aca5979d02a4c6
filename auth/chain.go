package auth

import (
	"context"
	"errors"
)

// Chain asks several authenticators in order. The first that knows the user
// decides: only after [ErrUnknownUser] is the next one asked. An authenticator
// that cannot tell (a directory that does not answer) ends the chain with its
// error, since it might have known the user and said no; who has to get in
// while a directory is down belongs in front of it. Nobody knowing the user,
// and an empty chain, give ErrUnknownUser.
type Chain []Authenticator

// Authenticate implements [Authenticator].
func (c Chain) Authenticate(ctx context.Context, r Request) (*Account, error) {
	for _, a := range c {
		acc, err := a.Authenticate(ctx, r)
		if errors.Is(err, ErrUnknownUser) {
			continue
		}
		return acc, err
	}
	return nil, ErrUnknownUser
}
