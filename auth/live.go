package auth

import (
	"context"
	"sync/atomic"
)

// Live is a set of users that is replaced as a whole while logins go on. Who has logged in before stays so.
type Live struct{ now atomic.Pointer[Users] }

var (
	_ CertificateAuthenticator = (*Live)(nil)
	_ Knower                   = (*Live)(nil)
)

// NewLive begins with a set.
func NewLive(u *Users) *Live {
	l := &Live{}
	l.now.Store(u)
	return l
}

// Replace puts another set in the place of the present one. Passwords that were found right, and have not changed, need
// not be hashed again. Only one goroutine may replace sets.
func (l *Live) Replace(u *Users) {
	u.Inherit(l.now.Load())
	l.now.Store(u)
}

// Len is the number of users.
func (l *Live) Len() int { return len(l.now.Load().byName) }

// Authenticate implements [Authenticator].
func (l *Live) Authenticate(ctx context.Context, r Request) (*Account, error) {
	return l.now.Load().Authenticate(ctx, r)
}

// AuthenticateCertificate implements [CertificateAuthenticator].
func (l *Live) AuthenticateCertificate(ctx context.Context, r Request) (*Account, error) {
	return l.now.Load().AuthenticateCertificate(ctx, r)
}

func (l *Live) cheap() bool { return l.now.Load().cheap() }

// Knows implements [Knower].
func (l *Live) Knows(ctx context.Context, user string) (bool, error) {
	return l.now.Load().Knows(ctx, user)
}
