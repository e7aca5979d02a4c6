package admin

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/auth/guard"
	"github.com/ftp-gateway/ftp-gateway/logging"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run", "admin.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Type() != os.ModeSocket || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want a socket for its user alone", fi.Mode(), err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a socket in use: %v", err)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}

	// A killed process leaves its socket.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	if l, err = Listen(path); err != nil {
		t.Fatalf("a stale socket is not replaced: %v", err)
	}
	l.Close()

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{file, link, dir} {
		if _, err := Listen(p); err == nil || !strings.Contains(err.Error(), "no socket") {
			t.Errorf("%s: %v", p, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file: %q, %v", b, err)
	}
	if _, err := Listen(filepath.Join(dir, strings.Repeat("x", MaxPath))); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a long name: %v", err)
	}
}

// running is a server with its socket.
func running(t *testing.T) (*Server, *Client, string) {
	t.Helper()
	var out bytes.Buffer
	rules := &logging.Rules{}
	h, err := logging.New(logging.Options{Format: logging.Line, Rules: rules}, &out)
	if err != nil {
		t.Fatal(err)
	}
	g := guard.New(guard.Options{Failures: 2, UserFailures: 2, Window: time.Hour, Ban: time.Hour, Delay: time.Second, MaxDelay: time.Second})
	s := &Server{Version: "v1", Started: time.Now(), Guard: g, Rules: rules, Level: slog.LevelInfo, Log: slog.New(h),
		Backends: func() []Backend { return []Backend{{"cams", "s3 bucket x", "failed"}} },
		Memory:   func() *Memory { return &Memory{Limit: 4, InUse: 3, Reserved: 2, Waiting: 1} },
		FTP: &protocol.Server{Guard: g, Log: slog.New(h), MaxSessions: 9,
			OpenFS: func(context.Context, *auth.Account) (afero.Fs, error) { return afero.NewMemMapFs(), nil }}}
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	web := s.HTTP()
	done := make(chan error, 1)
	go func() { done <- web.Serve(l) }()
	c := NewClient(path)
	t.Cleanup(func() {
		c.Close()
		web.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return s, c, path
}

func TestDebugRules(t *testing.T) {
	s, c, _ := running(t)
	ctx := t.Context()
	for _, bad := range []Debug{{}, {Address: "10.0.0.0/99"}, {User: "a", Seconds: -1}, {User: "a", Seconds: 1e18}, {User: "a", All: true}} {
		if err := c.SetDebug(ctx, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	for _, d := range []Debug{{User: "cam7", Seconds: 600}, {Address: "10.1.2.3/8"}, {Address: "2001:db8::7"}, {All: true}} {
		if err := c.SetDebug(ctx, d); err != nil {
			t.Errorf("%+v: %v", d, err)
		}
	}
	st, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := st.Log.Debug
	if len(d) != 4 || d[0].User != "cam7" || d[0].Until == nil || time.Until(*d[0].Until) > 10*time.Minute || d[1].Address != "10.0.0.0/8" || d[1].Until != nil ||
		d[2].Address != "2001:db8::7/128" || !d[3].All || st.Log.Level != "info" {
		t.Errorf("%+v", st.Log)
	}
	if err := c.UnsetDebug(ctx, Debug{User: "cam7"}); err != nil || len(s.Rules.All()) != 3 {
		t.Errorf("%v, %v", err, s.Rules.All())
	}
	if err := c.UnsetDebug(ctx, Debug{User: "cam7"}); err == nil {
		t.Error("a rule that does not exist was removed")
	}
	if err := c.UnsetDebug(ctx, Debug{Address: "nowhere"}); err == nil || len(s.Rules.All()) != 3 {
		t.Errorf("a mistake removes rules: %v, %v", err, s.Rules.All())
	}
	if err := c.UnsetDebug(ctx, Debug{}); err != nil || len(s.Rules.All()) != 0 {
		t.Errorf("%v, %v", err, s.Rules.All())
	}
}

func TestBansAndSessions(t *testing.T) {
	s, c, _ := running(t)
	ctx := t.Context()
	for _, p := range []string{"a", "b"} {
		s.Guard.Failed(auth.Request{User: "joe", Password: p, Remote: netip.MustParseAddrPort("192.0.2.7:1")})
	}
	st, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Bans) != 1 || st.Bans[0].Network != "192.0.2.7/32" || len(st.Slowed) != 1 || st.Slowed[0].User != "joe" || st.Slowed[0].Failures != 2 {
		t.Errorf("%+v, %+v", st.Bans, st.Slowed)
	}
	if st.Version != "v1" || st.PID != os.Getpid() || st.Limit != 9 || *st.Memory != (Memory{4, 3, 2, 1}) || st.Backends[0].Health != "failed" || len(st.Sessions) != 0 {
		t.Errorf("%+v", st)
	}
	if err := c.Unban(ctx, "192.0.2.7"); err != nil || s.Guard.Active() != 0 {
		t.Errorf("%v, %d bans", err, s.Guard.Active())
	}
	for _, bad := range []string{"192.0.2.7", "nobody", ""} {
		if err := c.Unban(ctx, bad); err == nil {
			t.Errorf("the ban of %q was ended", bad)
		}
	}
	if err := c.EndSession(ctx, 5); err == nil || !strings.Contains(err.Error(), "no session 5") {
		t.Errorf("no session: %v", err)
	}
}

// What is no request of ours is refused, and whatever is sent is bounded.
func TestOddRequests(t *testing.T) {
	s, c, _ := running(t)
	s.Rules.Set(logging.Rule{User: "cam7"})
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/v1/debug", `{"usr": "x"}`, http.StatusBadRequest},
		{"PUT", "/v1/debug", `[`, http.StatusBadRequest},
		{"PUT", "/v1/debug", `{"user": "` + strings.Repeat("x", maxBody) + `"}`, http.StatusBadRequest},
		{"DELETE", "/v1/debug", `{"usr": "x"}`, http.StatusBadRequest},
		{"DELETE", "/v1/debug", `{"user": "cam7`, http.StatusBadRequest},
		{"DELETE", "/v1/sessions/x", "", http.StatusBadRequest},
		{"POST", "/v1/debug", "", http.StatusMethodNotAllowed},
		{"GET", "/", "", http.StatusNotFound},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://x"+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s %s: %s, want %d", tt.method, tt.path, resp.Status, tt.want)
		}
	}
	if len(s.Rules.All()) != 1 {
		t.Errorf("a request that cannot be read has removed rules: %v", s.Rules.All())
	}
}

// An address is the same in the notation of IPv4 and as IPv6 maps it.
func TestParseNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7/120": "192.0.2.0/24", "192.0.2.7/24": "192.0.2.0/24",
		"2001:db8::7/64": "2001:db8::/64", "::ffff:0:0/90": "::ffc0:0:0/90",
	} {
		if got, err := parseNetwork(in); err != nil || got.String() != want {
			t.Errorf("%s is %v (%v), want %s", in, got, err, want)
		}
	}
}
