package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-gateway/ftp-gateway/config"
)

func TestPassiveAddress(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if f := newPassiveAddress(t.Context(), config.PassiveAddress{}, log); f != nil {
		t.Error("a function where nothing is configured")
	}
	lan, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	f := newPassiveAddress(t.Context(), config.PassiveAddress{Host: "203.0.113.1", ByLocal: map[netip.Addr]string{lan: "203.0.113.2"}}, log)
	for local, want := range map[netip.Addr]string{lan: "203.0.113.2", other: "203.0.113.1", netip.MustParseAddr("::ffff:10.0.0.1"): "203.0.113.2"} {
		if got := f(local); got.String() != want {
			t.Errorf("%v: %v, want %s", local, got, want)
		}
	}
	f = newPassiveAddress(t.Context(), config.PassiveAddress{ByLocal: map[netip.Addr]string{lan: "203.0.113.2"}}, log)
	if got := f(other); got.IsValid() {
		t.Errorf("%v for an address that is not in the map, want none", got)
	}
}

// A name is looked up again when it is used after a minute, once, and the old address stays until then.
func TestPassiveAddressIsLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
		answer, fail, asked := first, error(nil), 0
		p := &publicAddress{host: "ftp.example.com", log: slog.New(slog.DiscardHandler),
			lookup: func(context.Context, string, string) ([]netip.Addr, error) {
				asked++
				return []netip.Addr{answer}, fail
			}}
		p.asked = time.Now()
		p.resolve(t.Context())
		use := func(want netip.Addr, lookups int) {
			t.Helper()
			if got := p.get(); got != want {
				t.Errorf("address %v, want %v", got, want)
			}
			synctest.Wait()
			if asked != lookups {
				t.Errorf("%d look-ups, want %d", asked, lookups)
			}
		}
		use(first, 1)
		answer = second
		time.Sleep(2 * addressAge)
		use(first, 2) // asks, and does not wait
		use(second, 2)
		fail = errors.New("no answer")
		time.Sleep(2 * addressAge)
		use(second, 3)
		use(second, 3)
	})
}
