package protocol

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// transfer is a transfer that is running beside its session. The session's
// goroutine owns it; the transfer's own goroutine uses ctx, body, moved and the channels.
type transfer struct {
	verb   string
	path   string
	upload bool
	body   body
	size   int64 // bytes expected, or -1
	exact  bool  // an upload of fewer bytes is a cut
	start  time.Time
	client Client       // whose it is
	moved  atomic.Int64 // bytes so far, before MODE Z compresses them or behind it
	modeZ  bool
	level  int

	ctx    context.Context
	cancel context.CancelCauseFunc

	prepared chan prepared // what the tree said before the 150; nil behind it
	then     func(error)   // goes on with that

	eof  chan chan error // asked at the end of an upload's data: commit (nil) or why not
	done chan outcome    // the transfer's last word

	publishes  bool             // the commit makes visible, or tells others of, what a cut must not
	answer     chan<- error     // where the verdict is waited for, until it is given
	settled    <-chan time.Time // runs between the two looks of the verdict
	grace      <-chan time.Time // runs once the control connection is lost
	committing bool             // nothing calls it off any more
	aborts     int              // so many ABOR wait for their reply
	line       commandLine
	work       *work // what it does if it is no transfer: see work.go
}

// body is what a transfer moves.
type body interface {
	// move moves the bytes over an open data connection.
	move(t *transfer, c *dataConn) error
	// commit ends a transfer whose bytes have all been moved.
	commit() error
	// giveUp ends a transfer that failed. It is called once, instead of commit or after it failed.
	giveUp(cause error)
}

// outcome is how a transfer ended.
type outcome struct {
	err    error
	secure bool
	wire   int64 // with MODE Z, bytes over the data connection
	stored vfs.Stored
	panic  any
	stack  []byte
	answer answer // of work
}

// bufferPool lends the buffers of transfers that cannot go through the kernel.
var bufferPool = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// smallPool lends what the first bytes of an upload come through: there may be thousands of small ones at once.
var smallPool = sync.Pool{New: func() any { b := make([]byte, smallSize); return &b }}

const (
	bufferSize = 64 << 10
	smallSize  = 8 << 10
)

// newTransfer makes a transfer and the tree bound to its context.
func (s *session) newTransfer(verb, path string, upload bool) (*transfer, afero.Fs) {
	t := &transfer{
		verb: verb, path: path, upload: upload, size: -1,
		eof: make(chan chan error), done: make(chan outcome, 1),
	}
	// Not a child of the session's context: nothing may call off a commit that is under way.
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	return t, vfs.WithContext(t.ctx, s.fs)
}

// prepared is what the tree has said before the 150.
type prepared struct {
	err   error
	panic any
	stack []byte
}

// prepare runs what a transfer asks of the tree before its 150. A store may take its time: that runs
// beside the session, which answers NOOP, STAT and ABOR meanwhile as it does during the transfer, and then goes on with
// then, which begins the transfer or refuses it. The goroutine ends with its answer.
func (s *session) prepare(t *transfer, ask func() error, then func(error)) {
	answer := make(chan prepared, 1)
	t.start, t.prepared, t.then = time.Now(), answer, then
	s.transfer = t
	go func() {
		var p prepared
		defer func() {
			if v := recover(); v != nil {
				p = prepared{fmt.Errorf("panic: %v", v), v, debug.Stack()}
			}
			answer <- p
		}()
		p.err = ask()
	}()
}

// goOn goes on with a transfer when the tree has said what it was asked before the 150.
func (s *session) goOn(p prepared) {
	t := s.transfer
	s.transfer, t.prepared = nil, nil
	err := p.err
	if cause := context.Cause(t.ctx); cause != nil {
		err = cause // says more than the error that came of it
	}
	t.then(err)
	if s.transfer != nil {
		if s.lost && !s.quitting {
			s.mourn()
		}
		return
	}
	s.spend(t.verb)
	s.finished(t, p.panic, p.stack)
}

// ready reports whether a transfer may begin, and answers why not.
func (s *session) ready() bool {
	if s.lis.RequireTLSData && !s.private {
		s.reply(521, "Data connections must be private: send PROT P")
		return false
	}
	if _, none := s.data.(noPromise); none {
		s.reply(425, "Send PASV or PORT first")
		return false
	}
	return true
}

// refuseTransfer answers an error that came before the 150. The promised data connection
// is given up: clients open a new one for the next try.
func (s *session) refuseTransfer(t *transfer, err error, p phase) {
	t.cancel(errSessionEnded)
	s.data.release()
	s.data = noPromise{}
	s.failure(t.verb, t.path, err, p)
}

// failure answers an error and logs all of it: the one place where errors of commands are logged.
func (s *session) failure(verb, path string, err error, p phase) {
	r := replyFor(err, p)
	s.log.Info(verb+" refused", "path", path, "code", r.code, "err", err)
	s.reply(r.code, r.text)
}

// begin sends the 150 and starts the transfer's goroutine, which ends with its outcome.
func (s *session) begin(t *transfer, text string) {
	p := s.data
	s.data = noPromise{}
	t.start, t.modeZ, t.level = time.Now(), s.modeZ, s.level
	t.client = s.client()
	s.reply(150, text)
	s.transfer = t
	s.begins(t.verb, t.path, t)
	go func() {
		t.done <- s.transferRun(t, p)
	}()
}

// transferRun is the transfer's goroutine: open, move, ask, commit or give up.
func (s *session) transferRun(t *transfer, p promise) (o outcome) {
	ended := false
	giveUp := func(err error) {
		ended = true
		t.body.giveUp(err)
		o.err = err
	}
	defer func() {
		if v := recover(); v != nil {
			o.panic, o.stack, o.err = v, debug.Stack(), fmt.Errorf("panic: %v", v)
			if !ended {
				defer func() {
					if v := recover(); v != nil { // what is broken in one place may be in the other
						o.err = errors.Join(o.err, fmt.Errorf("panic: %v", v))
					}
				}()
				t.body.giveUp(o.err)
			}
		}
	}()
	c, err := s.openData(t.ctx, p, t.upload)
	p.release()
	if err != nil {
		if cause := context.Cause(t.ctx); cause != nil {
			err = cause
		} else {
			err = errors.Join(errNoData, err)
		}
		giveUp(err)
		return o
	}
	o.secure = c.secure
	meters, release := s.srv.throttle.meters(s.srv, s.account, t.upload)
	defer release()
	c.slowDown(t.ctx, meters)
	if t.modeZ {
		c.deflate(s.srv, t.level)
		defer func() { o.wire = c.z.wire; c.z.release() }()
	}
	stop := context.AfterFunc(t.ctx, c.interrupt)
	err = t.body.move(t, c)
	switch {
	case err != nil:
	case t.upload:
		err = t.askCommit()
	case t.modeZ:
		if err = c.z.finish(); err != nil {
			err = dataFailure(err)
		}
	}
	stop()
	if err != nil {
		// What called the transfer off says more than the error that came of it.
		if cause := context.Cause(t.ctx); cause != nil {
			err = cause
		}
	}
	if cerr := c.end(err == nil); err == nil && cerr != nil && !t.upload {
		err = &dataError{cerr}
	}
	if err != nil {
		giveUp(err)
		return o
	}
	if err := t.body.commit(); err != nil {
		giveUp(err)
		return o
	}
	o.stored = t.stored()
	if h := s.srv.Hooks.Received; h != nil && t.upload {
		if err := h(t.client, t.report(o, 226)); err != nil {
			o.err = fmt.Errorf("stored, and yet not received: %w", err)
		}
	}
	return o
}

// ascii reports whether line ends were converted.
func (t *transfer) ascii() bool {
	switch b := t.body.(type) {
	case *upload:
		return b.ascii
	case *download:
		return b.ascii
	}
	return true // listings are text
}

// stored tells where an upload is that has been committed.
func (t *transfer) stored() vfs.Stored {
	if u, ok := t.body.(*upload); ok {
		return vfs.StoredAs(u.f)
	}
	return vfs.Stored{}
}

// report is what hooks are told of a transfer.
func (t *transfer) report(o outcome, code int) Transfer {
	return Transfer{
		Verb: t.verb, Path: t.path, Upload: t.upload, TLS: o.secure, ASCII: t.ascii(), Bytes: t.moved.Load(), Stored: o.stored,
		Took: time.Since(t.start), Result: resultOf(o.err), Code: code, Err: o.err,
	}
}

// askCommit asks the session whether the end of the data is the end of the file.
func (t *transfer) askCommit() error {
	answer := make(chan error, 1)
	t.eof <- answer
	return <-answer
}

// endOfData begins the verdict about an upload whose data connection has ended in
// order. A client that was killed ends it so too: its kernel closes both
// connections, in perfect order, the data connection often some microseconds
// before the control connection. So where the commit publishes, the
// control connection is looked at twice, at once and after Server.CutSettle.
func (s *session) endOfData(answer chan<- error) {
	t := s.transfer
	t.answer = answer
	if t.publishes && s.mayBeCut() && !s.controlGone() && !s.quitting && s.srv.cutSettle() > 0 {
		t.settled = time.After(s.srv.cutSettle())
		return
	}
	s.decide()
}

// mayBeCut reports whether the end of the control connection means anything for the upload.
func (s *session) mayBeCut() bool { return !s.profile.AcceptControlLost && !s.quitting }

// decide gives the verdict. It is the last moment at which the upload can be called off.
func (s *session) decide() {
	t := s.transfer
	t.settled = nil
	var err error
	if s.mayBeCut() && s.controlGone() {
		err = errControlLost
	}
	if t.exact && t.moved.Load() < t.size {
		err = errShort
	}
	if cause := context.Cause(t.ctx); cause != nil {
		err = cause // perhaps an ABOR that was read just now
	}
	if err == nil {
		t.committing, t.grace = true, nil
	}
	t.answer <- err
	t.answer = nil
}

// controlGone looks once whether the control connection has ended without QUIT.
// The kernel of a client that was killed ends both connections in perfect
// order; this is how its half file is told from a whole one.
func (s *session) controlGone() bool {
	if s.quitting {
		return false
	}
	if !s.lost && !peerEnded(s.raw) {
		return false
	}
	// All that the peer has sent is here already: look for a QUIT in it.
	limit := time.NewTimer(5 * time.Second)
	defer limit.Stop()
	for !s.lost && !s.quitting {
		s.askLine()
		select {
		case l := <-s.lines.got:
			s.asked = false
			s.line(l)
		case <-limit.C:
			return true
		}
	}
	return !s.quitting
}

// callOffTransfer breaks off a running transfer, unless its commit is under way.
func (s *session) callOffTransfer(cause error) {
	if t := s.transfer; t != nil && !t.committing {
		t.cancel(cause)
	}
}

// transferDone answers, logs and reports the end of a transfer.
func (s *session) transferDone(o outcome) {
	t := s.transfer
	s.transfer = nil
	t.cancel(errSessionEnded) // releases the context
	if t.work != nil {
		s.workDone(t, o)
		return
	}
	s.rest = 0

	if o.err == nil {
		s.reply(226, "Transfer complete")
	} else {
		p := moving
		if t.upload {
			p = storing
		}
		r := replyFor(o.err, p)
		s.reply(r.code, r.text)
	}
	s.reportTransfer(t, o)
	s.finished(t, o.panic, o.stack)
}

// finished reports the command that t was for, answers the ABORs that came meanwhile, and ends the session
// after a programming error.
func (s *session) finished(t *transfer, panicked any, stack []byte) {
	s.commandDone(t.line.verb, t.line.cmd, t.line.arg, t.line.start)
	for range t.aborts {
		s.reply(226, "ABOR successful")
	}
	if panicked != nil {
		s.panicked(panicked, stack)
		s.ended = true
	}
}

func (s *session) reportTransfer(t *transfer, o outcome) {
	r := t.report(o, s.lastCode)
	args := []any{"path", t.path, "result", string(r.Result), "bytes", r.Bytes, "seconds", r.Took.Seconds(), "code", r.Code}
	if t.modeZ {
		args = append(args, "compressed", o.wire)
	}
	switch {
	case errors.Is(o.err, errControlLost):
		s.log.Warn(t.verb, append(args, "err", o.err, "hint", "if this device hangs up at once after the last byte, set cut.control_lost: accept")...)
	case errors.Is(o.err, errNoClose):
		s.log.Warn(t.verb, append(args, "err", o.err, "hint", "if this device never sends close_notify, set cut.close_notify: accept")...)
	case o.err != nil:
		s.log.Warn(t.verb, append(args, "err", o.err)...)
	default:
		s.log.Info(t.verb, args...)
	}
	if h := s.srv.Hooks.Transfer; h != nil {
		h(s.client(), r)
	}
}

// cmdABOR breaks off the transfer: 426 for it, then 226 (RFC 959 section 4.1.3). One whose
// commit is under way is complete already: 226 twice.
func (s *session) cmdABOR(string) {
	if s.transfer != nil {
		s.transfer.aborts++
		s.callOffTransfer(errAborted)
		return
	}
	s.data.release()
	s.data = noPromise{}
	s.reply(226, "No transfer to abort")
}
