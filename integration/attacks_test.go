package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// rewrite changes the configuration of a gateway that has not been started.
func (g *gateway) rewrite(t *testing.T, from, to string) {
	t.Helper()
	file := g.options.Args[len(g.options.Args)-1]
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), from) {
		t.Fatalf("%s: no %q in it (%v)", file, from, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// descriptors counts what a process has open.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestStrangersKeepNobodyOut lets one address hold all sessions. Others come in and log in all the same, and
// who has logged in is never sent away.
func TestStrangersKeepNobodyOut(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "limits: {connections: 20}")
	for range 20 {
		g.from(t, "127.0.0.2")
	}
	if code, err := g.knock(t.Context(), "127.0.0.2"); err != nil || code != 421 {
		t.Errorf("one more of the stranger's is greeted with %d, %v; want 421", code, err)
	}
	var in []*clients.Conn
	for range 10 {
		in = append(in, g.login(t, false))
	}
	for _, c := range in {
		if _, err := c.Expect(257, "PWD"); err != nil {
			t.Error(err)
		}
	}
}

// TestConnectionsPerAddress refuses the connections of an address that has enough.
func TestConnectionsPerAddress(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "limits: {per_ip: 3}")
	for range 3 {
		g.from(t, "127.0.0.2")
	}
	for from, want := range map[string]int{"127.0.0.2": 421, "127.0.0.3": 220} {
		if code, err := g.knock(t.Context(), from); err != nil || code != want {
			t.Errorf("%s is greeted with %d, %v; want %d", from, code, err, want)
		}
	}
}

// TestLoginDeadline lets strangers spin out the time before a login in every way.
func TestLoginDeadline(t *testing.T) {
	w := newWorld(t, localKind)
	implicit, err := servers.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	g := prepareGateway(t, w, "limits: {login: 2s, idle: 1h, connect: 1h}")
	g.rewrite(t, "listeners:\n", fmt.Sprintf("listeners:\n  - {address: %q, tls: {mode: implicit}}\n", implicit))
	g.start(t, t)
	// end reads until the server has ended the connection, and returns the last reply.
	end := func(c *clients.Conn) (clients.Reply, error) {
		var last clients.Reply
		for {
			r, err := c.ReadReply()
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				return last, nil
			}
			if err != nil {
				return last, err
			}
			last = r
		}
	}
	// drip sends something again and again, until the connection is gone.
	drip := func(c *clients.Conn, what string) {
		go func() { // ends with the connection
			for c.SendRaw([]byte(what)) == nil {
				time.Sleep(50 * time.Millisecond)
			}
		}()
	}
	for name, stranger := range map[string]struct {
		begin func(c *clients.Conn)
		to    string
		want  int // 0 for no word
	}{
		"silence":                {func(c *clients.Conn) {}, g.Addr, 421},
		"NOOP again and again":   {func(c *clients.Conn) { drip(c, "NOOP\r\n") }, g.Addr, 421},
		"a line without end":     {func(c *clients.Conn) { drip(c, "x") }, g.Addr, 421},
		"USER and REIN":          {func(c *clients.Conn) { drip(c, "USER x\r\nREIN\r\n") }, g.Addr, 421},
		"AUTH and no handshake":  {func(c *clients.Conn) { c.Expect(234, "AUTH TLS") }, g.Addr, 0},
		"AUTH and a slow one":    {func(c *clients.Conn) { c.Expect(234, "AUTH TLS"); drip(c, "\x16") }, g.Addr, 0},
		"implicit, no handshake": {func(c *clients.Conn) {}, implicit, 0},
		"implicit, a slow one": {func(c *clients.Conn) {
			c.SendRaw([]byte("\x16\x03\x01\x02\x00"))
			drip(c, "\x01")
		}, implicit, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := clients.Knock(t.Context(), "", stranger.to)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if stranger.to == g.Addr {
				if r, err := c.ReadReply(); err != nil || r.Code != 220 {
					t.Fatalf("%q, %v", r.Text, err)
				}
			}
			stranger.begin(c)
			r, err := end(c)
			if err != nil {
				t.Fatalf("the session does not end: %v", err)
			}
			if r.Code != stranger.want {
				t.Errorf("last word %q, want %d", r.Text, stranger.want)
			}
		})
	}
}

// TestThousandPASV asks for a thousand data connections and uses none.
func TestThousandPASV(t *testing.T) {
	first, err := servers.FreePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		passive string
		keeps   int // listeners that may stay for the next session
	}{
		"any port":         {"{}", 0},
		"shared ports":     {fmt.Sprintf("{ports: %d-%d}", first, first+19), 20},
		"ports of its own": {fmt.Sprintf("{ports: %d-%d, match: exclusive}", first, first+19), 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, localKind)
			g := newGateway(t, w, "passive: "+tc.passive)
			c := g.login(t, false)
			if _, err := c.Expect(257, "PWD"); err != nil {
				t.Fatal(err)
			}
			fds := descriptors(t, g.PID())
			goroutines, err := g.metric(t.Context(), "go_goroutines")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 1000 {
				line, code := "PASV", 227
				if i%2 == 1 {
					line, code = "EPSV", 229
				}
				if _, err := c.Expect(code, line); err != nil {
					t.Fatalf("the %dth: %v", i+1, err)
				}
			}
			few := 4 // the promise itself, the HTTP connections of the metrics
			if n := descriptors(t, g.PID()); n > fds+tc.keeps+few {
				t.Errorf("%d descriptors behind them, %d before", n, fds)
			}
			if _, err := c.Store(t.Context(), "used", []byte("used")); err != nil {
				t.Errorf("the one that is used: %v", err)
			}
			if err := c.Quit(); err != nil {
				t.Fatal(err)
			}
			g.waitNoSessions(t)
			eventually(t, "descriptors and goroutines as before", func(ctx context.Context) (bool, error) {
				n, err := g.metric(ctx, "go_goroutines")
				return err == nil && n <= goroutines+float64(tc.keeps) && descriptors(t, g.PID()) <= fds+tc.keeps, err
			})
		})
	}
}

// TestEndlessLines sends lines that never end, before the login and behind it.
func TestEndlessLines(t *testing.T) {
	const size, limit = 64 << 20, 8 << 10
	w := newWorld(t, localKind)
	g := newGateway(t, w)
	stranger := g.from(t, "")
	joe := g.login(t, false)
	idle := kib(t, g.PID(), "status", "VmRSS")
	forgetPeak(t, g.PID())
	block := []byte(strings.Repeat("x", 1<<20))
	for _, c := range []*clients.Conn{stranger, joe} {
		for range size / len(block) {
			if err := c.SendRaw(block); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Expect(500, ""); err != nil {
			t.Error(err)
		}
		if _, err := c.Expect(200, "NOOP"); err != nil {
			t.Error(err)
		}
	}
	if over := kib(t, g.PID(), "status", "VmHWM") - idle; over > limit {
		t.Errorf("%d KiB over idle, want at most %d", over, limit)
	}
}

// TestNamesStayNames puts what could end a line, or colour a screen, into every name a client can choose.
func TestNamesStayNames(t *testing.T) {
	const odd = "a\x1b[31m\u0085b\u2028\u202e\u009b\x7f"
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, localKind)
			g := prepareGateway(t, w, "guard: {failures: 0}", "limits: {login_delay: 0s}")
			g.rewrite(t, "format: text", "format: "+format)
			g.start(t, t)
			c := g.login(t, false)
			var said strings.Builder
			tell := func(line string) {
				t.Helper()
				r, err := c.Cmd(line)
				if err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				said.WriteString(r.Text)
			}
			for _, line := range []string{"MKD %s", "CWD %s", "PWD", "CDUP", "STAT %s", "SITE %s", "HELP %s", "%s", "OPTS %s", "RMD /%s/x", "SIZE %s",
				"MLST /%s", "STAT", "STAT /", "CLNT %s", "MDTM %s", "AUTH %s", "TYPE %s", "PORT %s", "EPRT %s"} {
				tell(strings.ReplaceAll(line, "%s", odd))
			}
			for _, line := range []string{"LIST", "NLST", "MLSD", "LIST " + odd} {
				list, err := c.List(t.Context(), line)
				if err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				if n := strings.Count(list, "\r\n"); line == "LIST" && n != 1 {
					t.Errorf("%s has %d lines", line, n)
				}
				said.WriteString(list)
			}
			tell("USER " + odd)
			tell("PASS " + odd)
			for _, r := range said.String() {
				if unicode.IsControl(r) && r != '\r' && r != '\n' {
					t.Errorf("the client was told %U", r)
				}
			}
			if err := c.Quit(); err != nil {
				t.Error(err)
			}
			g.waitNoSessions(t)
			for _, r := range g.Log() {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("the log holds %U", r)
				}
			}
		})
	}
}

// TestGreeting has several lines, empty ones and some that look like replies.
func TestGreeting(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, `banner: "Site 1\n\n220 not the end\n500-nor an error\nlast"`)
	c, err := clients.Knock(t.Context(), "", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const want = "220-Site 1\r\n \r\n 220 not the end\r\n 500-nor an error\r\n220 last\r\n"
	if r, err := c.ReadReply(); err != nil || r.Text != want {
		t.Errorf("greeting %q, %v; want %q", r.Text, err, want)
	}
	if r, err := c.Expect(200, "NOOP"); err != nil {
		t.Errorf("%q, %v", r.Text, err)
	}
}

// TestClientsThatNeverRead send commands until the server cannot answer any more. The server ends at
// once all the same, though transfers would have an hour.
func TestClientsThatNeverRead(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "shutdown_grace: 1h")
	lines := []byte(strings.Repeat("HELP\r\n", 10_000))
	for range 10 {
		c := g.login(t, false)
		c.Raw.SetReadBuffer(4096)
		for {
			c.Raw.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := c.Raw.Write(lines); err != nil {
				break // nothing more goes through
			}
		}
	}
	if err := g.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if code, err := g.Wait(ctx); err != nil || code != 0 {
		t.Errorf("the gateway ended with %d, %v", code, err)
	}
	if strings.Contains(g.Log(), "panic") || !slices.Contains(strings.Fields(g.Log()), "msg=stopped") {
		t.Error("it did not end in order")
	}
}
