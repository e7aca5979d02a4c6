package auth

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Admit lets in those whom another authenticator knows, if their accounts allow a login from that address
// at that time. A refusal comes behind the password, as that of a wrong one, so that it tells nothing to who guesses.
type Admit struct {
	Auth Authenticator
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

var _ CertificateAuthenticator = (*Admit)(nil)

// Authenticate implements [Authenticator].
func (d *Admit) Authenticate(ctx context.Context, r Request) (*Account, error) {
	a, err := d.Auth.Authenticate(ctx, r)
	return d.admit(r, a, err)
}

// AuthenticateCertificate implements [CertificateAuthenticator].
func (d *Admit) AuthenticateCertificate(ctx context.Context, r Request) (*Account, error) {
	a, err := ByCertificate(ctx, d.Auth, r)
	return d.admit(r, a, err)
}

func (d *Admit) admit(r Request, a *Account, err error) (*Account, error) {
	if err != nil {
		return nil, err
	}
	now := time.Now
	if d.Now != nil {
		now = d.Now
	}
	remote := r.Remote.Addr().Unmap().WithZone("")
	switch {
	case !a.Expires.IsZero() && !now().Before(a.Expires):
		return nil, fmt.Errorf("%w: the account has expired", ErrDenied)
	case len(a.Networks) > 0 && !slices.ContainsFunc(a.Networks, func(n netip.Prefix) bool { return n.Contains(remote) }):
		return nil, fmt.Errorf("%w: not from this network", ErrDenied)
	}
	return a, nil
}
