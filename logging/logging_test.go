package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

func client(user, claimed string) protocol.Client {
	return protocol.Client{ID: 7, Remote: netip.MustParseAddrPort("192.0.2.7:40112"), Local: netip.MustParseAddrPort("[2001:db8::1]:21"),
		User: user, Claimed: claimed, Host: "ftp.example.com", Software: "cam fw 2"}
}

// made makes a log in memory.
func made(t *testing.T, o Options) (*Handler, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	h, err := New(o, &out)
	if err != nil {
		t.Fatal(err)
	}
	return h, &out
}

func TestPrefix(t *testing.T) {
	c := client("cam7", "cam7")
	v6 := c
	v6.Remote = netip.MustParseAddrPort("[2001:db8::7]:40112")
	forged := client("", "x] [I 2026-01-01 00:00:00] USER 'root' logged in.\r\n\x1b[31m")
	tests := []struct {
		name, prefix string
		client       protocol.Client
		want         string
	}{
		{"default", DefaultPrefix, c, "192.0.2.7:40112-[cam7]"},
		{"before USER", DefaultPrefix, client("", ""), "192.0.2.7:40112-[]"},
		{"before the login", DefaultPrefix, client("", "cam7"), "192.0.2.7:40112-[cam7]"},
		{"IPv6", DefaultPrefix, v6, "[2001:db8::7]:40112-[cam7]"},
		{"IPv6 without port", "{remote_ip}", v6, "[2001:db8::7]"},
		{"all", "{remote_ip} {remote_port} {local} {local_ip} {local_port} {user} #{session} {host} {software}", c,
			`192.0.2.7 40112 [2001:db8::1]:21 [2001:db8::1] 21 cam7 #7 ftp.example.com "cam fw 2"`},
		{"no address", DefaultPrefix, protocol.Client{}, "--[]"},
		{"no names", "ftp", c, "ftp"},
		{"forged", DefaultPrefix, forged, `192.0.2.7:40112-["x] [I 2026-01-01 00:00:00] USER 'root' logged in.\r\n\x1b[31m"]`},
	}
	for _, tt := range tests {
		p, err := parsePrefix(tt.prefix)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := p.of(&tt.client); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	for _, bad := range []string{"{usr}", "{user", "user}", "{}", "}{"} {
		if _, err := New(Options{Format: Line, Prefix: bad}, io.Discard); err == nil {
			t.Errorf("the prefix %q is taken", bad)
		}
	}
}

func TestLines(t *testing.T) {
	h, out := made(t, Options{Format: Line, Prefix: DefaultPrefix, Level: slog.LevelDebug})
	of := func(user, claimed string) *slog.Logger { return slog.New(h.WithClient(new(client(user, claimed)))) }
	in, stranger := of("cam7", "cam7"), of("", "cam7")
	tests := []struct {
		name string
		log  func()
		want string
	}{
		{"of nobody", func() { slog.New(h).Info("listening", "address", "127.0.0.1:21", "tls", true) }, "I listening address=127.0.0.1:21 tls=true"},
		{"login", func() { in.Info("login", "tls", false) }, "I 192.0.2.7:40112-[cam7] USER 'cam7' logged in. tls=false"},
		{"logout", func() { in.Info("logout") }, "I 192.0.2.7:40112-[cam7] USER 'cam7' logged out."},
		{"failed", func() {
			stranger.Warn("login failed", "user", "o'neil\n", "reason", errors.New("auth: wrong"), "attempt", 2)
		}, `W 192.0.2.7:40112-[cam7] USER 'o\'neil\n' failed login. reason="auth: wrong" attempt=2`},
		{"transfer", func() {
			in.Info("STOR", "path", "/a.jpg", "result", "done", "bytes", int64(1024), "seconds", 0.0123, "code", 226)
		},
			"I 192.0.2.7:40112-[cam7] STOR /a.jpg completed=1 bytes=1024 seconds=0.012 code=226"},
		{"cut", func() {
			in.Warn("STOR", "path", "/a b.jpg", "result", "cut", "bytes", int64(3), "seconds", 1.0, "code", 426, "err", io.ErrUnexpectedEOF)
		},
			`W 192.0.2.7:40112-[cam7] STOR "/a b.jpg" completed=0 result=cut bytes=3 seconds=1.000 code=426 err="unexpected EOF"`},
		{"change", func() { in.Info("MKD", "path", "/d", "code", 257) }, "I 192.0.2.7:40112-[cam7] MKD /d code=257"},
		{"command", func() { in.Debug("<- STOR a\x1b[2Jb") }, `D 192.0.2.7:40112-[cam7] <- STOR a\x1b[2Jb`},
		{"forged path", func() { in.Info("RETR", "path", "/x completed=1 bytes=9", "result", "cut") },
			`I 192.0.2.7:40112-[cam7] RETR "/x completed=1 bytes=9" completed=0 result=cut`},
		{"kinds", func() {
			slog.New(h).With("a", 1).WithGroup("g").With("b", time.Second).Error("m", "c", uint64(2), "d", netip.MustParseAddr("::1"), slog.Group("h", "e", []int{1, 2}), "f", "")
		}, `E m g.c=2 g.d=::1 g.h.e="[1 2]" g.f="" a=1 g.b=1s`},
		{"no UTF-8", func() { slog.New(h).Info("x\xffy", "v", "\xff") }, `I x\xffy v="\xff"`},
	}
	stamp := regexp.MustCompile(`^\[([DIWE]) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] `)
	for _, tt := range tests {
		out.Reset()
		tt.log()
		if got := stamp.ReplaceAllString(out.String(), "$1 "); got != tt.want+"\n" {
			t.Errorf("%s:\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

// Times are in UTC, or in the machine's zone.
func TestLineTimes(t *testing.T) {
	zone := time.Local
	defer func() { time.Local = zone }()
	time.Local = time.FixedZone("X", 5*3600)
	at := time.Date(2026, 1, 2, 23, 4, 5, 0, time.UTC)
	for local, want := range map[bool]string{false: "[I 2026-01-02 23:04:05] m\n", true: "[I 2026-01-03 04:04:05] m\n"} {
		h, out := made(t, Options{Format: Line, Local: local})
		if err := h.Handle(t.Context(), slog.NewRecord(at, slog.LevelInfo, "m", 0)); err != nil || out.String() != want {
			t.Errorf("local %v: %q, %v; want %q", local, out.String(), err, want)
		}
	}
}

// Whatever a stranger chooses stays in its line, in each format.
func TestNothingForged(t *testing.T) {
	const odd = "a\x1b[31m\u0085b\u2028\u202e\u009b\x7f\r\n[I 2026-01-01 00:00:00] - forged"
	for _, f := range []Format{Text, JSON, Line} {
		h, out := made(t, Options{Format: f, Prefix: "{user} {host} {software}"})
		log := slog.New(h.WithClient(&protocol.Client{User: odd, Host: odd, Software: odd}))
		log.With("k", odd).Info(odd, "path", odd, "err", errors.New(odd), "any", []string{odd})
		log.Warn("login failed", "user", odd)
		got := out.String()
		if strings.Count(got, "\n") != 2 {
			t.Errorf("%s: %d lines: %q", f, strings.Count(got, "\n"), got)
		}
		if i := strings.IndexFunc(strings.ReplaceAll(got, "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%s: does not print: %q", f, got)
		}
	}
}

// A program reads in the JSON log what was meant.
func TestJSONKeepsTexts(t *testing.T) {
	const odd = "a\\u202e\u202e\U000e0001\x1b\u0085ü"
	h, out := made(t, Options{Format: JSON})
	slog.New(h).Info(odd, "path", odd, "list", []string{odd})
	var got struct {
		Msg, Path string
		List      []string
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Msg != odd || got.Path != odd || got.List[0] != odd {
		t.Errorf("%s: %+v, %v", out, got, err)
	}
}

// The client is attributes in text and JSON.
func TestClientAttributes(t *testing.T) {
	h, out := made(t, Options{Format: JSON})
	slog.New(h.WithClient(new(client("cam7", "cam7")))).Info("login", "tls", true)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["user"] != "cam7" || got["remote"] != "192.0.2.7:40112" || got["session"] != 7.0 || got["msg"] != "login" {
		t.Errorf("%s", out)
	}
	out.Reset()
	h, out = made(t, Options{Format: Text})
	slog.New(h.WithClient(new(client("", "cam7")))).Info("hello")
	if s := out.String(); !strings.HasSuffix(s, "msg=hello session=7 remote=192.0.2.7:40112\n") {
		t.Errorf("before the login: %q", s)
	}
}

func TestRules(t *testing.T) {
	net := netip.MustParsePrefix
	tests := []struct {
		name   string
		rule   Rule
		client protocol.Client
		want   bool
	}{
		{"user", Rule{User: "cam7"}, client("cam7", "cam7"), true},
		{"another user", Rule{User: "cam8"}, client("cam7", "cam7"), false},
		{"claimed", Rule{User: "cam7"}, client("", "cam7"), true},
		{"logged in as another", Rule{User: "cam7"}, client("joe", "cam7"), false},
		{"address", Rule{Network: net("192.0.2.7/32")}, client("", ""), true},
		{"network", Rule{Network: net("192.0.2.0/24")}, client("x", "x"), true},
		{"another network", Rule{Network: net("10.0.0.0/8")}, client("x", "x"), false},
		{"both", Rule{User: "cam7", Network: net("192.0.2.0/24")}, client("cam7", ""), true},
		{"only one", Rule{User: "cam8", Network: net("192.0.2.0/24")}, client("cam7", ""), false},
		{"all", Rule{}, client("", ""), true},
	}
	for _, tt := range tests {
		rules := &Rules{}
		h, _ := made(t, Options{Format: Line, Level: slog.LevelInfo, Rules: rules})
		log := slog.New(h.WithClient(&tt.client)).With("k", 1)
		if log.Enabled(t.Context(), slog.LevelDebug) {
			t.Errorf("%s: debug without a rule", tt.name)
		}
		rules.Set(tt.rule)
		if got := log.Enabled(t.Context(), slog.LevelDebug); got != tt.want {
			t.Errorf("%s: debug is %v, want %v", tt.name, got, tt.want)
		}
		if slog.New(h).Enabled(t.Context(), slog.LevelDebug) {
			t.Errorf("%s: debug for lines of nobody", tt.name)
		}
		if !rules.Unset(tt.rule) || rules.Unset(tt.rule) || log.Enabled(t.Context(), slog.LevelDebug) {
			t.Errorf("%s: the rule does not go", tt.name)
		}
	}
}

// A rule ends by itself, and costs nothing any more.
func TestRuleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := &Rules{}
		h, out := made(t, Options{Format: Line, Level: slog.LevelWarn, Rules: rules})
		log := slog.New(h.WithClient(new(client("cam7", ""))))
		rules.Set(Rule{User: "cam7", Until: time.Now().Add(time.Hour)})
		rules.Set(Rule{User: "cam7", Until: time.Now().Add(time.Minute)}) // in its place
		log.Debug("in time")
		time.Sleep(time.Minute)
		log.Debug("too late")
		log.Info("below the level")
		if got := out.String(); !strings.Contains(got, "in time") || strings.Count(got, "\n") != 1 {
			t.Errorf("%q", got)
		}
		if len(rules.All()) != 0 || rules.list.Load() != nil {
			t.Error("the rule is still there")
		}
		for i := range maxRules {
			if !rules.Set(Rule{User: strings.Repeat("x", i+1)}) {
				t.Errorf("rule %d is refused", i)
			}
		}
		if rules.Set(Rule{User: "one more"}) {
			t.Error("there is no bound")
		}
		if n := rules.Clear(); n != maxRules || rules.debug(&protocol.Client{User: "x"}) {
			t.Errorf("%d rules removed", n)
		}
	})
}

// A line that is not wanted costs no memory, and one that is next to none.
func TestAllocations(t *testing.T) {
	h, err := New(Options{Format: Line, Prefix: DefaultPrefix, Rules: &Rules{}}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	log, ctx := slog.New(h.WithClient(new(client("cam7", "cam7")))), t.Context()
	if n := testing.AllocsPerRun(100, func() { log.Enabled(ctx, slog.LevelDebug) }); n != 0 {
		t.Errorf("a line that is not wanted: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { log.LogAttrs(ctx, slog.LevelInfo, "m", slog.String("k", "v"), slog.Int64("n", 5)) }); n > 3 {
		t.Errorf("a line: %v allocations", n)
	}
}

func BenchmarkLine(b *testing.B) {
	h, err := New(Options{Format: Line, Prefix: DefaultPrefix}, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(h.WithClient(new(client("cam7", "cam7"))))
	for b.Loop() {
		log.Info("STOR", "path", "/a.jpg", "result", "done", "bytes", int64(1024), "seconds", 0.0123, "code", 226)
	}
}
