package protocol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// portWait is how long PASV waits for a port to become free for the client's address.
	portWait = 5 * time.Second
	// portRest is how long a port that was promised and never used stays blocked
	// for that address, so that a late connection is not taken for another session's.
	portRest = time.Minute
	// portSkip is how long a port that could not be bound is not tried again.
	portSkip = 30 * time.Second
)

var errNoPort = errors.New("no passive port free")

// passivePool hands out passive ports. Listeners are shared: a port of the range is bound on
// first use and kept, and a connection belongs to the session that waits for that client
// address on that port. So a few ports serve any number of clients that have addresses of
// their own; two waiting sessions of one address never share a port.
type passivePool struct {
	ports     PortRange
	exclusive bool
	foreign   bool // data connections may come from anywhere
	listen    func(ctx context.Context, network, address string) (net.Listener, error)
	log       *slog.Logger

	mu      sync.Mutex
	closed  bool
	next    int                            // where the search for a port begins
	bound   map[uint16]net.Listener        // shared listeners
	skipped map[uint16]time.Time           // ports that could not be bound, until when
	waiting map[passiveKey]*passivePromise // who waits for whom
	resting map[passiveKey]time.Time       // unused promises, until when
	order   []passiveKey                   // the keys of resting, the oldest first
	freed   chan struct{}                  // closed and replaced when a port may have become free
}

type passiveKey struct {
	port uint16
	from netip.Addr
}

func newPassivePool(r PortRange, exclusive, foreign bool, listen func(context.Context, string, string) (net.Listener, error), log *slog.Logger) *passivePool {
	return &passivePool{
		ports: r, exclusive: exclusive || foreign, foreign: foreign, listen: listen, log: log,
		bound: make(map[uint16]net.Listener), skipped: make(map[uint16]time.Time), waiting: make(map[passiveKey]*passivePromise),
		resting: make(map[passiveKey]time.Time), freed: make(chan struct{}),
	}
}

// promise promises a connection from the address from to local. It waits up to
// portWait for a port. The port of old, an earlier promise of the same session, is used again.
func (p *passivePool) promise(ctx context.Context, from, local netip.Addr, old promise) (*passivePromise, error) {
	if p.ports == (PortRange{}) || p.exclusive {
		old.release()
		if p.foreign {
			from = netip.Addr{}
		}
		return p.own(ctx, from, local)
	}
	if o, ok := old.(*passivePromise); ok && o.pool == p && o.renew() {
		return o, nil
	}
	old.release()
	timeout := time.NewTimer(portWait)
	defer timeout.Stop()
	for {
		pr, freed, err := p.tryShared(ctx, from)
		if pr != nil || err != nil {
			return pr, err
		}
		select {
		case <-freed:
		case <-timeout.C:
			if pr, _, err := p.tryShared(ctx, from); pr != nil || err != nil {
				return pr, err // a port may have rested enough meanwhile
			}
			return nil, errNoPort
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// own listens on a port for one promise alone.
func (p *passivePool) own(ctx context.Context, from, local netip.Addr) (*passivePromise, error) {
	host := local.String()
	if !local.IsValid() {
		host = ""
	}
	first, last := int(p.ports.First), int(p.ports.Last)
	n := last - first + 1
	p.mu.Lock()
	start := p.next
	p.next++
	p.mu.Unlock()
	var err error
	for i := range n {
		port := first + (start+i)%n
		var l net.Listener
		if l, err = p.listen(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(port))); err == nil {
			pr := &passivePromise{port: addrPort(l.Addr()).Port(), got: make(chan net.Conn, 1), own: l, from: from}
			go pr.acceptOwn() // ends when the promise is released
			return pr, nil
		}
	}
	p.log.Warn("no passive port free", "ports", fmt.Sprintf("%d-%d", first, last), "err", err)
	return nil, errNoPort
}

// tryShared looks for a port of the range on which nobody waits for that address.
// Without one it returns a channel that is closed when it is worth another try.
func (p *passivePool) tryShared(ctx context.Context, from netip.Addr) (*passivePromise, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, errShutdown
	}
	p.sweep(time.Now())
	n := int(p.ports.Last) - int(p.ports.First) + 1
	for i := range n {
		port := p.ports.First + uint16((p.next+i)%n)
		key := passiveKey{port, from}
		if _, ok := p.waiting[key]; ok {
			continue
		}
		if _, ok := p.resting[key]; ok {
			continue
		}
		if !p.bind(ctx, port) {
			continue
		}
		p.next = (p.next + i + 1) % n
		pr := &passivePromise{pool: p, key: key, port: port, got: make(chan net.Conn, 1)}
		p.waiting[key] = pr
		return pr, nil, nil
	}
	return nil, p.freed, nil
}

// rest blocks an unused port for its address. p.mu is held.
func (p *passivePool) rest(key passiveKey, now time.Time) {
	p.sweep(now)
	p.resting[key] = now.Add(portRest)
	p.order = append(p.order, key)
}

// sweep forgets what has rested long enough, so that the memory is bounded by what one
// portRest brings. p.mu is held.
func (p *passivePool) sweep(now time.Time) {
	n := 0
	for n < len(p.order) && !now.Before(p.resting[p.order[n]]) {
		delete(p.resting, p.order[n])
		n++
	}
	if n > 0 {
		p.order = append(p.order[:0], p.order[n:]...)
	}
}

// bind listens on a port of the range unless that has been done. Ports taken by others are
// skipped, for a while: it may have been an outgoing connection of a moment, or a
// lack of descriptors.
func (p *passivePool) bind(ctx context.Context, port uint16) bool {
	if p.bound[port] != nil {
		return true
	}
	now := time.Now()
	if now.Before(p.skipped[port]) {
		return false
	}
	l, err := p.listen(context.WithoutCancel(ctx), "tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		p.log.Warn("passive port skipped", "port", port, "err", err)
		p.skipped[port] = now.Add(portSkip)
		return false
	}
	delete(p.skipped, port)
	p.bound[port] = l
	go p.accept(l, port) // ends when close closes l
	return true
}

// accept gives each connection to the session that waits for it. A stranger's is reset.
func (p *passivePool) accept(l net.Listener, port uint16) {
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of descriptors: it passes
			continue
		}
		from := addrPort(c.RemoteAddr()).Addr()
		p.mu.Lock()
		pr := p.waiting[passiveKey{port, from}]
		if pr != nil {
			delete(p.waiting, pr.key)
			p.wake()
			pr.got <- c
		}
		p.mu.Unlock()
		if pr == nil {
			p.log.Warn("data connection from a stranger refused", "remote", c.RemoteAddr(), "port", port)
			refuse(c)
		}
	}
}

// wake tells everybody who waits for a port. p.mu is held.
func (p *passivePool) wake() {
	close(p.freed)
	p.freed = make(chan struct{})
}

func (p *passivePool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, l := range p.bound {
		l.Close()
	}
}

// refuse closes a connection with a reset, so that its other end does not take it for an orderly end.
func refuse(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

// passivePromise is a port on which one client is expected.
type passivePromise struct {
	pool *passivePool // nil with a listener of its own
	key  passiveKey
	port uint16
	got  chan net.Conn // one place
	own  net.Listener
	from netip.Addr // with own: whose connections are taken; invalid for anybody's
}

// acceptOwn takes connections until the promise is released. Only the first of the
// right address is kept.
func (pr *passivePromise) acceptOwn() {
	for {
		c, err := pr.own.Accept()
		if errors.Is(err, net.ErrClosed) {
			// Released; a connection that was taken while that happened is nobody's.
			pr.drop()
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors: it passes
			continue
		}
		if pr.from.IsValid() && addrPort(c.RemoteAddr()).Addr() != pr.from {
			refuse(c)
			continue
		}
		select {
		case pr.got <- c:
		default:
			refuse(c)
		}
	}
}

// renew makes an unused promise fit for another PASV of the same session. A
// connection that has come early belonged to the PASV before and is dropped.
func (pr *passivePromise) renew() bool {
	p := pr.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting[pr.key] == pr
}

func (pr *passivePromise) connect(ctx context.Context) (net.Conn, error) {
	select {
	case c := <-pr.got:
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// release gives the port back. What has connected meanwhile is closed.
func (pr *passivePromise) release() {
	if pr.own != nil {
		pr.own.Close()
	} else {
		p := pr.pool
		p.mu.Lock()
		if p.waiting[pr.key] == pr {
			delete(p.waiting, pr.key)
			p.rest(pr.key, time.Now())
		}
		p.mu.Unlock()
	}
	pr.drop()
}

// drop closes what has connected and was not taken.
func (pr *passivePromise) drop() {
	select {
	case c := <-pr.got:
		refuse(c)
	default:
	}
}
