package config

import (
	"net/netip"
	"testing"
	"time"
)

func TestMomentExpand(t *testing.T) {
	zone := time.FixedZone("UTC+13", 13*3600)
	at := time.Date(2026, 1, 2, 23, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		dir  string
		m    Moment
		want string
	}{
		{"/{user}/{yyyy}/{MM}/{dd}", Moment{User: "cam7", Time: at}, "/cam7/2026/01/02"},
		{"/{yyyy}{MM}{dd}-{HH}", Moment{Time: at}, "/20260102-23"},
		{"/{yyyy}{MM}{dd}-{HH}", Moment{Time: at.In(zone)}, "/20260103-12"},
		{"/{remote}", Moment{Remote: netip.MustParseAddr("192.0.2.1")}, "/192.0.2.1"},
		{"/{remote}", Moment{Remote: netip.MustParseAddr("fe80::1%eth0")}, "/fe80::1"},
		{"/plain", Moment{User: "cam7"}, "/plain"},
		// A name is no template: what it brings is not replaced again.
		{"/{user}", Moment{User: "{yyyy}", Time: at}, "/{yyyy}"},
	} {
		if got := c.m.Expand(c.dir); got != c.want {
			t.Errorf("Expand(%q) = %q, want %q", c.dir, got, c.want)
		}
	}
}

func TestBadPlaceholder(t *testing.T) {
	for dir, want := range map[string]string{
		"/{user}/{remote}/{yyyy}/{MM}/{dd}/{HH}": "",
		"/plain":                                 "",
		"/{mm}":                                  "{mm}",
		"/{user":                                 "{",
		"/user}":                                 "}",
		"/{user}{name}":                          "{name}",
	} {
		if got := badPlaceholder(dir); got != want {
			t.Errorf("badPlaceholder(%q) = %q, want %q", dir, got, want)
		}
	}
}
