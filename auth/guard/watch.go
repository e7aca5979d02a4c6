package guard

import (
	"net/netip"
	"strings"
	"time"
)

// shown is how many names of slowed users are kept to be shown, and maxName how much of each, in bytes.
const (
	shown   = 1024
	maxName = 128
)

func shorten(name string) string {
	if len(name) > maxName {
		name = name[:maxName]
	}
	return strings.ToValidUTF8(name, "?")
}

// Ban is a network from which no connection is taken.
type Ban struct {
	Network netip.Prefix
	Until   time.Time
}

// Slow is a user whose logins wait because it has been guessed at from several places.
type Slow struct {
	User     string // 128 bytes at most
	Failures int
	Until    time.Time
}

// List returns the networks that are banned now, the one whose ban ends first at the head.
func (g *Guard) List() []Ban {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	var list []Ban
	for _, n := range g.bans.Keys() { // the oldest first
		if until, ok := g.bans.Peek(n); ok && now.Before(until) {
			list = append(list, Ban{n, until})
		}
	}
	return list
}

// Slowed returns the users whose logins wait now, of many the last thousand.
func (g *Guard) Slowed() []Slow {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	var list []Slow
	for _, id := range g.slowed.Keys() {
		u, ok := g.users.Peek(id)
		if !ok || !g.slow(u, now) {
			g.slowed.Remove(id)
			continue
		}
		name, _ := g.slowed.Peek(id)
		list = append(list, Slow{name, u.n, u.since.Add(g.o.Window)})
	}
	return list
}

// Lift ends the ban of an address's network, and forgets the wrong passwords that came from there. It reports whether it was banned.
func (g *Guard) Lift(addr netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := network(addr)
	was := g.banned(n, time.Now())
	g.bans.Remove(n)
	g.networks.Remove(n)
	for _, p := range g.pairs.Keys() {
		if p.net == n {
			g.pairs.Remove(p)
		}
	}
	return was
}
