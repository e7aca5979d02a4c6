package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// from opens a session from one of the machine's loopback addresses.
func (g *gateway) from(t *testing.T, addr string) *clients.Conn {
	t.Helper()
	c, err := clients.DialFrom(t.Context(), addr, g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// try logs in and wants one of the replies 230, 530 and 421.
func try(t *testing.T, c *clients.Conn, user, password string, want int) {
	t.Helper()
	if _, err := c.Expect(331, "USER "+user); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect(want, "PASS "+password); err != nil {
		t.Fatal(err)
	}
}

// knock wants a greeting of 421 or 220.
func (g *gateway) knock(ctx context.Context, from string) (int, error) {
	c, err := clients.Knock(ctx, from, g.Addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	r, err := c.ReadReply()
	return r.Code, err
}

// TestGuard guesses passwords until the address is banned, and looks at everybody else.
func TestGuard(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "guard: {failures: 4, ban: 1h, allow: [127.0.0.3]}", "limits: {login_delay: 1ms, login_attempts: 3}")

	early := g.from(t, "127.0.0.2") // will have begun before the ban
	device := g.from(t, "127.0.0.2")
	try(t, device, user, password, 230)
	// A stale password that is tried again and again is one guess.
	for range 8 {
		c := g.from(t, "127.0.0.2")
		try(t, c, user, "stale", 530)
		c.Close()
	}
	// Four guesses, at names that exist and at others.
	for i, name := range []string{user, "ghost", "anonymous"} {
		code := 530
		if i == 2 {
			code = 421
		}
		try(t, g.from(t, "127.0.0.2"), name, fmt.Sprintf("guess-%d", i), code)
	}
	if code, err := g.knock(t.Context(), "127.0.0.2"); err != nil || code != 421 {
		t.Errorf("a banned address is greeted with %d, %v; want 421", code, err)
	}
	try(t, early, user, password, 421) // not even with the right password
	if _, err := device.Expect(257, "PWD"); err != nil {
		t.Errorf("who has logged in before: %v", err)
	}
	try(t, g.from(t, "127.0.0.1"), user, password, 230)

	for i := range 4 { // an allowed network is never banned
		c := g.from(t, "127.0.0.3")
		try(t, c, user, fmt.Sprint("a", i), 530)
		try(t, c, user, fmt.Sprint("b", i), 530)
		c.Close()
	}
	try(t, g.from(t, "127.0.0.3"), user, password, 230)

	for name, want := range map[string]float64{"ftp_gateway_bans_total": 1, "ftp_gateway_banned_addresses": 1} {
		if n, err := g.metric(t.Context(), name); err != nil || n != want {
			t.Errorf("%s = %v, %v; want %v", name, n, err, want)
		}
	}
	if n, err := g.metric(t.Context(), "ftp_gateway_connections_refused_total", `"banned"`); err != nil || n != 1 {
		t.Errorf("refused for a ban: %v, %v; want 1", n, err)
	}
	if n, err := g.metric(t.Context(), "ftp_gateway_logins_total", `"banned"`); err != nil || n != 1 {
		t.Errorf("logins refused for a ban: %v, %v; want 1", n, err)
	}
	if !strings.Contains(g.Log(), "network=127.0.0.2/32") {
		t.Error("the log does not tell of the ban")
	}
}

// TestBanEnds waits for the end of a ban.
func TestBanEnds(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "guard: {failures: 3, ban: 2s}", "limits: {login_delay: 0s, login_attempts: 3}")
	c := g.from(t, "127.0.0.2")
	for i, want := range []int{530, 530, 421} {
		try(t, c, user, fmt.Sprint(i), want)
	}
	eventually(t, "the ban's end", func(ctx context.Context) (bool, error) {
		code, err := g.knock(ctx, "127.0.0.2")
		return code == 220, err
	})
	try(t, g.from(t, "127.0.0.2"), user, password, 230)
}

// TestPerUser lets a user have two sessions at a time.
func TestPerUser(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "limits: {per_user: 2}", `anonymous: {home: "store:/"}`)
	a := g.login(t, false)
	b := g.login(t, false)
	c, err := clients.Dial(t.Context(), g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	try(t, c, user, password, 421)
	if _, err := c.ReadReply(); err == nil {
		t.Error("the session goes on")
	}
	for range 3 { // everybody's name
		try(t, g.from(t, ""), "anonymous", "x", 230)
	}
	// REIN and QUIT give a place back.
	if _, err := a.Expect(220, "REIN"); err != nil {
		t.Fatal(err)
	}
	g.login(t, false)
	if err := b.Quit(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the place of the session that has ended", func(ctx context.Context) (bool, error) {
		c, err := clients.Login(ctx, g.target)
		if err != nil {
			return false, err
		}
		t.Cleanup(func() { c.Close() })
		return true, nil
	})
	try(t, g.from(t, ""), user, password, 421)
}
