package auth

import "context"

// fakeAuth always gives the same answer.
type fakeAuth struct {
	name string
	err  error
}

func (f fakeAuth) Authenticate(context.Context, Request) (*Account, error) {
	if f.err != nil {
		return nil, f.err
	}
	return &Account{Name: f.name}, nil
}
