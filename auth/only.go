package auth

import (
	"context"
	"slices"
)

// Only lets in some of the users that another authenticator knows. For
// the others it takes as long and says the same as for a user that does not exist.
type Only struct {
	Auth  Authenticator
	Names []string
}

var _ CertificateAuthenticator = (*Only)(nil)

// Authenticate implements [Authenticator].
func (o *Only) Authenticate(ctx context.Context, r Request) (*Account, error) {
	a, err := o.Auth.Authenticate(ctx, r)
	return o.admit(r, a, err)
}

// AuthenticateCertificate implements [CertificateAuthenticator].
func (o *Only) AuthenticateCertificate(ctx context.Context, r Request) (*Account, error) {
	a, err := ByCertificate(ctx, o.Auth, r)
	return o.admit(r, a, err)
}

func (o *Only) admit(r Request, a *Account, err error) (*Account, error) {
	if !slices.Contains(o.Names, r.User) {
		return nil, ErrUnknownUser
	}
	return a, err
}
