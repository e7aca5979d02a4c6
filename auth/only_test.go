package auth

import (
	"context"
	"errors"
	"testing"
)

// counter counts how often it is asked.
type counter struct {
	Authenticator
	asked int
}

func (c *counter) Authenticate(ctx context.Context, r Request) (*Account, error) {
	c.asked++
	return c.Authenticator.Authenticate(ctx, r)
}

// plain are users by name with their passwords.
type plain map[string]string

func (p plain) Authenticate(_ context.Context, r Request) (*Account, error) {
	switch want, ok := p[r.User]; {
	case !ok:
		return nil, ErrUnknownUser
	case want != r.Password:
		return nil, ErrDenied
	}
	return &Account{Name: r.User}, nil
}

func TestOnly(t *testing.T) {
	inner := &counter{Authenticator: Chain{&Anonymous{}, plain{"joe": "x", "ann": "y"}}}
	o := &Only{Auth: inner, Names: []string{"joe"}}
	for _, tt := range []struct {
		user, password string
		want           error
	}{
		{"joe", "x", nil},
		{"joe", "wrong", ErrDenied},
		{"ann", "y", ErrUnknownUser},
		{"ann", "wrong", ErrUnknownUser},
		{"nobody", "x", ErrUnknownUser},
		{"anonymous", "x", ErrUnknownUser},
	} {
		before := inner.asked
		a, err := o.Authenticate(t.Context(), Request{User: tt.user, Password: tt.password})
		if !errors.Is(err, tt.want) || (err == nil) != (a != nil) {
			t.Errorf("%s with %q: %v, %v, want %v", tt.user, tt.password, a, err, tt.want)
		}
		if inner.asked != before+1 {
			t.Errorf("%s: the password was checked %d times, want once: the time would tell", tt.user, inner.asked-before)
		}
	}
	if _, err := o.AuthenticateCertificate(t.Context(), Request{User: "ann"}); !errors.Is(err, ErrUnknownUser) {
		t.Errorf("a certificate of somebody else: %v, want ErrUnknownUser", err)
	}
}
