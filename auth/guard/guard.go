// Package guard slows down and shuts out who guesses passwords. It counts wrong
// passwords three ways, because one count cannot tell an attacker from a device
// whose password was changed:
//
//   - By network: an IPv4 address, or of IPv6 the /64 that any host has for itself. Too many wrong
//     passwords within a window ban it for a while: no connection is taken from it.
//   - By network and user name: only for the delay, and for what may be forgiven. A right password
//     takes back what this user has failed from this network, and no more: an attacker with an account of
//     its own cannot wash off its guesses at others with it.
//   - By user name, from everywhere: many networks may share a guess at one user. A
//     stranger must not be able to lock a device out by failing in its name, so this
//     never refuses. It makes logins under that name wait before they are looked at, save from
//     networks from which the user has logged in before.
//
// The same wrong password for the same name from the same network counts once: a device that tries a
// stale one again and again guesses nothing, and does not ban the site that it stands in. Its
// delays grow all the same.
//
// Memory is bounded whatever strangers do: every table holds [Options.Entries] at most and
// forgets what was not used for longest. Bans have a table of their own, so that a flood of
// failures does not end them. Names and passwords are kept only as 64-bit hashes under a
// key of this process, but for the names of users whose logins wait, which an operator has to be told.
package guard

import (
	"hash/maphash"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// Options say how patient a Guard is.
type Options struct {
	// Failures is how many wrong passwords from a network within Window ban it; 0 means never.
	Failures int
	// UserFailures is how many wrong passwords for one name within Window, from
	// everywhere, make logins under it wait; 0 means never.
	UserFailures int
	// Window is how long a wrong password counts, from the first of a row on.
	Window time.Duration
	// Ban is how long a ban lasts.
	Ban time.Duration
	// Delay is how long the answer to a first wrong password waits. It doubles with each
	// further one, up to MaxDelay. 0 means that nothing ever waits.
	Delay, MaxDelay time.Duration
	// Allow are networks that are never banned. Their delays are the same.
	Allow []netip.Prefix
	// Entries bounds each table; default 16384, which is some MiB for all of them.
	Entries int
	// Log is told of bans; nil for nobody.
	Log *slog.Logger
}

// Guard counts wrong passwords. It is safe for use by many goroutines.
type Guard struct {
	o    Options
	seed maphash.Seed

	mu       sync.Mutex
	networks *simplelru.LRU[netip.Prefix, count]
	pairs    *simplelru.LRU[pair, attempts]
	users    *simplelru.LRU[uint64, count]
	known    *simplelru.LRU[pair, struct{}]          // right passwords
	bans     *simplelru.LRU[netip.Prefix, time.Time] // until when; all last equally long, so the oldest ends first
	slowed   *simplelru.LRU[uint64, string]          // names of users whose logins wait, to be shown
	total    uint64
}

// pair is a user name at a network.
type pair struct {
	net  netip.Prefix
	user uint64
}

// count is how often something failed since the first time.
type count struct {
	n     int
	since time.Time
}

// attempts are the wrong passwords of a pair.
type attempts struct {
	count          // different ones
	tries int      // all
	last  []uint64 // the last different ones, a few
}

// remembered is how many different wrong passwords of a pair are known again.
const remembered = 4

// New makes a Guard.
func New(o Options) *Guard {
	if o.Entries <= 0 {
		o.Entries = 1 << 14
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Guard{
		o: o, seed: maphash.MakeSeed(),
		networks: table[netip.Prefix, count](o.Entries), pairs: table[pair, attempts](o.Entries), users: table[uint64, count](o.Entries),
		known: table[pair, struct{}](o.Entries), bans: table[netip.Prefix, time.Time](o.Entries),
		slowed: table[uint64, string](min(o.Entries, shown)),
	}
}

func table[K comparable, V any](size int) *simplelru.LRU[K, V] {
	t, err := simplelru.NewLRU[K, V](size, nil)
	if err != nil {
		panic(err) // a size below 1, which New does not let through
	}
	return t
}

// network is whose failures are counted together.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // the zero value for no address
	return p
}

func (g *Guard) pair(r auth.Request) pair {
	return pair{network(r.Remote.Addr()), maphash.String(g.seed, r.User)}
}

// allowed reports whether a network is never banned.
func (g *Guard) allowed(n netip.Prefix) bool {
	return !n.IsValid() || slices.ContainsFunc(g.o.Allow, func(p netip.Prefix) bool { return p.Bits() <= n.Bits() && p.Contains(n.Addr()) })
}

// Banned reports whether connections from the address are refused now.
func (g *Guard) Banned(addr netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.banned(network(addr), time.Now())
}

func (g *Guard) banned(n netip.Prefix, now time.Time) bool {
	until, ok := g.bans.Peek(n)
	return ok && now.Before(until)
}

// Before returns how long an attempt has to wait before its password is looked at.
func (g *Guard) Before(r auth.Request) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.pair(r)
	if u, _ := g.users.Get(p.user); !g.slow(u, time.Now()) {
		return 0
	}
	if _, ok := g.known.Get(p); ok {
		return 0
	}
	return g.o.MaxDelay
}

// slow reports whether a user has been guessed at so often that logins wait, where anything waits.
func (g *Guard) slow(u count, now time.Time) bool {
	return g.o.UserFailures > 0 && g.o.Delay > 0 && g.o.MaxDelay > 0 && u.n >= g.o.UserFailures && now.Sub(u.since) < g.o.Window
}

// Failed is told of a wrong password, and returns how long the answer to it waits.
func (g *Guard) Failed(r auth.Request) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, p := time.Now(), g.pair(r)
	a, _ := g.pairs.Get(p)
	if now.Sub(a.since) >= g.o.Window {
		a = attempts{count: count{since: now}}
	}
	a.tries++
	sum := maphash.String(g.seed, r.User+"\x00"+r.Password)
	again := slices.Contains(a.last, sum)
	net, _ := g.networks.Get(p.net)
	if !again {
		net = g.add(net, now)
		g.networks.Add(p.net, net)
		if a.since.Before(net.since) { // the network has begun to count anew
			a.count = count{since: now}
		}
		a.n++
		if len(a.last) >= remembered {
			a.last = a.last[1:]
		}
		a.last = append(slices.Clip(a.last), sum)
	}
	g.pairs.Add(p, a)
	if !again {
		u, _ := g.users.Get(p.user)
		was := g.slow(u, now)
		u = g.add(u, now)
		g.users.Add(p.user, u)
		if !was && g.slow(u, now) {
			g.slowed.Add(p.user, shorten(r.User))
			g.o.Log.Warn("guesses at a user: its logins are slowed down", "user", r.User, "failures", u.n)
		}
	}
	if g.o.Failures > 0 && net.n >= g.o.Failures && !g.allowed(p.net) && !g.banned(p.net, now) {
		g.bans.Remove(p.net) // one that is over
		g.bans.Add(p.net, now.Add(g.o.Ban))
		g.networks.Remove(p.net)
		g.total++
		g.o.Log.Warn("banned for too many wrong passwords", "network", p.net.String(), "failures", net.n, "for", g.o.Ban)
	}
	return g.delay(max(a.tries, net.n))
}

// add counts one more failure.
func (g *Guard) add(c count, now time.Time) count {
	if c.n == 0 || now.Sub(c.since) >= g.o.Window {
		c = count{since: now}
	}
	c.n++
	return c
}

// delay is that of the nth wrong password.
func (g *Guard) delay(n int) time.Duration {
	d := g.o.Delay
	for ; n > 1 && d > 0 && d < g.o.MaxDelay; n-- {
		d *= 2
	}
	return min(d, max(g.o.Delay, g.o.MaxDelay))
}

// Succeeded is told of a right password. It forgives what the user has failed
// from this network. Where it reports false, the network has been banned
// meanwhile: the password may be a guess among many that were begun at once.
func (g *Guard) Succeeded(r auth.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, p := time.Now(), g.pair(r)
	if g.banned(p.net, now) {
		return false
	}
	g.known.Add(p, struct{}{})
	a, ok := g.pairs.Peek(p)
	if !ok {
		return true
	}
	g.pairs.Remove(p)
	if net, ok := g.networks.Peek(p.net); ok && !a.since.Before(net.since) {
		if net.n -= a.n; net.n > 0 {
			g.networks.Add(p.net, net)
		} else {
			g.networks.Remove(p.net)
		}
	}
	return true
}

// Bans returns how many bans there have been.
func (g *Guard) Bans() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total
}

// Active returns how many networks are banned now.
func (g *Guard) Active() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for {
		_, until, ok := g.bans.GetOldest()
		if !ok || now.Before(until) {
			return g.bans.Len()
		}
		g.bans.RemoveOldest()
	}
}
