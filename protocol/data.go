package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// promise is a data connection that has been agreed upon and not been opened yet.
type promise interface {
	// connect opens it, or waits for the client to do so.
	connect(ctx context.Context) (net.Conn, error)
	// release gives it up.
	release()
}

// noPromise is the state before PASV or PORT.
type noPromise struct{}

func (noPromise) connect(context.Context) (net.Conn, error) {
	return nil, errors.New("neither PASV nor PORT was sent")
}
func (noPromise) release() {}

// activePromise is an address that the client has named by PORT or EPRT.
type activePromise struct {
	srv *Server
	to  netip.AddrPort
	via netip.Addr // our own end of the control connection
}

func (a activePromise) connect(ctx context.Context) (net.Conn, error) {
	return a.srv.dialData(ctx, "tcp", a.to.String(), a.via)
}
func (activePromise) release() {}

// dataConn is an open data connection.
type dataConn struct {
	net.Conn              // what bytes are read from and written to
	tcp      *net.TCPConn // the same, where the kernel may move the bytes by itself
	raw      *rawData     // what lies under TLS
	z        *deflated    // MODE Z over it, or nil
	secure   bool
}

// interrupt makes every read and write fail. It is called from another goroutine.
func (c *dataConn) interrupt() { c.raw.Conn.Close() }

// end closes the connection. Only a transfer that went well ends TLS in order:
// the client can tell the rest from it.
func (c *dataConn) end(ok bool) error {
	if ok && c.secure {
		if err := c.Conn.Close(); err != nil {
			return err
		}
	}
	if err := c.raw.Conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// openData opens the data connection: accept or dial, check of the peer, TLS,
// all under one deadline. It runs on the transfer's goroutine and touches
// nothing of the session that could change during a transfer.
func (s *session) openData(ctx context.Context, p promise, upload bool) (*dataConn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.srv.connectTimeout())
	defer cancel()
	raw, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	peer := addrPort(raw.RemoteAddr()).Addr()
	if !s.srv.PermitForeignAddresses && peer != s.remote.Addr() {
		refuse(raw)
		return nil, fmt.Errorf("connection from %v instead of the client's address", peer)
	}
	r := &rawData{Conn: raw, stall: s.srv.stallTimeout()}
	if !s.private {
		tcp, _ := raw.(*net.TCPConn)
		return &dataConn{Conn: r, tcp: tcp, raw: r}, nil
	}
	d, err := s.secure(ctx, r, upload)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return &dataConn{Conn: d, raw: r, secure: true}, nil
}

// rawData is a data connection on which a step that makes no progress for the
// stall time-out fails with errStalled. It holds a net.Conn, never an embedded
// *net.TCPConn: os.File.ReadFrom would find that one's SyscallConn and move
// the bytes past this type.
type rawData struct {
	net.Conn
	stall time.Duration
	eof   atomic.Bool // the peer has ended its side
}

func (c *rawData) Read(b []byte) (int, error) {
	c.Conn.SetReadDeadline(time.Now().Add(c.stall))
	n, err := c.Conn.Read(b)
	switch {
	case err == io.EOF:
		c.eof.Store(true)
	case isTimeout(err):
		err = errStalled
	}
	return n, err
}

// Write goes on after a time-out in which some bytes went out: a slow client is no
// stalled one. Under TLS this must happen here, since crypto/tls takes a
// write that failed for the connection's end.
func (c *rawData) Write(b []byte) (int, error) {
	done := 0
	for {
		c.Conn.SetWriteDeadline(time.Now().Add(c.stall))
		n, err := c.Conn.Write(b[done:])
		done += n
		switch {
		case isTimeout(err) && n > 0:
			continue
		case isTimeout(err):
			err = errStalled
		}
		return done, err
	}
}

// cmdPASV answers an IPv4 address and a port, RFC 959.
func (s *session) cmdPASV(string) {
	if s.epsvAll {
		s.reply(501, "Only EPSV is allowed after EPSV ALL")
		return
	}
	addr := s.local.Addr()
	if f := s.srv.PassiveAddress; f != nil {
		if a := f(s.local.Addr()); a.IsValid() {
			addr = a
		}
	}
	if !addr.Is4() {
		s.reply(425, "PASV knows IPv4 only, use EPSV")
		return
	}
	port, ok := s.passive()
	if !ok {
		return
	}
	a := addr.As4()
	s.replyf(227, "Entering Passive Mode (%d,%d,%d,%d,%d,%d).", a[0], a[1], a[2], a[3], port>>8, port&0xff)
}

// cmdEPSV answers a port, RFC 2428 section 3.
func (s *session) cmdEPSV(arg string) {
	if s.profile.NoExtended {
		s.reply(502, "Command not implemented, use PASV")
		return
	}
	switch a := strings.ToUpper(strings.TrimSpace(arg)); a {
	case "":
	case "ALL":
		s.epsvAll = true
		s.reply(200, "Only EPSV will be accepted")
		return
	case "1", "2":
		if local := s.local.Addr(); local.Is4() != (a == "1") {
			s.replyf(522, "Network protocol not supported, use (%s)", protocolOf(local))
			return
		}
	default:
		if _, err := strconv.Atoi(a); err != nil {
			s.reply(501, "A protocol number or ALL is needed")
			return
		}
		s.replyf(522, "Network protocol not supported, use (%s)", protocolOf(s.local.Addr()))
		return
	}
	if port, ok := s.passive(); ok {
		s.replyf(229, "Entering Extended Passive Mode (|||%d|)", port)
	}
}

// protocolOf is RFC 2428's number of an address family.
func protocolOf(a netip.Addr) string {
	if a.Is6() {
		return "2"
	}
	return "1"
}

// passive makes the next data connection one that the client opens.
func (s *session) passive() (uint16, bool) {
	old := s.data
	s.data = noPromise{}
	pr, err := s.srv.ports.promise(s.ctx, s.remote.Addr(), s.local.Addr(), old)
	if err != nil {
		s.log.Warn("no passive connection", "err", err)
		s.reply(425, "No passive port free, try again")
		return 0, false
	}
	s.data = pr
	return pr.port, true
}

// cmdPORT takes the client's IPv4 address, RFC 959.
func (s *session) cmdPORT(arg string) {
	if s.epsvAll {
		s.reply(501, "Only EPSV is allowed after EPSV ALL")
		return
	}
	to, ok := parsePORT(strings.TrimSpace(arg))
	if !ok {
		s.reply(501, "Six numbers from 0 to 255 are needed: h1,h2,h3,h4,p1,p2")
		return
	}
	s.active("PORT", to)
}

// cmdEPRT takes the client's address, RFC 2428 section 2.
func (s *session) cmdEPRT(arg string) {
	if s.profile.NoExtended {
		s.reply(502, "Command not implemented, use PORT")
		return
	}
	if s.epsvAll {
		s.reply(501, "Only EPSV is allowed after EPSV ALL")
		return
	}
	to, err := parseEPRT(strings.TrimSpace(arg))
	switch {
	case errors.Is(err, errFamily):
		s.reply(522, "Network protocol not supported, use (1,2)")
	case err != nil:
		s.reply(501, "|protocol|address|port| is needed")
	default:
		s.active("EPRT", to)
	}
}

// active makes the next data connection one that the server opens. Another
// address than the client's would turn the server against third parties (the bounce
// attack, RFC 2577 section 3), a port below 1024 against their services.
func (s *session) active(verb string, to netip.AddrPort) {
	// lftp names "::" over IPv6, and means itself.
	if to.Addr() == netip.IPv6Unspecified() && s.remote.Addr().Is6() {
		to = netip.AddrPortFrom(s.remote.Addr(), to.Port())
	}
	if peer := s.remote.Addr(); s.profile.PeerAddress && to.Addr() != peer && notPublic(to.Addr()) {
		s.log.Debug("private address in "+verb+" replaced by the client's own", "named", to)
		to = netip.AddrPortFrom(peer, to.Port())
	}
	switch {
	case !s.srv.PermitForeignAddresses && to.Addr() != s.remote.Addr():
		s.log.Warn("data connection to a foreign address refused", "to", to)
		s.reply(501, "Foreign address refused")
		return
	case to.Port() == 0 || !s.srv.PermitPrivilegedPorts && to.Port() < 1024:
		s.log.Warn("data connection to a privileged port refused", "to", to)
		s.reply(501, "Privileged port refused")
		return
	}
	s.data.release()
	s.data = activePromise{s.srv, to, s.local.Addr()}
	s.reply(200, verb+" command successful")
}

// carrierNAT is the space of RFC 6598, which providers use behind their own NAT.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// notPublic reports whether an address says nothing outside the network, or the machine, of who names it.
func notPublic(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || carrierNAT.Contains(a)
}

// parsePORT reads "h1,h2,h3,h4,p1,p2".
func parsePORT(arg string) (netip.AddrPort, bool) {
	f := strings.Split(arg, ",")
	if len(f) != 6 {
		return netip.AddrPort{}, false
	}
	var b [6]byte
	for i, x := range f {
		n, err := strconv.ParseUint(strings.TrimSpace(x), 10, 8)
		if err != nil {
			return netip.AddrPort{}, false
		}
		b[i] = byte(n)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8|uint16(b[5])), true
}

var (
	errFamily  = errors.New("unknown network protocol")
	errBadEPRT = errors.New("malformed EPRT argument")
)

// parseEPRT reads "<d><protocol><d><address><d><port><d>".
func parseEPRT(arg string) (netip.AddrPort, error) {
	if len(arg) < 2 || arg[0] < 33 || arg[0] > 126 {
		return netip.AddrPort{}, errBadEPRT
	}
	f := strings.Split(arg, arg[:1])
	if len(f) != 5 || f[0] != "" || f[4] != "" {
		return netip.AddrPort{}, errBadEPRT
	}
	switch {
	case f[1] == "1", f[1] == "2":
	case f[1] != "" && strings.Trim(f[1], "0123456789") == "":
		return netip.AddrPort{}, errFamily
	default:
		return netip.AddrPort{}, errBadEPRT
	}
	addr, err := netip.ParseAddr(f[2])
	if err != nil || addr.Zone() != "" || addr.Is4() != (f[1] == "1") {
		return netip.AddrPort{}, errBadEPRT
	}
	port, err := strconv.ParseUint(f[3], 10, 16)
	if err != nil {
		return netip.AddrPort{}, errBadEPRT
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}
