//go:build pam && cgo && (linux || freebsd)

package unix

import (
	"context"
	"errors"

	"github.com/msteinert/pam/v2"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// HasPAM tells whether this binary can ask PAM.
const HasPAM = true

// pamSlots bounds the threads that wait in PAM, which delays the answer to a wrong password by seconds.
var pamSlots = make(chan struct{}, 64)

// checkPAM says why PAM refuses, or "". Its modules cannot be called off: a login that is
// given up leaves its slot when they return.
func checkPAM(ctx context.Context, service string, r auth.Request) (string, error) {
	select {
	case pamSlots <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	type answer struct {
		why string
		err error
	}
	got := make(chan answer, 1)
	go func() { // ends when PAM has answered
		defer func() { <-pamSlots }()
		why, err := askPAM(service, r)
		got <- answer{why, err}
	}()
	select {
	case a := <-got:
		return a.why, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func askPAM(service string, r auth.Request) (why string, err error) {
	t, err := pam.StartFunc(service, r.User, func(s pam.Style, _ string) (string, error) {
		switch s {
		case pam.PromptEchoOff, pam.PromptEchoOn:
			return r.Password, nil
		case pam.ErrorMsg, pam.TextInfo:
			return "", nil
		}
		return "", pam.ErrConv
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, t.End()) }()
	if err := t.SetItem(pam.Rhost, r.Remote.Addr().String()); err != nil {
		return "", err
	}
	err = t.Authenticate(pam.Silent | pam.DisallowNullAuthtok)
	if err == nil {
		err = t.AcctMgmt(pam.Silent)
	}
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, pam.ErrAuthinfoUnavail), errors.Is(err, pam.ErrSystem), errors.Is(err, pam.ErrService), errors.Is(err, pam.ErrAbort):
		return "", err
	}
	return "PAM: " + err.Error(), nil
}
