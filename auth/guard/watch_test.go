package guard

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestListAndLift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(options())
		addr := netip.MustParseAddr("2001:db8::7")
		guess(g, 5, "joe", "192.0.2.7")
		time.Sleep(time.Minute)
		guess(g, 5, "jim", "2001:db8::7")
		list := g.List()
		if len(list) != 2 || list[0].Network.String() != "192.0.2.7/32" || list[1].Network.String() != "2001:db8::/64" ||
			list[1].Until.Sub(list[0].Until) != time.Minute || time.Until(list[1].Until) != 15*time.Minute {
			t.Errorf("banned: %v", list)
		}
		if g.Lift(netip.MustParsePrefix("2001:db8::8/128")) != 1 {
			t.Error("the address of a banned network is said not to be banned")
		}
		if g.Banned(addr) || g.Lift(netip.PrefixFrom(addr, 128)) != 0 || len(g.List()) != 1 || g.Bans() != 2 {
			t.Errorf("still banned: %v", g.List())
		}
		// What was failed before is forgotten: neither the next ban is nearer, nor the delay longer.
		if d := g.Failed(req("jim", "wrong", "2001:db8::7")); d != time.Second {
			t.Errorf("the first wrong password behind a lifted ban waits %v", d)
		}
		time.Sleep(14 * time.Minute)
		if len(g.List()) != 0 {
			t.Errorf("a ban that is over is listed: %v", g.List())
		}
	})
}

// All bans within a network end together, and those around it stay.
func TestLiftNetwork(t *testing.T) {
	g := New(options())
	for _, addr := range []string{"198.51.100.3", "198.51.100.200", "203.0.113.1", "2001:db8::7"} {
		guess(g, 5, "joe", addr)
	}
	if n := g.Lift(netip.MustParsePrefix("198.51.100.0/24")); n != 2 || len(g.List()) != 2 || g.Banned(netip.MustParseAddr("198.51.100.200")) {
		t.Errorf("%d bans ended, these are left: %v", n, g.List())
	}
	if n := g.Lift(netip.MustParsePrefix("::/0")); n != 1 || len(g.List()) != 1 {
		t.Errorf("%d bans ended, these are left: %v", n, g.List())
	}
	if n := g.Lift(netip.MustParsePrefix("0.0.0.0/0")); n != 1 || len(g.List()) != 0 {
		t.Errorf("%d bans ended, these are left: %v", n, g.List())
	}
}

func TestSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(options())
		long := strings.Repeat("é", 200)
		for i := range 8 {
			if n := len(g.Slowed()); n != 0 {
				t.Fatalf("%d users are slowed down after %d guesses", n, i)
			}
			from := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String()
			guess(g, 1, "joe", from)
			guess(g, 1, long, from)
		}
		list := g.Slowed()
		if len(list) != 2 || list[0].User != "joe" || list[0].Failures != 8 || time.Until(list[0].Until) != 10*time.Minute || len(list[1].User) > maxName {
			t.Errorf("slowed: %+v", list)
		}
		time.Sleep(10 * time.Minute)
		if list := g.Slowed(); len(list) != 0 || g.slowed.Len() != 0 {
			t.Errorf("slowed after the window: %+v", list)
		}
	})
}

// TestNobodyIsSlowedWithoutDelays tells of no user whose logins wait where no login does.
func TestNobodyIsSlowedWithoutDelays(t *testing.T) {
	for _, without := range []func(*Options){func(o *Options) { o.Delay = 0 }, func(o *Options) { o.MaxDelay = 0 }} {
		o := options()
		without(&o)
		var log strings.Builder
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		g := New(o)
		for i := range 10 {
			guess(g, 1, "joe", netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String())
		}
		if list := g.Slowed(); len(list) != 0 || log.Len() != 0 {
			t.Errorf("delays of %v and %v: slowed %+v, in the log %q", o.Delay, o.MaxDelay, list, log.String())
		}
	}
}
