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
//
// Those that are a [Knower] are asked for the password only where they know the user. A login that fails costs
// one computation of a password hash however many of them there are: that of the user, or else
// that which the first of them that has any makes for users that it does not know.
type Chain []Authenticator

// Knower is an [Authenticator] that can tell cheaply, without a password, whether it has a user.
type Knower interface {
	Authenticator
	// Knows reports whether Authenticate would do anything else than to say [ErrUnknownUser].
	Knows(ctx context.Context, user string) (bool, error)
}

// cheap reports whether somebody has no hash to compute for users that it does not know.
func cheap(k Knower) bool {
	c, ok := k.(interface{ cheap() bool })
	return ok && c.cheap()
}

// Authenticate implements [Authenticator].
func (c Chain) Authenticate(ctx context.Context, r Request) (*Account, error) {
	var standIn Knower // has not been asked, and takes the time of a password
	for _, a := range c {
		k, ok := a.(Knower)
		if ok {
			known, err := k.Knows(ctx, r.User)
			if err != nil {
				return nil, err
			}
			if !known {
				if standIn == nil || cheap(standIn) && !cheap(k) {
					standIn = k
				}
				continue
			}
		}
		acc, err := a.Authenticate(ctx, r)
		if errors.Is(err, ErrUnknownUser) {
			continue
		}
		if !ok && errors.Is(err, ErrDenied) && standIn != nil {
			if _, serr := standIn.Authenticate(ctx, r); !errors.Is(serr, ErrUnknownUser) {
				return nil, serr
			}
		}
		return acc, err
	}
	if standIn != nil {
		return standIn.Authenticate(ctx, r)
	}
	return nil, ErrUnknownUser
}
