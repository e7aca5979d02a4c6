package protocol

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// cmdCCC goes back to clear text on the control connection, RFC 2228 section 3 and RFC 4217 section 6,
// for firewalls that have to read PORT and PASV. The reply is the last that goes out under TLS; then both
// sides end it with close_notify. Data connections keep their protection, and PROT cannot be changed
// any more: in clear text anybody on the way could have sent it.
func (s *session) cmdCCC(string) {
	switch {
	case !s.tls:
		s.reply(503, "Send AUTH first")
		return
	case !s.srv.AllowCCC:
		s.reply(534, "The control connection stays private here")
		return
	case s.sentAhead():
		// A line that has begun under TLS must not be ended by somebody in the middle.
		s.log.Warn("commands behind CCC, session ended")
		s.reply(421, "Data after CCC is not allowed")
		s.ended = true
		return
	}
	s.reply(200, "The control connection becomes clear text")
	if s.writeErr != nil || !s.endTLS() {
		s.ended = true
	}
}

// endTLS exchanges close_notify and takes TLS off the control connection. A client that answers the server's
// with its next command in clear text instead (curl in its passive mode) is understood. Whatever else goes wrong
// ends the session: nobody could tell any more what is TLS and what is not.
func (s *session) endTLS() bool {
	c := s.conn.(*tls.Conn)
	s.raw.SetDeadline(time.Now().Add(s.srv.connectTimeout()))
	if s.called() {
		return false
	}
	if err := c.CloseWrite(); err != nil {
		s.log.Warn("CCC: TLS could not be ended", "err", err)
		return false
	}
	records := c.NetConn().(*recordConn)
	plain, err := records.plain()
	if plain == nil && err == nil {
		var n int
		if n, err = c.Read(make([]byte, 1)); n > 0 {
			s.log.Warn("CCC: commands under TLS behind it, session ended")
			return false
		}
		if err == io.EOF && !records.eof {
			err = nil
		}
	}
	if err != nil {
		s.log.Warn("CCC: the client did not end TLS", "err", err)
		return false
	}
	s.raw.SetDeadline(time.Time{})
	s.conn, s.tls = s.raw, false
	s.introduce()
	s.lines.conn = s.raw
	s.lines.r, s.lines.w = 0, copy(s.lines.buf[:], plain)
	s.log.Debug("the control connection is clear text again")
	return true
}

// recordConn gives crypto/tls one record at a time (RFC 8446 section 5.1). By itself it reads as
// much as there is, and with the client's close_notify the first command behind it, in clear text, would be lost.
type recordConn struct {
	net.Conn
	head  [5]byte // of the current record: type, version, length
	have  int     // bytes of it that have arrived
	given int     // bytes of it that have been handed on
	left  int     // bytes of the record behind it
	eof   bool    // the peer has ended the connection itself
}

func (c *recordConn) Read(b []byte) (int, error) {
	for c.have < len(c.head) {
		n, err := c.Conn.Read(c.head[c.have:])
		c.have += n
		if err != nil {
			c.eof = c.eof || err == io.EOF
			return 0, err
		}
		c.left = int(binary.BigEndian.Uint16(c.head[3:]))
	}
	if c.given < len(c.head) {
		n := copy(b, c.head[c.given:])
		c.given += n
		c.next()
		return n, nil
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	c.eof = c.eof || err == io.EOF
	c.next()
	return n, err
}

// plain waits for the first byte of the next record, and returns it if it is none of TLS: those
// begin with a content type from 20 to 23, commands with a letter.
func (c *recordConn) plain() ([]byte, error) {
	if c.have == 0 {
		n, err := c.Conn.Read(c.head[:1])
		c.have = n
		if n == 0 {
			c.eof = c.eof || err == io.EOF
			return nil, err
		}
	}
	if first := c.head[0]; c.have == 1 && (first < 20 || first > 23) {
		return c.head[:1], nil
	}
	return nil, nil
}

// next begins with another record behind the last byte of one.
func (c *recordConn) next() {
	if c.given == len(c.head) && c.left == 0 {
		c.have, c.given = 0, 0
	}
}
