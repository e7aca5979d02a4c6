package protocol

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// maxQueued bounds the commands that a client may send ahead during a transfer. Behind it
// the control connection is not read: TCP tells the client to wait.
const maxQueued = 32

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

	profile *Profile // never nil

	log       *slog.Logger
	debugOn   bool
	out       []byte // reply buffer
	writeErr  error
	lastCode  int
	connected bool     // the Connect hook has been told
	ended     bool     // no further command is to be read
	lost      bool     // the control connection has ended without QUIT
	calledOff bool     // ctx is done, and that has been acted upon
	quitting  bool     // QUIT has been read and waits for the transfer's end
	queued    [][]byte // lines that wait for the transfer's end

	// login
	user     string // the last USER
	userSent bool   // USER was the last login command
	failures int
	account  *auth.Account
	fs       afero.Fs

	// state of the conversation
	cwd        string
	renameFrom string
	rest       int64
	typeA      bool // TYPE A is in force
	typeSent   bool // because the client said so
	epsvAll    bool
	facts      factSet
	transfer   *transfer // running, or nil
	files      fileState

	// TLS
	tls     bool
	pbsz    bool
	private bool // PROT P

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

// serve is the session from its first byte to its last command.
func (s *session) serve() {
	if s.lis.TLS == TLSImplicit {
		if !s.startTLS() {
			return
		}
		s.private = true
	}
	s.lines = newLineReader(s.conn)
	s.connected = true
	if h := s.srv.Hooks.Connect; h != nil {
		h(s.client())
	}
	s.greet()
	s.loop()
}

// loop handles what happens, one thing at a time. While there is no transfer
// that is the next line; otherwise see wait.
func (s *session) loop() {
	for !s.ended && s.writeErr == nil {
		if s.transfer != nil {
			s.wait()
			continue
		}
		if s.called() {
			s.reply(421, "Server is shutting down")
			return
		}
		// What was sent ahead of a lost connection may rest on a transfer that
		// has failed; with a QUIT behind it, it was meant.
		if s.lost && !s.quitting {
			return
		}
		if len(s.queued) > 0 {
			text := s.queued[0]
			s.queued = s.queued[1:]
			s.dispatch(text)
			continue
		}
		s.queued = nil
		if s.asked {
			s.wait()
			continue
		}
		s.next(s.lines.read(time.Now().Add(s.idleTimeout()), s.called))
	}
}

// next handles a line that the session has read for itself.
func (s *session) next(l line) {
	switch {
	case !isTimeout(l.err):
		s.line(l)
	case !s.called():
		s.idle()
	}
}

// idle ends a session that has been silent for too long.
func (s *session) idle() {
	s.replyf(421, "Idle for %v, closing", s.idleTimeout())
	s.ended = true
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
	if len(s.queued) < maxQueued {
		s.askLine()
	}
	var grace, settled, idle <-chan time.Time
	var eof chan chan error
	var done chan outcome
	var closing chan struct{}
	if t := s.transfer; t != nil {
		grace, settled, eof, done = t.grace, t.settled, t.eof, t.done
	} else {
		timer := time.NewTimer(s.idleTimeout())
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
	case l.err == errLineTooLong:
		s.lastCode = 0
		s.reply(500, "Line too long")
		s.commandDone("", nil, "", time.Now())
		return
	case isTimeout(l.err):
		return // woken during a transfer, which may finish
	case l.err != nil:
		s.controlEnded(l.err)
		return
	}
	if s.transfer == nil {
		s.dispatch(l.text)
		return
	}
	verb, _ := parse(string(l.text))
	if cmd := commands[verb]; cmd != nil && cmd.now {
		s.dispatch(l.text)
		return
	}
	if verb == "QUIT" {
		s.quitting = true
		if s.transfer.settled != nil {
			s.decide() // nothing to wait for any more
		}
	}
	s.queued = append(s.queued, l.text)
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
	if !t.upload {
		s.callOffTransfer(errControlLost)
		return
	}
	t.grace = time.After(s.srv.cutGrace())
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

// finish releases everything, whatever ended the session.
func (s *session) finish() {
	s.data.release()
	s.cancel(errSessionEnded)
	s.conn.SetWriteDeadline(time.Now().Add(time.Second)) // for TLS's close_notify
	s.conn.Close()
	s.raw.Close()
	if s.account != nil {
		s.loggedOut()
	}
	s.log.Debug("session ended", "seconds", time.Since(s.start).Seconds())
	if h := s.srv.Hooks.Disconnect; h != nil && s.connected {
		h(s.client(), time.Since(s.start))
	}
}

// drain waits for a transfer that nobody asks about any more.
func (s *session) drain(t *transfer) {
	if t.answer != nil { // the session has ended between the two looks of the verdict
		t.answer <- errSessionEnded
	}
	for {
		select {
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

func (s *session) client() Client {
	c := Client{ID: s.id, Remote: s.remote, Local: s.local, TLS: s.tls}
	if s.account != nil {
		c.User = s.account.Name
	}
	return c
}

// greet sends 220 and the banner.
func (s *session) greet() {
	s.log.Debug("session begins", "local", s.local)
	s.send(220, s.srv.bannerLines())
}

// debugCommand logs a command line, the password starred.
func (s *session) debugCommand(verb, arg string) {
	if !s.debugOn {
		return
	}
	said := strings.TrimSpace(verb + " " + arg)
	// Also " PASS x" and "PASS\tx", which are no commands and tell as much.
	if first := strings.Fields(strings.ToUpper(said) + " .")[0]; first == "PASS" || first == "ACCT" {
		said = first + " ******"
	}
	s.log.Debug("<- " + printable(said))
}

func (s *session) debugReply(code int, lines []string) {
	if !s.debugOn {
		return
	}
	for i, l := range lines {
		sep := " "
		if i < len(lines)-1 {
			sep = "-"
		}
		s.log.Debug(fmt.Sprintf("-> %d%s%s", code, sep, printable(l)))
	}
}
