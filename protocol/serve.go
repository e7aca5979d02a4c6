package protocol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// serverState is what a running server keeps, behind the fields that its user set.
type serverState struct {
	once    sync.Once
	start   time.Time // of the server
	log     *slog.Logger
	closing chan struct{}    // closed by Shutdown
	hosts   map[string]*Host // by folded name
	ports   *passivePool
	owners  ownerNames
	hashes  chan struct{} // one in it for each command that reads a file for its digest

	throttle    throttle
	compressing atomic.Int32 // MODE Z downloads that have a compressor

	mu        sync.Mutex
	nextID    uint64
	stopped   bool
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{}
	strangers map[*session]time.Time // those that have not logged in, since when
	leaving   int                    // sessions that only end their connection any more
	perIP     map[netip.Prefix]int   // see network
	perUser   map[string]int
	idle      *sync.Cond // signalled when a session has gone
}

func (s *Server) init() {
	s.once.Do(func() {
		s.log = s.Log
		if s.log == nil {
			s.log = slog.Default()
		}
		s.start = time.Now()
		s.hosts = s.hostsByName()
		s.closing = make(chan struct{})
		s.listeners = make(map[net.Listener]struct{})
		s.sessions = make(map[*session]struct{})
		s.strangers = make(map[*session]time.Time)
		s.perIP = make(map[netip.Prefix]int)
		s.perUser = make(map[string]int)
		s.idle = sync.NewCond(&s.mu)
		s.hashes = make(chan struct{}, or(s.MaxHashes, 4))
		s.ports = newPassivePool(s.PassivePorts, s.PassiveMatch == MatchExclusive, s.PermitForeignAddresses, s.listenData, s.log)
	})
}

// ListenAndServe is Serve on a TCP address such as ":2121" or "127.0.0.1:21", with TLS offered (AUTH TLS) where TLSConfig is set.
func (s *Server) ListenAndServe(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("protocol: %w", err)
	}
	mode := TLSNone
	if s.TLSConfig != nil {
		mode = TLSExplicit
	}
	return s.Serve(Listener{Listener: l, TLS: mode})
}

// Serve accepts sessions on l until Shutdown or Close, and then returns
// ErrServerClosed. It may be called for several listeners at once. It closes l.
func (s *Server) Serve(l Listener) error {
	s.init()
	defer l.Close()
	l.baseTLS = s.makeBaseTLS(&l)
	if l.TLS != "" && l.TLS != TLSNone && l.baseTLS == nil {
		return errors.New("protocol: a listener asks for TLS and there is no TLSConfig")
	}
	if !s.track(l.Listener) {
		return ErrServerClosed
	}
	defer s.untrack(l.Listener)
	var wait time.Duration
	for {
		c, err := l.Accept()
		if err != nil {
			select {
			case <-s.closing:
				return ErrServerClosed
			default:
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of file descriptors, or a connection that died while it
			// waited: both pass.
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			s.log.Warn("accept failed, trying again", "err", err, "wait", wait)
			select {
			case <-time.After(wait):
			case <-s.closing:
			}
			continue
		}
		wait = 0
		s.admit(&l, c)
	}
}

// tuneControl sets the socket options of a control connection. Keepalive stays well below
// the 350 s after which cloud load balancers drop a silent connection.
func tuneControl(c net.Conn) {
	oobInline(c)
	if t, ok := c.(*net.TCPConn); ok {
		t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 2 * time.Minute, Interval: 30 * time.Second, Count: 4})
	}
}

// Sessions returns how many sessions are being served.
func (s *Server) Sessions() int {
	s.init()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Shutdown stops accepting, ends idle sessions with 421 and waits for running
// transfers. When ctx is done it calls them off like a cut, waits until that is
// done, and returns the context's error. An upload whose commit is under way is
// never called off: Shutdown waits for the file system's answer.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	s.stop()
	defer s.ports.close()
	stopped := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for ses := range s.sessions {
			ses.callOffNow(errShutdown)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.sessions) > 0 {
		s.idle.Wait()
	}
	if stopped() {
		return nil
	}
	return ctx.Err()
}

// Close is Shutdown without patience.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Shutdown(ctx)
	return nil
}

// stop closes the listeners and tells the sessions.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.stopped = true
	close(s.closing)
	for l := range s.listeners {
		l.Close()
	}
	for ses := range s.sessions {
		ses.stop()
	}
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// addrPort returns the address of a TCP connection, IPv4 unmapped; the zero value for other networks.
func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return ap
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (s *Server) idleTimeout() time.Duration    { return or(s.IdleTimeout, 5*time.Minute) }
func (s *Server) loginTimeout() time.Duration   { return or(s.LoginTimeout, 2*time.Minute) }
func (s *Server) stallTimeout() time.Duration   { return or(s.StallTimeout, 2*time.Minute) }
func (s *Server) connectTimeout() time.Duration { return or(s.ConnectTimeout, 30*time.Second) }
func (s *Server) commandTimeout() time.Duration { return or(s.CommandTimeout, time.Minute) }
func (s *Server) renameTimeout() time.Duration  { return or(s.RenameTimeout, time.Hour) }
func (s *Server) cutGrace() time.Duration       { return or(s.CutGrace, 10*time.Second) }

// maxExpansion is how many bytes one byte of a MODE Z upload may become; 0 means no limit.
func (s *Server) maxExpansion() int64 {
	switch {
	case s.MaxExpansion < 0:
		return 0
	case s.MaxExpansion == 0:
		return 200
	}
	return int64(s.MaxExpansion)
}

func (s *Server) cutSettle() time.Duration { return or(s.CutSettle, 5*time.Millisecond) }

func (s *Server) maxHash() int64 {
	if s.MaxHash < 0 {
		return math.MaxInt64
	}
	return or(s.MaxHash, 8<<30)
}

func (s *Server) loginAttempts() int {
	if s.LoginAttempts == 0 {
		return 3
	}
	return s.LoginAttempts
}

// noKeepAlive saves four system calls for each data connection: every step of a transfer
// has a deadline of its own, which notices a dead peer as well.
const noKeepAlive = -1

func (s *Server) listenData(ctx context.Context, network, address string) (net.Listener, error) {
	if s.ListenData != nil {
		return s.ListenData(ctx, network, address)
	}
	l := net.ListenConfig{KeepAlive: noKeepAlive}
	return l.Listen(ctx, network, address)
}

func (s *Server) dialData(ctx context.Context, network, address string, local netip.Addr) (net.Conn, error) {
	if s.DialData != nil {
		return s.DialData(ctx, network, address)
	}
	d := net.Dialer{KeepAlive: noKeepAlive}
	if local.IsValid() {
		// From the address that the client knows: firewalls on its side expect nothing else.
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return d.DialContext(ctx, network, address)
}
