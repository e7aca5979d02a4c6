package protocol

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/afero"
	"golang.org/x/text/encoding"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// session is one control connection and all that belongs to it. Only its own
// goroutine (run) touches it, but for the fields marked otherwise.
type session struct {
	srv    *Server
	lis    *Listener
	id     uint64
	ctx    context.Context // done when the session is called off
	cancel context.CancelCauseFunc
	start  time.Time

	raw    net.Conn // the TCP connection
	conn   net.Conn // raw, or TLS over it
	lines  *lineReader
	asked  bool // a goroutine reads the next line
	remote netip.AddrPort
	local  netip.AddrPort
	net    netip.Prefix // with whom remote is counted

	left    bool   // its place has been given back; guarded by srv.mu
	counted string // the user among whose sessions it is counted; guarded by srv.mu

	host     *Host             // the virtual host, or nil
	sni      string            // the name in the TLS handshake, folded
	software string            // what the client calls itself
	profile  *Profile          // never nil
	encoding encoding.Encoding // of names on the control connection; nil is UTF-8
	utf8     bool              // OPTS UTF8 ON: UTF-8 all the same
	garbled  bool              // the line being handled holds bytes that the encoding does not have

	log       *slog.Logger
	seen      seen   // for other goroutines
	out       []byte // reply buffer
	writeErr  error
	lastCode  int
	connected bool // the Connect hook has been told
	ended     bool // no further command is to be read
	lost      bool // the control connection has ended without QUIT
	calledOff bool // ctx is done, and that has been acted upon
	quitting  bool // QUIT has been read and waits for the transfer's end
	queued    lineQueue

	// login
	loginBy  time.Time // who has not logged in by then is ended
	user     string    // the last USER
	userSent bool      // USER was the last login command
	// byCertificate says that the login took no password.
	byCertificate bool
	failures      int
	account       *auth.Account
	fs            afero.Fs

	// state of the conversation
	cwd        string
	renameFrom string
	rest       int64
	// restMisplaced: a strict profile saw another command behind REST.
	restMisplaced bool
	allo          int64 // what ALLO has announced, or -1
	typeA         bool  // TYPE A is in force
	typeSent      bool  // because the client said so
	modeZ         bool  // MODE Z
	level         int   // of its compression
	epsvAll       bool
	facts         factSet
	transfer      *transfer // running, or nil
	files         fileState

	// TLS
	tls     bool
	pbsz    bool
	private bool // PROT P
	// certificate is the client's, verified, of the control connection while it was last under TLS; nil for none.
	certificate *x509.Certificate

	data promise // where the next data connection comes from
}

// run serves the session to its end. The caller closes nothing.
func (s *session) run() {
	defer s.srv.remove(s)
	s.guarded(s.serve)
	s.guarded(s.endTransfer)
	s.guarded(s.finish)
}

// guarded keeps a programming error in its session.
func (s *session) guarded(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(v, debug.Stack())
		}
	}()
	f()
}

// serve is the session from its first byte to its last command. Its frame, those of loop and of what waits in there for a line are
// what an idle session has on its stack, which the runtime halves to 4 KiB where they take less than 1248 bytes:
// what needs more is not to be inlined. See TestIdleStack.
func (s *session) serve() {
	if s.open() {
		s.loop()
	}
}

// open begins the session, and reports whether it has begun.
//
//go:noinline
func (s *session) open() bool {
	if s.lis.TLS == TLSImplicit {
		if !s.startTLS() {
			return false
		}
		s.private = true
	}
	s.lines = newLineReader(s.conn)
	s.connected = true
	if h := s.srv.Hooks.Connect; h != nil {
		h(s.client())
	}
	s.rests()
	s.greet()
	return true
}

// loop handles what happens, one thing at a time. While there is no transfer
// that is the next line; otherwise see wait.
func (s *session) loop() {
	for !s.ended && s.writeErr == nil {
		if !s.busy() {
			s.next(s.lines.read(s.until(), s.called))
		}
	}
}

// busy handles something else than a line that is still to be read, and reports whether there was anything.
//
//go:noinline
func (s *session) busy() bool {
	if s.transfer != nil {
		s.wait()
		return true
	}
	if s.called() {
		s.sayWhy()
		s.ended = true
		return true
	}
	// What was sent ahead of a lost connection may rest on a transfer that
	// has failed; with a QUIT behind it, it was meant.
	if s.lost && !s.quitting {
		s.ended = true
		return true
	}
	if l, ok := s.queued.pop(); ok {
		s.answer(l)
		if s.queued.empty() {
			s.quitting = false // a QUIT that was among them has ended the session, or was refused
		}
		return true
	}
	if s.queued.lost {
		s.reply(421, "Too many commands sent ahead of a transfer's end")
		s.ended = true
		return true
	}
	if s.asked {
		s.wait()
		return true
	}
	return false
}

// until is when the session is tired of waiting for the next line.
//
//go:noinline
func (s *session) until() time.Time { return time.Now().Add(s.patience()) }

// next handles a line that the session has read for itself.
func (s *session) next(l line) {
	switch {
	case !isTimeout(l.err):
		s.line(l)
	case !s.called():
		s.idle()
	}
}

// patience is how long the session waits for the next line. Who has not logged in has only so long for all
// lines together: one who sends a byte now and then, or NOOP, gains nothing by it.
func (s *session) patience() time.Duration {
	d := s.idleTimeout()
	if s.account == nil {
		d = min(d, time.Until(s.loginBy))
	}
	return d
}

// idle ends a session that has been silent for too long, or has not logged in.
func (s *session) idle() {
	if s.account == nil && !time.Now().Before(s.loginBy) {
		s.reply(421, "Login took too long, closing")
	} else {
		s.replyf(421, "Idle for %v, closing", s.idleTimeout())
	}
	s.ended = true
}

// sayWhy answers for a session that was called to its end.
func (s *session) sayWhy() {
	switch {
	case s.calledOffFor(errMadeRoom):
		s.reply(421, "Too many connections, and you have not logged in")
	case s.calledOffFor(errKicked):
		s.reply(421, "The operator has ended this session")
	default:
		s.reply(421, "Server is shutting down")
	}
}

// called reports whether the server has called the session to its end, in
// order or at once. Whoever does so wakes it afterwards.
func (s *session) called() bool { return s.stopping() || s.ctx.Err() != nil }

// wake interrupts the reading of a line, so that the session looks at called.
// It is the one method that other goroutines call.
func (s *session) wake() { s.raw.SetReadDeadline(time.Unix(1, 0)) }

// wait handles one of the things that happen around a transfer: a line, the
// end of the transfer's data, its outcome, a time-out, the server's end. Behind the transfer
// it is still needed for the line that was asked for meanwhile.
func (s *session) wait() {
	s.askLine()
	var grace, settled, idle <-chan time.Time
	var eof chan chan error
	var done chan outcome
	var ready chan prepared
	var closing chan struct{}
	if t := s.transfer; t != nil {
		grace, settled, eof, done, ready = t.grace, t.settled, t.eof, t.done, t.prepared
	} else {
		timer := time.NewTimer(s.patience())
		defer timer.Stop()
		idle, closing = timer.C, s.srv.closing
	}
	var called <-chan struct{}
	if !s.calledOff {
		called = s.ctx.Done()
	}
	select {
	case l := <-s.lines.got:
		s.asked = false
		s.line(l)
	case p := <-ready:
		s.goOn(p)
	case answer := <-eof:
		s.endOfData(answer)
	case <-settled:
		s.decide()
	case o := <-done:
		s.transferDone(o)
	case <-grace:
		s.callOffTransfer(errControlLost)
		s.transfer.grace = nil
	case <-idle:
		s.idle()
	case <-closing:
		// the loop's head answers
	case <-called:
		s.callOff(context.Cause(s.ctx))
	}
}

// askLine lets a goroutine read the next line.
func (s *session) askLine() {
	if !s.asked && !s.lost {
		s.asked = true
		s.lines.ask()
	}
}

// line handles what the line reader delivered.
func (s *session) line(l line) {
	switch {
	case isTimeout(l.err):
		return // woken during a transfer, which may finish
	case l.err != nil && l.err != errLineTooLong:
		s.controlEnded(l.err)
		return
	case s.transfer == nil:
		s.answer(l)
		return
	}
	verb, _ := parse(string(l.text))
	if cmd := commands[verb]; cmd != nil && cmd.now {
		s.answer(l)
		return
	}
	if verb == "QUIT" && !(l.bare && s.profile.Strict) {
		s.quitting = true
		if s.transfer.settled != nil {
			s.decide() // nothing to wait for any more
		}
	}
	s.queued.push(l)
}

// answer handles a line whose turn it is.
func (s *session) answer(l line) {
	if l.err == errLineTooLong {
		s.lastCode = 0
		s.reply(500, "Line too long")
		s.commandDone("", nil, "", time.Now())
		return
	}
	if l.bare && s.profile.Strict {
		s.bareLF()
		return
	}
	s.dispatch(l.text)
}

// controlEnded notes that nothing more will come over the control connection.
// An upload may still drain for a while; a download has nobody to tell its end.
func (s *session) controlEnded(err error) {
	s.lost = true
	t := s.transfer
	if t == nil || s.quitting {
		return
	}
	if t.settled != nil {
		s.decide()
		return
	}
	s.log.Debug("control connection ended during a transfer", "err", err)
	s.mourn()
}

// mourn gives what runs without a control connection the time that it still has.
func (s *session) mourn() {
	switch t := s.transfer; {
	case t.work != nil && t.work.outlives:
	case !t.upload:
		s.callOffTransfer(errControlLost)
	case t.prepared == nil: // what is in the tree's hands has its own limits, and the data is still to come
		t.grace = time.After(s.srv.cutGrace())
	}
}

// callOff breaks off a running transfer like a cut, and the session ends behind it.
func (s *session) callOff(cause error) {
	s.callOffTransfer(cause)
	s.calledOff, s.lost = true, true
}

// stopping reports whether the server has begun to shut down.
func (s *session) stopping() bool {
	select {
	case <-s.srv.closing:
		return true
	default:
		return false
	}
}

// endTransfer calls off what still runs: only after a panic or on a dead control connection.
func (s *session) endTransfer() {
	if t := s.transfer; t != nil {
		s.callOffTransfer(errSessionEnded)
		s.drain(t)
	}
}

// drain waits for a transfer that nobody asks about any more.
func (s *session) drain(t *transfer) {
	if t.answer != nil { // the session has ended between the two looks of the verdict
		t.answer <- errSessionEnded
	}
	for {
		select {
		case p := <-t.prepared:
			s.goOn(p)
			if s.transfer == nil {
				return
			}
		case answer := <-t.eof:
			answer <- errSessionEnded
		case o := <-t.done:
			s.transferDone(o)
			return
		}
	}
}

// panicked ends this session, and only this one, after a programming error.
func (s *session) panicked(v any, stack []byte) {
	s.log.Error("panic", "value", fmt.Sprint(v), "stack", string(stack))
	if h := s.srv.Hooks.Panic; h != nil {
		h(s.client(), v, stack)
	}
}

// maxClaimed bounds what is told of a name that nobody has checked, in bytes.
const maxClaimed = 256

func (s *session) client() Client {
	c := Client{ID: s.id, Remote: s.remote, Local: s.local, Claimed: s.user, Software: s.software, TLS: s.tls}
	if len(c.Claimed) > maxClaimed {
		c.Claimed = strings.ToValidUTF8(c.Claimed[:maxClaimed], "")
	}
	if s.host != nil && len(s.host.Names) > 0 {
		c.Host = s.host.Names[0]
	}
	if s.account != nil {
		c.User, c.Anonymous, c.Claimed = s.account.Name, s.account.Anonymous, s.account.Name
	}
	return c
}

// greet sends 220 and the banner.
func (s *session) greet() {
	s.log.Debug("session begins", "local", s.local)
	s.send(220, s.banner())
}
