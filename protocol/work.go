package protocol

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/spf13/afero"
)

// work is a command that may take long and needs no data connection: HASH and
// its kin, RNTO, COMB, SITE CPTO. It runs as a transfer does, in a goroutine of its
// own beside the session, so that NOOP, STAT and ABOR are answered meanwhile, other commands wait
// their turn, and the end of the control connection or of the server ends it.
type work struct {
	do func(t *transfer, fsys afero.Fs) (answer, error)
	// outlives says that it goes on to its end when the control connection ends.
	outlives bool
	// changes tells the hooks what was done, on the session's goroutine; nil for nothing.
	changes func()
	// refuse makes the reply of an error; nil means replyFor.
	refuse func(error) replyTo
}

// answer is the last reply of work that was done.
type answer struct {
	code int
	text string
}

// beginWork starts work on the file p. Its goroutine ends with its outcome.
func (s *session) beginWork(verb, p string, w work) {
	t, fsys := s.newTransfer(verb, p, false)
	t.work, t.start = &w, time.Now()
	s.transfer = t
	s.begins(verb, p, nil)
	go func() { t.done <- t.workRun(fsys) }()
}

// workRun is the goroutine of work.
func (t *transfer) workRun(fsys afero.Fs) (o outcome) {
	defer func() {
		if v := recover(); v != nil {
			o.panic, o.stack, o.err = v, debug.Stack(), fmt.Errorf("panic: %v", v)
		}
	}()
	o.answer, o.err = t.work.do(t, fsys)
	if o.err != nil {
		// What called it off says more than the error that came of it.
		if cause := context.Cause(t.ctx); cause != nil {
			o.err = cause
		}
	}
	return o
}

// workDone answers and reports the end of work.
func (s *session) workDone(t *transfer, o outcome) {
	switch {
	case o.err == nil:
		if t.work.changes != nil {
			t.work.changes()
		}
		s.reply(o.answer.code, o.answer.text)
	default:
		refuse := t.work.refuse
		if refuse == nil {
			refuse = func(err error) replyTo { return replyFor(err, asking) }
		}
		r := refuse(o.err)
		s.log.Info(t.verb+" refused", "path", t.path, "code", r.code, "err", o.err)
		s.reply(r.code, r.text)
	}
	s.finished(t, o.panic, o.stack)
}
