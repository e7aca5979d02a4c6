package protocol

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// LogHandler is a slog.Handler that writes the lines of sessions in a way of its own. Where the handler of
// Server.Log is one, it is asked for each session, and again whenever what is known of the client has changed. Other handlers
// get the attributes "session", "remote" and, behind the login, "user".
type LogHandler interface {
	slog.Handler
	// WithClient may keep c, which nobody changes any more.
	WithClient(c *Client) slog.Handler
}

// clientLog is the logger of a client's lines.
func (s *Server) clientLog(c *Client) *slog.Logger {
	if h, ok := s.log.Handler().(LogHandler); ok {
		return slog.New(h.WithClient(c))
	}
	return slog.New(s.log.Handler().WithAttrs(c.LogAttrs()))
}

// LogAttrs are the attributes that tell a client in a log: "session", "remote" and, behind the login, "user".
func (c Client) LogAttrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 3)
	if c.ID != 0 {
		attrs = append(attrs, slog.Uint64("session", c.ID))
	}
	attrs = append(attrs, slog.String("remote", c.Remote.String()))
	if c.User != "" {
		attrs = append(attrs, slog.String("user", c.User))
	}
	return attrs
}

// introduce makes the session's logger, and shows others what is known of the client. It is called whenever that has changed.
func (s *session) introduce() {
	c := s.client()
	s.log = s.srv.clientLog(&c)
	s.seen.client.Store(&c) // the same as the log's: an idle session holds one
}

// debugging reports whether the session's lines at Debug go anywhere, which can change at any time.
func (s *session) debugging() bool { return s.log.Enabled(s.ctx, slog.LevelDebug) }

// seen is what other goroutines may see of a session. The session stores what is immutable behind the pointers; nobody waits
// for anybody.
type seen struct {
	client atomic.Pointer[Client]
	doing  atomic.Pointer[doing] // nil while the session waits for a command
	active atomic.Int64          // when the last command came or ended, in Unix nanoseconds
}

// doing is a command that is being handled.
type doing struct {
	verb, path string
	since      time.Time
	transfer   *transfer // nil for none; only its moved may be looked at
	upload     bool
}

// begins notes that a command is handled from now on. Of what is no path nothing is kept: it may be a password.
func (s *session) begins(verb, path string, t *transfer) {
	now := time.Now()
	s.seen.active.Store(now.UnixNano())
	d := &doing{verb: verb, path: path, since: now, transfer: t}
	if t != nil {
		d.since, d.upload = t.start, t.upload
	}
	s.seen.doing.Store(d)
}

// rests notes that the session waits for a command.
func (s *session) rests() {
	s.seen.active.Store(time.Now().UnixNano())
	s.seen.doing.Store(nil)
}

// SessionInfo is what can be seen of a session from outside at some moment.
type SessionInfo struct {
	Client
	Start time.Time
	Idle  time.Duration // since the last command ended; 0 while one is handled
	// Verb is that of the command that is being handled, Path what it is about, and Since when it
	// began; all are empty while the session waits for a command.
	Verb, Path string
	Since      time.Time
	// Transfer tells that the command is a transfer, of Bytes so far.
	Transfer, Upload bool
	Bytes            int64
}

// List tells about all sessions, in the order in which they began. Sessions do not notice.
func (s *Server) List() []SessionInfo {
	s.init()
	s.mu.Lock()
	all := make([]*session, 0, len(s.sessions))
	for ses := range s.sessions {
		all = append(all, ses)
	}
	s.mu.Unlock()
	list := make([]SessionInfo, 0, len(all))
	now := time.Now()
	for _, ses := range all {
		c := ses.seen.client.Load()
		if c == nil {
			continue // just accepted
		}
		i := SessionInfo{Client: *c, Start: ses.start}
		if d := ses.seen.doing.Load(); d != nil {
			i.Verb, i.Path, i.Since = d.verb, d.path, d.since
			if d.transfer != nil {
				i.Transfer, i.Upload, i.Bytes = true, d.upload, d.transfer.moved.Load()
			}
		} else {
			began := ses.start
			if n := ses.seen.active.Load(); n != 0 {
				began = time.Unix(0, n)
			}
			i.Idle = max(0, now.Sub(began))
		}
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b SessionInfo) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// errKicked is why a session was called off by End.
var errKicked = errors.New("ended by the operator")

// End ends a session with 421, and calls off its transfer as if it had been cut, unless its commit is under way. It reports whether there is such a session; that ends soon after.
func (s *Server) End(id uint64) bool {
	s.init()
	s.mu.Lock()
	defer s.mu.Unlock()
	for ses := range s.sessions {
		if ses.id == id && !ses.left {
			ses.callOffNow(errKicked)
			return true
		}
	}
	return false
}

// calledOffFor reports whether the session was called off for that reason.
func (s *session) calledOffFor(why error) bool { return errors.Is(context.Cause(s.ctx), why) }
