package protocol

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
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
	s.introduce()
	if s.tls && s.certificate != nil && s.certificateLogin() {
		return
	}
	s.reply(331, "Password required")
}

// certificateLogin ends a login for which the client's certificate is enough, with 232 (RFC 2228 section 5.1). It
// reports false where a password is needed: every other user gets 331, whether there is one of that name or not.
func (s *session) certificateLogin() bool {
	req := auth.Request{User: s.user, Remote: s.remote, TLS: s.tlsState()}
	if g := s.srv.Guard; g != nil && g.Banned(s.remote.Addr()) {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.commandTimeout())
	defer cancel()
	a, err := auth.ByCertificate(ctx, s.authenticator(), req)
	if err != nil {
		if !errors.Is(err, auth.ErrUnknownUser) && !errors.Is(err, auth.ErrDenied) {
			s.log.Error("login: no answer about a certificate", "user", s.user, "err", err)
		}
		return false
	}
	s.userSent = false
	s.enter(ctx, req, a, 232)
	s.byCertificate = s.account != nil
	return true
}

// cmdPASS ends a login. The authenticator and the tree may block: this is the
// session's own goroutine and nobody else waits for it.
func (s *session) cmdPASS(arg string) {
	if s.account != nil {
		if s.byCertificate { // a client that sends USER and PASS without looking
			s.reply(202, "Logged in by certificate, no password needed")
			return
		}
		s.reply(503, "Already logged in")
		return
	}
	if !s.userSent {
		s.reply(503, "Send USER first")
		return
	}
	s.userSent = false
	req := auth.Request{User: s.user, Password: arg, Remote: s.remote, TLS: s.tlsState()}
	if g := s.srv.Guard; g != nil {
		if g.Banned(s.remote.Addr()) {
			s.banned()
			return
		}
		if !s.pause(g.Before(req)) {
			s.loginCalledOff()
			return
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.commandTimeout())
	defer cancel()
	a, err := s.authenticator().Authenticate(ctx, req)
	switch {
	case errors.Is(err, auth.ErrDenied), errors.Is(err, auth.ErrUnknownUser):
		s.loginFailed(req, err)
		return
	case s.ctx.Err() != nil:
		s.loginCalledOff()
		return
	case err != nil:
		s.log.Error("login: no answer from the authenticator", "user", s.user, "err", err)
		s.loginUnavailable()
		return
	}
	s.enter(ctx, req, a, 230)
}

// enter logs in who has been authenticated, and answers with the code.
func (s *session) enter(ctx context.Context, req auth.Request, a *auth.Account, code int) {
	// Many attempts may have begun before the one that brought the ban; a right guess among them wins nothing.
	if g := s.srv.Guard; g != nil && !g.Succeeded(req) {
		s.banned()
		return
	}
	counted := a.Name
	if a.Anonymous && a.MaxSessions == 0 {
		counted = "" // their number is bounded by address
	}
	if !s.srv.knownNow(s, counted, or(a.MaxSessions, s.srv.MaxPerUser)) {
		if s.ctx.Err() != nil {
			s.loginCalledOff()
			return
		}
		s.log.Warn("login refused: too many sessions of this user", "user", a.Name)
		s.loginReport("limit")
		s.reply(421, "Too many sessions of this user")
		s.ended = true
		return
	}
	account := *a // it may be another session's too
	account.Remote = req.Remote
	account.Device = s.profileFor(a).Name
	a = &account
	fsys, err := s.srv.OpenFS(ctx, a)
	if err != nil {
		s.srv.strangerAgain(s)
		s.log.Error("login: home cannot be opened", "user", a.Name, "home", a.Home, "err", err)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			s.loginReport("error")
			s.reply(530, "Home directory not available")
			return
		}
		s.loginUnavailable()
		return
	}
	if len(account.Permissions.Rules) > 0 {
		account.Permissions.Same = s.sameDir(fsys)
	}
	s.account, s.fs, s.cwd, s.failures = a, fsys, s.startDir(ctx, a, fsys), 0
	s.adopt()
	s.introduce()
	s.log.Info("login", "tls", s.tls)
	if h := s.srv.Hooks.Login; h != nil {
		h(s.client())
	}
	text := a.LoginMessage
	if text == "" {
		text = "Login successful"
	}
	s.send(code, strings.Split(strings.TrimRight(text, "\n"), "\n"))
}

// sameDir asks a tree whether two names are of one directory, for the rules about directories. Within the
// limits of a command that needs no request to a bucket.
func (s *session) sameDir(fsys afero.Fs) func(a, b string) bool {
	return func(a, b string) bool {
		ctx, cancel := context.WithTimeout(s.ctx, s.srv.commandTimeout())
		defer cancel()
		return vfs.SameDir(vfs.WithContext(ctx, fsys), a, b)
	}
}

// startDir is where the session begins: where the account says, or in the root if that is no directory.
func (s *session) startDir(ctx context.Context, a *auth.Account, fsys afero.Fs) string {
	dir, ok := resolve("/", a.Start)
	if !ok || dir == "/" {
		return "/"
	}
	if _, err := vfs.StatDir(vfs.WithContext(ctx, fsys), dir); err != nil {
		s.log.Warn("login: the session begins in the root", "user", a.Name, "start", dir, "err", err)
		return "/"
	}
	return dir
}

// loginFailed answers a wrong password, late, so that guessing is slow. A
// session has only so many tries.
func (s *session) loginFailed(req auth.Request, err error) {
	s.failures++
	s.log.Warn("login failed", "user", s.user, "reason", err, "attempt", s.failures)
	s.loginReport("denied")
	delay := or(s.srv.LoginDelay, 3*time.Second)
	g := s.srv.Guard
	if g != nil {
		delay = g.Failed(req)
	}
	if !s.pause(delay) {
		s.loginCalledOff()
		return
	}
	if s.failures >= s.srv.loginAttempts() || g != nil && g.Banned(s.remote.Addr()) {
		s.reply(421, "Too many failed logins")
		s.ended = true
		return
	}
	s.reply(530, "Login incorrect")
}

// pause waits, and reports false if the session or the server came to its end meanwhile.
func (s *session) pause(d time.Duration) bool {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.srv.closing:
		case <-s.ctx.Done():
		}
	}
	return !s.called()
}

// loginCalledOff ends a session that was called to its end during its login.
func (s *session) loginCalledOff() {
	s.sayWhy()
	s.ended = true
}

// loginUnavailable answers where nobody could tell, which is no fault of the client's.
func (s *session) loginUnavailable() {
	s.loginReport("error")
	s.reply(421, "Login is not possible now, try again later")
	s.ended = true
}

// banned ends a session whose address was shut out after it had begun.
func (s *session) banned() {
	s.loginReport("banned")
	s.reply(421, "Too many failed logins from your address, try again later")
	s.ended = true
}

func (s *session) loginReport(reason string) {
	if h := s.srv.Hooks.LoginFailed; h != nil {
		h(s.client(), reason)
	}
}

// logout forgets who was logged in and all that belongs to it.
func (s *session) logout() {
	s.loggedOut()
	s.account, s.fs, s.byCertificate = nil, nil, false
	s.adopt()
	s.user, s.userSent = "", false
	s.introduce()
	s.loginBy = time.Now().Add(s.srv.loginTimeout())
	s.srv.strangerAgain(s)
	s.resetState()
}

// loggedOut tells that who was logged in is so no more.
func (s *session) loggedOut() {
	s.log.Info("logout")
	vfs.Release(s.fs)
	if h := s.srv.Hooks.Logout; h != nil {
		h(s.client())
	}
}

// resetState puts the transfer parameters back to RFC 959's defaults.
func (s *session) resetState() {
	s.cwd, s.renameFrom, s.rest, s.allo = "/", "", 0, -1
	s.typeA, s.typeSent, s.epsvAll = true, false, false
	s.modeZ, s.level = false, defaultLevel
	s.files = fileState{}
	s.facts, s.utf8, s.restMisplaced = defaultFacts, false, false
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

// cmdREIN goes back to the state before the login; a transfer in progress has finished by then, since REIN
// waits for its turn. RFC 4217 section 11 would have TLS end with it: it stays, and PROT with it, for no
// client is helped by a next login in clear text. The number of wrong passwords stays too.
func (s *session) cmdREIN(string) {
	if s.account != nil {
		s.logout()
	}
	s.user, s.userSent = "", false
	s.resetState()
	s.leaveHost()
	s.introduce()
	s.send(220, s.banner())
}

func (s *session) cmdQUIT(string) {
	text := "Goodbye"
	if s.account != nil && s.account.QuitMessage != "" {
		text = s.account.QuitMessage
	}
	s.send(221, strings.Split(strings.TrimRight(text, "\n"), "\n"))
	s.ended = true
}
