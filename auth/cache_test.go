package auth

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestCache(t *testing.T) {
	users := plain{"joe": "x", "joex": ""}
	inner := &counter{Authenticator: users}
	c, err := NewCache(inner, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c.now = func() time.Time { return now }
	here, there := netip.MustParseAddrPort("192.0.2.1:5"), netip.MustParseAddrPort("192.0.2.2:5")
	ask := func(user, password string, from netip.AddrPort, want error, asked int) {
		t.Helper()
		before := inner.asked
		if _, err := c.Authenticate(t.Context(), Request{User: user, Password: password, Remote: from}); !errors.Is(err, want) {
			t.Errorf("%s with %q: %v, want %v", user, password, err, want)
		}
		if inner.asked-before != asked {
			t.Errorf("%s with %q: asked %d times, want %d", user, password, inner.asked-before, asked)
		}
	}
	ask("joe", "x", here, nil, 1)
	ask("joe", "x", here, nil, 0)
	ask("joe", "x", netip.AddrPortFrom(here.Addr(), 6), nil, 0)
	ask("joe", "x", there, nil, 1) // who is asked may look at the address
	ask("joex", "", here, nil, 1)  // no other way to cut "joe" and "x"
	ask("joe", "y", here, ErrDenied, 1)
	ask("joe", "y", here, ErrDenied, 1)
	now = now.Add(time.Minute)
	users["joe"] = "new"
	ask("joe", "x", here, ErrDenied, 1)
	ask("joe", "new", here, nil, 1)
	never, err := NewCache(inner, 0)
	if err != nil {
		t.Fatal(err)
	}
	c = never
	ask("joe", "new", here, nil, 1)
	ask("joe", "new", here, nil, 1)
}
