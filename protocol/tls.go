package protocol

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// makeBaseTLS prepares the configuration that every connection's own one is cloned from.
// Its ticket keys are the ones in use: see sessionTLS.
func (s *Server) makeBaseTLS() *tls.Config {
	if s.TLSConfig == nil {
		return nil
	}
	c := s.TLSConfig.Clone()
	c.SessionTicketsDisabled = s.SessionReuse == ReuseOff
	return c
}

// sessionTLS returns the configuration for a connection of the session. The tickets given
// over it carry the session's id, and only tickets of this session are taken: a data
// connection that resumes has proved that it comes from the client of this
// very control connection. The base configuration encrypts the tickets, so that its keys and their rotation are shared.
func (s *session) sessionTLS() *tls.Config {
	base := s.srv.baseTLS
	c := base.Clone()
	id := binary.BigEndian.AppendUint64([]byte("ftp-gateway session "), s.id)
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		ss.Extra = append(ss.Extra, id)
		return base.EncryptTicket(cs, ss)
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := base.DecryptTicket(ticket, cs)
		if err != nil || ss == nil {
			return nil, err
		}
		if !slices.ContainsFunc(ss.Extra, func(e []byte) bool { return bytes.Equal(e, id) }) {
			return nil, nil // another session's: a full handshake
		}
		return ss, nil
	}
	return c
}

// extPreSharedKey is TLS 1.3's pre_shared_key extension, RFC 8446 section 4.2.
const extPreSharedKey = 41

// dataTLS returns the configuration for one data connection.
//
// On uploads no TLS 1.3 ticket is sent: it would come after the handshake, a
// client that only writes and then closes would never read it, and its kernel
// would answer the unread bytes with a reset that takes the end of the file with it. Resuming
// is still possible: the ticket of the control connection, or of a download, serves.
func (s *session) dataTLS(upload bool) *tls.Config {
	outer := s.sessionTLS()
	if !upload || outer.SessionTicketsDisabled {
		return outer
	}
	inner := outer.Clone()
	unwrap := inner.UnwrapSession
	inner.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		inner.SessionTicketsDisabled = true // read next when a ticket would be sent, by this same goroutine
		return unwrap(ticket, cs)
	}
	outer.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(h.SupportedVersions, tls.VersionTLS13) && (inner.MaxVersion == 0 || inner.MaxVersion >= tls.VersionTLS13) &&
			!slices.Contains(h.Extensions, extPreSharedKey) {
			inner.SessionTicketsDisabled = true
		}
		return inner, nil
	}
	return outer
}

// startTLS puts TLS over the control connection. No line is being read now.
func (s *session) startTLS() bool {
	c := tls.Server(s.raw, s.sessionTLS())
	limit := s.srv.connectTimeout()
	if s.account == nil {
		limit = min(limit, time.Until(s.loginBy))
	}
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	s.raw.SetReadDeadline(time.Time{}) // that of the last line: the context has the handshake's
	if s.called() {
		return false
	}
	if err := c.HandshakeContext(ctx); err != nil {
		s.log.Warn("TLS handshake failed", "err", err)
		return false
	}
	s.conn, s.tls = c, true
	if s.lines != nil {
		s.lines.conn = c
	}
	if s.debugOn {
		st := c.ConnectionState()
		s.log.Debug("TLS on the control connection", "version", tls.VersionName(st.Version), "cipher", tls.CipherSuiteName(st.CipherSuite), "sni", st.ServerName)
	}
	return true
}

func (s *session) tlsState() *tls.ConnectionState {
	if c, ok := s.conn.(*tls.Conn); ok {
		st := c.ConnectionState()
		return &st
	}
	return nil
}

// cmdAUTH begins TLS, RFC 4217 section 4.
func (s *session) cmdAUTH(arg string) {
	mech := strings.ToUpper(strings.TrimSpace(arg))
	switch mech {
	case "TLS", "TLS-C", "SSL", "TLS-P":
	default:
		s.reply(504, "Unknown security mechanism, TLS is known")
		return
	}
	if s.srv.baseTLS == nil || s.lis.TLS != TLSExplicit {
		s.reply(502, "TLS is not available here")
		return
	}
	if s.tls {
		s.reply(503, "TLS is already in use")
		return
	}
	if s.sentAhead() {
		// Whatever was sent behind AUTH in clear text may come from somebody in the
		// middle and must not be taken for the client's word under TLS.
		s.log.Warn("plaintext behind AUTH, session ended")
		s.reply(421, "Data after AUTH is not allowed")
		s.ended = true
		return
	}
	s.reply(234, "Proceed with the TLS handshake")
	if s.writeErr != nil || !s.startTLS() {
		s.ended = true
		return
	}
	// A new security state: the login begins anew, RFC 4217 section 11.
	if s.account != nil {
		s.logout()
	}
	s.user, s.userSent, s.pbsz = "", false, false
	s.private = mech == "SSL" || mech == "TLS-P" // RFC 4217 section 4: PROT P is implied
}

// sentAhead reports whether the client has sent anything behind the command that is
// being handled. Afterwards nobody reads the connection: an AUTH that was sent during a transfer
// has a goroutine behind it that already waits for the next line.
func (s *session) sentAhead() bool {
	if s.asked {
		s.wake()
		l := <-s.lines.got
		s.asked = false
		if !isTimeout(l.err) {
			return true
		}
	}
	return !s.queued.empty() || s.lines.begun()
}

func (s *session) cmdPBSZ(arg string) {
	if !s.tls {
		s.reply(503, "Send AUTH first")
		return
	}
	if strings.Trim(strings.TrimSpace(arg), "0123456789") != "" {
		s.reply(501, "A number is needed")
		return
	}
	s.pbsz = true
	s.reply(200, "PBSZ=0")
}

func (s *session) cmdPROT(arg string) {
	switch p := strings.ToUpper(strings.TrimSpace(arg)); {
	case !s.tls:
		s.reply(503, "Send AUTH first")
	case !s.pbsz && s.lis.TLS != TLSImplicit:
		s.reply(503, "Send PBSZ first")
	case p == "C" && s.lis.RequireTLSData:
		s.reply(534, "Data connections must be private here")
	case p == "C", p == "P":
		s.private = p == "P"
		s.reply(200, "Protection level set to "+p)
	case p == "S", p == "E":
		s.reply(536, "Protection level not supported by TLS")
	default:
		s.reply(504, "Unknown protection level")
	}
}

var errNotResumed = errors.New("TLS session of the control connection was not resumed")

// secure puts TLS over a data connection, the server being TLS's server also in
// active mode (RFC 4217 section 7).
func (s *session) secure(ctx context.Context, raw *rawData, upload bool) (*tlsData, error) {
	d := &tlsData{Conn: tls.Server(raw, s.dataTLS(upload)), raw: raw, sloppy: s.profile.AcceptNoCloseNotify}
	if err := d.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if s.srv.SessionReuse == ReuseRequire && !d.ConnectionState().DidResume {
		return nil, errNotResumed
	}
	return d, nil
}

// tlsData is a TLS data connection that can tell an orderly end from a cut one.
// crypto/tls answers io.EOF to both.
type tlsData struct {
	*tls.Conn
	raw *rawData
	// sloppy takes an end without close_notify for one, if it does not fall into a record.
	sloppy bool
}

// Read returns errNoClose instead of io.EOF where the peer ended the TCP
// connection without close_notify: after a close_notify crypto/tls does not read on, so
// the end of the raw connection has not been seen then.
func (d *tlsData) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if err == io.EOF && d.sloppy {
		return n, err
	}
	if d.raw.eof.Load() && (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = errNoClose
	}
	return n, err
}
