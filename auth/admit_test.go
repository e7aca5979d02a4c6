package auth

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestAdmit(t *testing.T) {
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	home := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, tt := range []struct {
		name, remote string
		a            Account
		now          time.Time
		denied       bool
	}{
		{"no conditions", "192.0.2.1:1", Account{}, end, false},
		{"before the end", "192.0.2.1:1", Account{Expires: end}, end.Add(-time.Second), false},
		{"the end", "192.0.2.1:1", Account{Expires: end}, end, true},
		{"network", "10.1.2.3:1", Account{Networks: home}, end, false},
		{"mapped", "[::ffff:10.1.2.3]:1", Account{Networks: home}, end, false},
		{"IPv6", "[2001:db8::7]:1", Account{Networks: home}, end, false},
		{"another network", "11.0.0.1:1", Account{Networks: home}, end, true},
		{"no address", "[::]:0", Account{Networks: home}, end, true},
	} {
		users, err := NewUsers([]User{{Name: "joe", Password: mustPassword(t, "plain:x"), Account: tt.a}})
		if err != nil {
			t.Fatal(err)
		}
		d := &Admit{Auth: users, Now: func() time.Time { return tt.now }}
		r := Request{User: "joe", Password: "x", Remote: netip.MustParseAddrPort(tt.remote)}
		if a, err := d.Authenticate(t.Context(), r); errors.Is(err, ErrDenied) != tt.denied || (a == nil) != tt.denied {
			t.Errorf("%s: %v, %v", tt.name, a, err)
		}
		r.User = "eve"
		if _, err := d.Authenticate(t.Context(), r); !errors.Is(err, ErrUnknownUser) {
			t.Errorf("%s: unknown user: %v", tt.name, err)
		}
	}
}

func mustPassword(t *testing.T, stored string) Password {
	t.Helper()
	p, err := ParsePassword(stored)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
