package guard

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

func req(user, password, from string) auth.Request {
	return auth.Request{User: user, Password: password, Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 40000)}
}

func options() Options {
	return Options{Failures: 5, UserFailures: 8, Window: 10 * time.Minute, Ban: 15 * time.Minute, Delay: time.Second, MaxDelay: 10 * time.Second,
		Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:a::/48")}}
}

// guess fails n times with passwords of its own.
func guess(g *Guard, n int, user, from string) {
	for i := range n {
		g.Failed(req(user, fmt.Sprintf("%s-%d", from, i), from))
	}
}

func TestBan(t *testing.T) {
	tests := []struct {
		name     string
		from     string
		also     []string // banned with it
		never    []string // not banned with it
		want     bool
		failures int
	}{
		{"IPv4", "192.0.2.7", []string{"192.0.2.7", "::ffff:192.0.2.7"}, []string{"192.0.2.8"}, true, 5},
		{"one less", "192.0.2.7", nil, []string{"192.0.2.7"}, false, 4},
		{"IPv6 by /64", "2001:db8::7", []string{"2001:db8::8", "2001:db8::7"}, []string{"2001:db8:0:1::7"}, true, 5},
		{"allowed", "10.1.2.3", nil, []string{"10.1.2.3"}, false, 50},
		{"allowed, mapped", "::ffff:10.1.2.3", nil, []string{"10.1.2.3"}, false, 50},
		{"allowed IPv6", "2001:db8:a:1::3", nil, []string{"2001:db8:a:1::3"}, false, 50},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := New(options())
				guess(g, tt.failures, "joe", tt.from)
				for _, a := range tt.also {
					if !g.Banned(netip.MustParseAddr(a)) {
						t.Errorf("%s is not banned", a)
					}
				}
				for _, a := range tt.never {
					if g.Banned(netip.MustParseAddr(a)) {
						t.Errorf("%s is banned", a)
					}
				}
				if got := g.Active() == 1 && g.Bans() == 1; got != tt.want {
					t.Errorf("%d active, %d in all", g.Active(), g.Bans())
				}
				time.Sleep(15 * time.Minute)
				if g.Active() != 0 || g.Banned(netip.MustParseAddr(tt.from)) {
					t.Error("the ban does not end")
				}
			})
		})
	}
}

// Failures of long ago do not count, and one ban follows another.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, a := New(options()), netip.MustParseAddr("192.0.2.7")
		guess(g, 4, "joe", "192.0.2.7")
		time.Sleep(10 * time.Minute)
		guess(g, 4, "joe", "192.0.2.7")
		if g.Banned(a) {
			t.Fatal("eight failures in two windows ban")
		}
		guess(g, 1, "jim", "192.0.2.7")
		if !g.Banned(a) {
			t.Fatal("five in one do not")
		}
		time.Sleep(15 * time.Minute)
		guess(g, 5, "joe", "192.0.2.7")
		if !g.Banned(a) || g.Bans() != 2 {
			t.Errorf("no second ban: %d", g.Bans())
		}
	})
}

// A device with a stale password repeats one guess.
func TestStalePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(options())
		var d time.Duration
		for range 100 {
			d = g.Failed(req("cam7", "old", "192.0.2.7"))
			g.Failed(req("cam7", "older", "192.0.2.7"))
		}
		if g.Banned(netip.MustParseAddr("192.0.2.7")) {
			t.Error("banned for two guesses")
		}
		if d != 10*time.Second {
			t.Errorf("delay %v, want the longest", d)
		}
		if d := g.Before(req("cam7", "new", "198.51.100.1")); d != 0 {
			t.Errorf("the user waits %v elsewhere", d)
		}
	})
}

func TestDelayGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(options())
		for i, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
			if got := g.Failed(req("joe", fmt.Sprint(i), "10.0.0.1")); got != want*time.Second {
				t.Errorf("failure %d waits %v, want %v", i+1, got, want*time.Second)
			}
		}
		if got := g.Failed(req("jim", "x", "10.0.0.1")); got != 10*time.Second {
			t.Errorf("another name from there waits %v", got)
		}
		o := options()
		o.Delay = 0
		if got := New(o).Failed(req("joe", "x", "10.0.0.1")); got != 0 {
			t.Errorf("without a delay: %v", got)
		}
	})
}

// A right password forgives its own user's failures, nobody else's.
func TestSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, a := New(options()), netip.MustParseAddr("192.0.2.7")
		guess(g, 4, "joe", "192.0.2.7")
		if !g.Succeeded(req("joe", "right", "192.0.2.7")) {
			t.Fatal("refused")
		}
		guess(g, 4, "joe", "192.0.2.7")
		if g.Banned(a) {
			t.Error("the success forgave nothing")
		}
		g.Succeeded(req("mallory", "her own", "192.0.2.7"))
		guess(g, 1, "jim", "192.0.2.7")
		if !g.Banned(a) {
			t.Error("an account of one's own washes off guesses at others")
		}
		if g.Succeeded(req("joe", "right", "192.0.2.7")) {
			t.Error("a right guess behind the ban wins")
		}
	})
}

// Guesses from everywhere slow a user's logins down, save from where the user is known.
func TestUserIsSlowedNotLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		o := options()
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		g := New(o)
		g.Succeeded(req("cam7", "right", "198.51.100.1"))
		for i := range 20 {
			guess(g, 1, "cam7", fmt.Sprintf("192.0.2.%d", i))
		}
		if d := g.Before(req("cam7", "right", "198.51.100.2")); d != 10*time.Second {
			t.Errorf("an unknown address waits %v, want 10s", d)
		}
		if d := g.Before(req("cam7", "right", "198.51.100.1")); d != 0 {
			t.Errorf("the device's own address waits %v", d)
		}
		if d := g.Before(req("cam8", "right", "192.0.2.1")); d != 0 {
			t.Errorf("another user waits %v", d)
		}
		if !g.Succeeded(req("cam7", "right", "198.51.100.2")) {
			t.Error("locked out")
		}
		if n := strings.Count(log.String(), "user=cam7"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, log.String())
		}
		time.Sleep(10 * time.Minute)
		if d := g.Before(req("cam7", "right", "198.51.100.3")); d != 0 {
			t.Errorf("behind the window it waits %v", d)
		}
	})
}

// Any number of addresses and names takes no more than the tables hold, and ends no ban.
func TestMemoryIsBounded(t *testing.T) {
	o := options()
	o.Entries = 100
	g := New(o)
	guess(g, 5, "joe", "192.0.2.7")
	long := strings.Repeat("x", 8000)
	for i := range 10_000 {
		from := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}).String()
		g.Failed(req(fmt.Sprint(long, i), long, from))
		g.Succeeded(req(fmt.Sprint(i), "x", from))
	}
	for name, n := range map[string]int{"networks": g.networks.Len(), "pairs": g.pairs.Len(), "users": g.users.Len(), "known": g.known.Len(), "bans": g.bans.Len()} {
		if n > 100 {
			t.Errorf("%d %s", n, name)
		}
	}
	if !g.Banned(netip.MustParseAddr("192.0.2.7")) {
		t.Error("a flood of failures has ended a ban")
	}
}

func TestNeverBans(t *testing.T) {
	o := options()
	o.Failures, o.UserFailures = 0, 0
	g := New(o)
	guess(g, 1000, "joe", "192.0.2.7")
	if g.Banned(netip.MustParseAddr("192.0.2.7")) || g.Before(req("joe", "x", "192.0.2.9")) != 0 {
		t.Error("0 does not mean never")
	}
	if New(options()).Banned(netip.Addr{}) {
		t.Error("no address is banned")
	}
}

// TestForgivenNoMoreThanCounted: what a user has failed before the network began to count anew does not pay for guesses at others.
func TestForgivenNoMoreThanCounted(t *testing.T) {
	for _, again := range []int{0, 1} { // the user fails in the new row as well, or not
		synctest.Test(t, func(t *testing.T) {
			const from = "192.0.2.7"
			g := New(options()) // 5 within 10 minutes
			guess(g, 1, "joe", from)
			time.Sleep(9 * time.Minute)
			guess(g, 3, "me", from)
			time.Sleep(time.Minute) // the row that began with joe is over
			g.Failed(req("joe", "another", from))
			for i := range again {
				g.Failed(req("me", fmt.Sprint("mine-", i), from))
			}
			for i := range 2 {
				g.Failed(req("joe", fmt.Sprint("more-", i), from))
			}
			if !g.Succeeded(req("me", "right", from)) {
				t.Fatal("banned before the time")
			}
			g.Failed(req("joe", "fourth", from))
			g.Failed(req("joe", "fifth", from))
			if !g.Banned(netip.MustParseAddr(from)) {
				t.Errorf("five guesses at joe since the network counts anew, and no ban (%d of its own)", again)
			}
		})
	}
}
