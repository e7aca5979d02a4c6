package protocol

import (
	"crypto/tls"
	"time"
)

const (
	// replyTimeout bounds how long a client may leave a reply unread.
	replyTimeout = 30 * time.Second
	// replyClosing bounds the same once the server has begun to shut down, and replyCalledOff once the session
	// has been called off.
	replyClosing   = 5 * time.Second
	replyCalledOff = time.Second

	// lingerTime and lingerBytes bound what is still read from a client behind the last reply.
	lingerTime  = time.Second
	lingerBytes = 64 << 10
	// maxLingering bounds how many sessions do so at a time: behind it connections are closed at once.
	maxLingering = 256
)

// finish releases everything, whatever ended the session.
func (s *session) finish() {
	s.data.release()
	if s.srv.leave(s) && !s.lost && s.writeErr == nil && s.ctx.Err() == nil {
		s.linger()
	}
	s.cancel(errSessionEnded)
	s.conn.SetWriteDeadline(time.Now().Add(time.Second)) // for TLS's close_notify
	s.conn.Close()
	s.raw.Close()
	if s.account != nil {
		s.loggedOut()
	}
	if isTimeout(s.writeErr) {
		s.log.Warn("the client does not read its replies")
	}
	s.log.Debug("session ended", "seconds", time.Since(s.start).Seconds())
	if h := s.srv.Hooks.Disconnect; h != nil && s.connected {
		h(s.client(), time.Since(s.start))
	}
}

// linger ends the server's side and reads what the client has still sent. A connection
// that is closed with unread bytes is reset, and a reset can take the last reply
// away from a client that has not read it yet.
func (s *session) linger() {
	raw, ok := s.raw.(interface{ CloseWrite() error })
	if !ok {
		return
	}
	s.conn.SetWriteDeadline(time.Now().Add(time.Second))
	if c, ok := s.conn.(*tls.Conn); ok && c.CloseWrite() != nil { // close_notify
		return
	}
	if raw.CloseWrite() != nil {
		return
	}
	s.raw.SetReadDeadline(time.Now().Add(lingerTime))
	if s.ctx.Err() != nil {
		return
	}
	b := smallPool.Get().(*[]byte)
	defer smallPool.Put(b)
	for n := 0; n < lingerBytes; {
		m, err := s.raw.Read(*b)
		if err != nil {
			return
		}
		n += m
	}
}

// write sends bytes over the control connection. A client that does not read
// them loses its session in the end, and holds nobody up: see hurry.
func (s *session) write(b []byte) {
	if s.writeErr != nil {
		return
	}
	s.conn.SetWriteDeadline(time.Now().Add(replyTimeout))
	switch {
	case s.ctx.Err() != nil:
		s.hurry(replyCalledOff)
	case s.stopping():
		s.hurry(replyClosing)
	}
	_, s.writeErr = s.conn.Write(b)
}

// hurry shortens the time for the reply that is being written. Like wake it is called by other goroutines: after
// they have called the session off, so that either this or write sees it.
func (s *session) hurry(d time.Duration) { s.raw.SetWriteDeadline(time.Now().Add(d)) }

// stop tells the session that the server shuts down.
func (s *session) stop() {
	s.wake()
	s.hurry(replyClosing)
}

// callOffNow tells the session to end at once. Other goroutines call it.
func (s *session) callOffNow(cause error) {
	s.cancel(cause)
	s.wake()
	s.hurry(replyCalledOff)
}
