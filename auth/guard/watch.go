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

// Slow is a user whose logins wait because it has been guessed at too often.
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

// Lift ends the bans of a network and of all that lie in it, and forgets the wrong passwords that came from there. Of an IPv6
// address it is the whole /64, as the ban is. It returns how many bans it has ended.
func (g *Guard) Lift(net netip.Prefix) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := network(net.Addr()); n.Bits() < net.Bits() {
		net = n
	}
	now, ended := time.Now(), 0
	in := func(n netip.Prefix) bool { return n.Bits() >= net.Bits() && net.Contains(n.Addr()) }
	for _, n := range g.bans.Keys() {
		if in(n) {
			if g.banned(n, now) {
				ended++
			}
			g.bans.Remove(n)
		}
	}
	for _, n := range g.networks.Keys() {
		if in(n) {
			g.networks.Remove(n)
		}
	}
	for _, p := range g.pairs.Keys() {
		if in(p.net) {
			g.pairs.Remove(p)
		}
	}
	return ended
}
