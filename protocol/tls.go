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

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// makeBaseTLS prepares the configuration that the one of every connection of a listener is cloned from.
// Its ticket keys are the ones in use: see sessionTLS.
func (s *Server) makeBaseTLS(l *Listener) *tls.Config {
	from := l.TLSConfig
	if from == nil {
		from = s.TLSConfig
	}
	if from == nil {
		return nil
	}
	c := from.Clone()
	c.SessionTicketsDisabled = s.SessionReuse == ReuseOff
	return c
}

// sessionTLS returns the configuration for a connection of the session. The tickets given
// over it carry the session's id, and only tickets of this session are taken: a data
// connection that resumes has proved that it comes from the client of this
// very control connection. The base configuration encrypts the tickets, so that its keys and their rotation are shared.
// What the client offers is put into o.
func (s *session) sessionTLS(o *offer) *tls.Config {
	base := s.lis.baseTLS
	c := base.Clone()
	if f := s.lis.ClientCAs; f != nil {
		c.ClientCAs = f()
	}
	next := base.GetConfigForClient
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		o.record(h)
		if next != nil {
			return next(h)
		}
		return nil, nil
	}
	c.GetCertificate = s.certificateFor(base.GetCertificate)
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
func (s *session) dataTLS(upload bool, o *offer) *tls.Config {
	outer := s.sessionTLS(o)
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
		o.record(h)
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
	var o offer
	under := s.raw
	if s.srv.AllowCCC {
		under = &recordConn{Conn: s.raw}
	}
	c := tls.Server(under, s.sessionTLS(&o))
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
		s.log.Warn("TLS handshake failed", "err", o.handshakeError(err, s.lis.baseTLS))
		return false
	}
	s.conn, s.tls = c, true
	st := c.ConnectionState()
	s.named(st.ServerName)
	s.certificate = auth.ClientCertificate(&st)
	if s.lines != nil {
		s.lines.conn = c
	}
	s.introduce()
	if s.debugging() {
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
	switch {
	case s.tls:
		// RFC 2228 would let a client negotiate anew. TLS in TLS is what nobody wants; 534 is
		// the code that its section 5 has for AUTH and for a server that is unwilling.
		s.reply(534, "TLS is already in use")
		return
	case s.lis.baseTLS == nil || s.lis.TLS != TLSExplicit:
		s.reply(502, "TLS is not available here")
		return
	case !slices.Contains([]string{"TLS", "TLS-C", "SSL", "TLS-P"}, mech):
		s.reply(504, "Unknown security mechanism, TLS is known")
		return
	case s.sentAhead():
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
		s.named(s.sni) // the host of the old login was not to be changed
	}
	s.user, s.userSent, s.pbsz = "", false, false
	s.introduce()
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

var (
	errNotResumed  = errors.New("TLS session of the control connection was not resumed")
	errOtherClient = errors.New("without the client certificate of the control connection")
)

// secure puts TLS over a data connection, the server being TLS's server also in
// active mode (RFC 4217 section 7).
func (s *session) secure(ctx context.Context, raw *rawData, upload bool) (*tlsData, error) {
	var o offer
	d := &tlsData{Conn: tls.Server(raw, s.dataTLS(upload, &o)), raw: raw, sloppy: s.profile.AcceptNoCloseNotify}
	if err := d.HandshakeContext(ctx); err != nil {
		return nil, o.handshakeError(err, s.lis.baseTLS)
	}
	st := d.ConnectionState()
	if s.srv.SessionReuse == ReuseRequire && !st.DidResume {
		return nil, errNotResumed
	}
	// Who has shown a certificate on the control connection shows the same one here, itself or by
	// resuming the session in which it was shown.
	if s.certificate != nil && !s.certificate.Equal(auth.ClientCertificate(&st)) {
		return nil, errOtherClient
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
