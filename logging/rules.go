package logging

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// maxRules bounds how many rules there can be: each line at Debug that is not wanted is compared with all of them.
const maxRules = 64

// Rule says whose lines at Debug are shown. A user that is named means also sessions that have only claimed the name in USER:
// logins that fail are what one wants to look at.
type Rule struct {
	User    string       // empty for any
	Network netip.Prefix // the zero value for any
	Until   time.Time    // when the rule ends; zero for never
}

// same reports whether two rules are about the same sessions.
func (r Rule) same(o Rule) bool { return r.User == o.User && r.Network == o.Network }

func (r Rule) matches(c *protocol.Client) bool {
	if r.User != "" && c.User != r.User && (c.User != "" || c.Claimed != r.User) {
		return false
	}
	return !r.Network.IsValid() || r.Network.Contains(c.Remote.Addr())
}

func (r Rule) over(now time.Time) bool { return !r.Until.IsZero() && !now.Before(r.Until) }

// Rules are rules that can change at any time. The zero value has none; reading them then costs one atomic load.
type Rules struct {
	mu   sync.Mutex // of those that change them
	list atomic.Pointer[[]Rule]
}

// Set adds a rule, in place of the one about the same sessions. It reports false where there are too many.
func (rs *Rules) Set(r Rule) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	list := slices.DeleteFunc(rs.All(), r.same)
	if len(list) >= maxRules {
		return false
	}
	rs.store(append(list, r))
	return true
}

// Unset removes the rule about the same sessions as r, and reports whether there was one.
func (rs *Rules) Unset(r Rule) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := rs.All()
	list := slices.DeleteFunc(slices.Clone(all), r.same)
	rs.store(list)
	return len(list) < len(all)
}

// Clear removes all rules, and returns how many there were.
func (rs *Rules) Clear() int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	n := len(rs.All())
	rs.store(nil)
	return n
}

// All returns the rules that hold now.
func (rs *Rules) All() []Rule {
	p := rs.list.Load()
	if p == nil {
		return nil
	}
	now := time.Now()
	return slices.DeleteFunc(slices.Clone(*p), func(r Rule) bool { return r.over(now) })
}

func (rs *Rules) store(list []Rule) {
	if len(list) == 0 {
		rs.list.Store(nil)
		return
	}
	rs.list.Store(&list)
}

// debug reports whether the client's lines at Debug are wanted.
func (rs *Rules) debug(c *protocol.Client) bool {
	if rs == nil {
		return false
	}
	p := rs.list.Load()
	if p == nil || c == nil {
		return false
	}
	now := time.Now()
	for _, r := range *p {
		if !r.over(now) && r.matches(c) {
			return true
		}
	}
	// Once all rules are over, nobody compares with them any more.
	if !slices.ContainsFunc(*p, func(r Rule) bool { return !r.over(now) }) {
		rs.list.CompareAndSwap(p, nil)
	}
	return false
}
