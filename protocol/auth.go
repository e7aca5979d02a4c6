package protocol

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// cmdUSER begins a login, or another one: who was logged in is logged out.
func (s *session) cmdUSER(arg string) {
	if s.lis.RequireTLSControl && !s.tls {
		s.reply(530, "TLS is required: send AUTH TLS first")
		return
	}
	if s.account != nil {
		s.logout()
	}
	s.user, s.userSent = strings.TrimSpace(arg), true
	s.reply(331, "Password required")
}

// cmdPASS ends a login. The authenticator and the tree may block: this is the
// session's own goroutine and nobody else waits for it.
func (s *session) cmdPASS(arg string) {
	if s.account != nil {
		s.reply(503, "Already logged in")
		return
	}
	if !s.userSent {
		s.reply(503, "Send USER first")
		return
	}
	s.userSent = false
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.commandTimeout())
	defer cancel()
	req := auth.Request{User: s.user, Password: arg, Remote: s.remote, TLS: s.tlsState()}
	a, err := s.srv.Auth.Authenticate(ctx, req)
	switch {
	case errors.Is(err, auth.ErrDenied), errors.Is(err, auth.ErrUnknownUser):
		s.loginFailed(err)
		return
	case err != nil:
		s.log.Error("login: no answer from the authenticator", "user", s.user, "err", err)
		s.loginReport("error")
		s.reply(421, "Login is not possible now, try again later")
		s.ended = true
		return
	}
	fsys, err := s.srv.OpenFS(ctx, a)
	if err != nil {
		s.log.Error("login: home cannot be opened", "user", a.Name, "home", a.Home, "err", err)
		s.loginReport("error")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			s.reply(530, "Home directory not available")
			return
		}
		s.reply(421, "Login is not possible now, try again later")
		s.ended = true
		return
	}
	s.account, s.fs, s.cwd, s.failures = a, fsys, "/", 0
	if a.Profile != "" && s.srv.Profiles != nil {
		s.setProfile(s.srv.Profiles(a.Profile))
	}
	s.log = s.log.With("user", a.Name)
	s.log.Info("login", "tls", s.tls)
	if h := s.srv.Hooks.Login; h != nil {
		h(s.client())
	}
	text := a.LoginMessage
	if text == "" {
		text = "Login successful"
	}
	s.send(230, strings.Split(strings.TrimRight(text, "\n"), "\n"))
}

// loginFailed answers a wrong password, late, so that guessing is slow. A
// session has only so many tries.
func (s *session) loginFailed(err error) {
	s.failures++
	s.log.Warn("login failed", "user", s.user, "reason", err, "attempt", s.failures)
	s.loginReport("denied")
	delay := s.srv.LoginDelay
	if delay == 0 {
		delay = 3 * time.Second
	}
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.srv.closing:
		case <-s.ctx.Done():
		}
	}
	if s.failures >= s.srv.loginAttempts() {
		s.reply(421, "Too many failed logins")
		s.ended = true
		return
	}
	s.reply(530, "Login incorrect")
}

func (s *session) loginReport(reason string) {
	if h := s.srv.Hooks.LoginFailed; h != nil {
		h(s.client(), reason)
	}
}

// logout forgets who was logged in and all that belongs to it.
func (s *session) logout() {
	s.loggedOut()
	s.log = s.srv.log.With("session", s.id, "remote", s.remote.String())
	s.account, s.fs = nil, nil
	s.profile = s.listenerProfile()
	s.user, s.userSent = "", false
	s.resetState()
}

// loggedOut tells that who was logged in is so no more.
func (s *session) loggedOut() {
	s.log.Info("logout")
	if h := s.srv.Hooks.Logout; h != nil {
		h(s.client())
	}
}

// resetState puts the transfer parameters back to RFC 959's defaults.
func (s *session) resetState() {
	s.cwd, s.renameFrom, s.rest = "/", "", 0
	s.typeA, s.typeSent, s.epsvAll = true, false, false
	s.facts, s.files = defaultFacts, fileState{}
	s.data.release()
	s.data = noPromise{}
}

// cmdACCT: no account information is ever needed (RFC 959: 202 superfluous).
func (s *session) cmdACCT(string) {
	if s.account == nil && !s.userSent {
		s.reply(503, "Send USER first")
		return
	}
	s.reply(202, "Account not needed")
}

// cmdREIN goes back to the state before the login. TLS stays, RFC 4217 section 11.
func (s *session) cmdREIN(string) {
	if s.account != nil {
		s.logout()
	}
	s.user, s.userSent = "", false
	s.resetState()
	s.send(220, s.srv.bannerLines())
}

func (s *session) cmdQUIT(string) {
	text := "Goodbye"
	if s.account != nil && s.account.QuitMessage != "" {
		text = s.account.QuitMessage
	}
	s.send(221, strings.Split(strings.TrimRight(text, "\n"), "\n"))
	s.ended = true
}
