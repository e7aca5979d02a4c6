package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// logAs gives a gateway that has not been started another log.
func (g *gateway) logAs(t *testing.T, log string) {
	t.Helper()
	g.replace(t, "log: {level: debug, format: text}", "log: "+log)
}

// lineForm is a line of the format line: letter, prefix and text.
var lineForm = regexp.MustCompile(`^\[([DIWE]) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] (.*)$`)

// TestLogLines reads the log as people do who come from pyftpdlib.
func TestLogLines(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w, "limits: {login_delay: 1ms}")
	g.logAs(t, "{level: info, format: line}")
	g.start(t, t)
	c := g.login(t, false)
	from := regexp.QuoteMeta(c.Raw.LocalAddr().String())
	if r, err := c.Store(t.Context(), "a b.bin", random(1, 1234)); err != nil || r.Code != 226 {
		t.Fatalf("%q, %v", r.Text, err)
	}
	if _, err := c.Retrieve(t.Context(), "a b.bin"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect(257, "MKD d"); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	stranger := g.from(t, "")
	try(t, stranger, user, "wrong", 530)
	for _, want := range []string{
		from + `-\[\] FTP session opened \(connect\)$`,
		from + `-\[cam7\] USER 'cam7' logged in\. tls=false$`,
		from + `-\[cam7\] STOR "/a b\.bin" completed=1 bytes=1234 seconds=\d+\.\d{3} code=226$`,
		from + `-\[cam7\] RETR "/a b\.bin" completed=1 bytes=1234 seconds=\d+\.\d{3} code=226$`,
		from + `-\[cam7\] MKD /d code=257$`,
		from + `-\[cam7\] USER 'cam7' logged out\.$`,
		from + `-\[cam7\] FTP session closed \(disconnect\)\.$`,
		`-\[cam7\] USER 'cam7' failed login\. reason="auth: denied.*" attempt=1$`,
	} {
		line := regexp.MustCompile(`(?m)^\[[IW] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] .*` + want)
		eventually(t, want, func(context.Context) (bool, error) { return line.MatchString(g.Log()), nil })
	}
	for line := range strings.Lines(g.Log()) {
		if !lineForm.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("a line of another form: %q", line)
		}
	}
}

// TestLogPrefix fills in all names, for IPv6 as well.
func TestLogPrefix(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w, "hosts: [{names: [ftp.example.com]}]")
	g.logAs(t, `{level: info, format: line, prefix: "{remote}|{remote_ip}|{remote_port}|{local}|{local_ip}|{local_port}|{user}|{session}|{host}|{software}"}`)
	g.edit(t, func(conf string) string { return addIPv6(conf, g.target.Port) })
	g.start(t, t)
	for _, ip := range []string{"127.0.0.1", "::1"} {
		c, err := clients.Dial(t.Context(), net.JoinHostPort(ip, strconv.Itoa(g.target.Port)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, step := range []struct {
			code int
			line string
		}{{220, "HOST ftp.example.com"}, {200, "CLNT cam 7"}, {331, "USER " + user}, {230, "PASS " + password}, {257, "MKD d" + strconv.Itoa(len(ip))}} {
			if _, err := c.Expect(step.code, step.line); err != nil {
				t.Fatal(err)
			}
		}
		shown := ip
		if ip == "::1" {
			shown = "[::1]"
		}
		_, port, err := net.SplitHostPort(c.Raw.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		want := regexp.MustCompile(`(?m)^\[I [^]]*\] ` + regexp.QuoteMeta(fmt.Sprintf("%s:%s|%s|%s|%s:%d|%s|%d|cam7|", shown, port, shown, port, shown, g.target.Port, shown, g.target.Port)) +
			`\d+\|ftp\.example\.com\|"cam 7" MKD`)
		eventually(t, want.String(), func(context.Context) (bool, error) { return want.MatchString(g.Log()), nil })
	}
}

// TestLogJSON reads every line of the log as JSON.
func TestLogJSON(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w)
	g.logAs(t, "{level: debug, format: json}")
	g.start(t, t)
	c := g.login(t, false)
	if r, err := c.Store(t.Context(), "a\u0085\u202eb.bin", random(1, 99)); err != nil || r.Code != 226 {
		t.Fatalf("%q, %v", r.Text, err)
	}
	g.awaitLog(t, `"msg":"STOR"`, `"result":"done"`)
	found := false
	for line := range strings.Lines(g.Log()) {
		var v struct {
			Msg, User, Remote, Path, Result string
			Bytes                           int64
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		found = found || v.Msg == "STOR" && v.User == user && v.Remote == c.Raw.LocalAddr().String() && v.Bytes == 99 && v.Result == "done"
	}
	if !found {
		t.Error("the upload is not in the log")
	}
}

// TestNoPasswordInLog sends passwords in every way that a client or a person might, with everything logged.
func TestNoPasswordInLog(t *testing.T) {
	for _, format := range []string{"text", "json", "line"} {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, localKind)
			xfer := filepath.Join(w.dir, "xferlog")
			g := prepareGateway(t, w, "limits: {login_delay: 0s, login_attempts: 100}", "guard: {failures: 0}", `anonymous: {home: "store:/"}`)
			g.logAs(t, fmt.Sprintf("{level: debug, format: %s, xferlog: %q}", format, xfer))
			g.start(t, t)
			const secret = "s3cret-word"
			say := func(c *clients.Conn, lines ...string) {
				t.Helper()
				for _, l := range lines {
					if r, err := c.Cmd(l); err != nil || r.Code == 421 {
						t.Fatalf("%s: %q, %v", l, r.Text, err)
					}
				}
			}
			c := g.from(t, "")
			say(c, "PASS "+secret, "ACCT "+secret, "USER "+user, "PASS "+secret, "user "+user, "pAsS "+secret, " PASS "+secret, "PASS\t"+secret,
				"PASSWORD "+secret, "PASS"+secret, "XPASS "+secret, "USER "+user, "ACCT "+secret, "PASS "+secret+"\xff\xfe")
			in := g.login(t, true)
			say(in, "SITE PASS "+secret, "site pswd old-"+secret+" "+secret, "SITE  PASSWD "+secret, "PASS "+secret, "ACCT "+secret)
			say(g.from(t, ""), "USER anonymous", "PASS "+secret+"@example.com")
			if _, err := in.Expect(257, "MKD last"); err != nil {
				t.Fatal(err)
			}
			g.awaitLog(t, "MKD", "/last")
			if log := g.Log(); strings.Contains(strings.ToLower(log), secret) || strings.Contains(log, password) {
				t.Errorf("a password is in the log:\n%s", log)
			} else if !strings.Contains(log, "PASS ******") || !strings.Contains(log, "SITE PSW ******") {
				t.Error("the commands are not in the log")
			}
		})
	}
}

// TestNoForgedLines lets a stranger try to write lines of its own, or to reach the screen of who reads the log.
func TestNoForgedLines(t *testing.T) {
	for _, format := range []string{"text", "json", "line"} {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, localKind)
			xfer := filepath.Join(w.dir, "xferlog")
			g := prepareGateway(t, w, "limits: {login_delay: 0s}")
			g.logAs(t, fmt.Sprintf("{level: debug, format: %s, xferlog: %q}", format, xfer))
			g.start(t, t)
			// A bare CR is a part of the line; LF is its end, so what a client can send of it is NEL and the separators.
			const forged = "x\r[I 2026-01-01 00:00:00] 192.0.2.9:1-[root] USER 'root' logged in.\u0085\u2028\x1b[2J\u202e\u009b31m"
			c := g.from(t, "")
			try(t, c, forged, "wrong", 530)
			in := g.login(t, false)
			if _, err := in.Cmd("CLNT " + forged); err != nil {
				t.Fatal(err)
			}
			name := strings.ReplaceAll(forged, "\r", "") // no name of a file
			d, err := in.Transfer(t.Context(), "STOR "+name)
			if err != nil {
				t.Fatal(err)
			}
			d.Close()
			if r, err := in.ReadReply(); err != nil || r.Code != 226 {
				t.Fatalf("%q, %v", r.Text, err)
			}
			if _, err := in.Cmd("DELE " + name); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Cmd("QUIT"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the lines of the xferlog", func(context.Context) (bool, error) {
				b, err := os.ReadFile(xfer)
				return bytes.Count(b, []byte("\n")) == 2, err
			})
			b, err := os.ReadFile(xfer)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(b)) {
				if n := len(strings.Fields(line)); n != 18 {
					t.Errorf("xferlog: %d fields in %q", n, line)
				}
			}
			g.awaitLog(t, map[bool]string{true: "logged out", false: "logout"}[format == "line"])
			for line := range strings.Lines(g.Log() + string(b)) {
				line = strings.TrimSuffix(line, "\n")
				if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("what does not print is in the log: %q", line)
				}
				if strings.HasPrefix(line, "[I 2026-01-01 00:00:00]") {
					t.Errorf("a forged line: %q", line)
				}
			}
		})
	}
}

// xferLines returns the lines of a transfer log, without their times.
func xferLines(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	var all []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if _, err := time.Parse(time.ANSIC, line[:min(len(line), len(time.ANSIC))]); err != nil {
			t.Errorf("%q does not begin with a time: %v", line, err)
			continue
		}
		all = append(all, strings.TrimSpace(line[len(time.ANSIC):]))
	}
	return all
}

// TestXferlog wants a line for each file that was sent, received, cut or deleted.
func TestXferlog(t *testing.T) {
	for _, kind := range []string{localKind, s3Kind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			xfer := filepath.Join(w.dir, "xferlog")
			g := prepareGateway(t, w, `anonymous: {home: "store:/"}`)
			g.logAs(t, fmt.Sprintf("{level: debug, format: text, xferlog: %q}", xfer))
			g.start(t, t)
			c := g.login(t, true)
			body := random(1, 5000)
			if r, err := c.Store(t.Context(), "a b\u00e9.bin", body); err != nil || r.Code != 226 {
				t.Fatalf("%q, %v", r.Text, err)
			}
			if _, err := c.List(t.Context(), "LIST"); err != nil { // is no file
				t.Fatal(err)
			}
			anyone := g.from(t, "")
			try(t, anyone, "anonymous", "me@example.com", 230)
			if _, err := anyone.Expect(200, "TYPE I"); err != nil {
				t.Fatal(err)
			}
			if b, err := anyone.Retrieve(t.Context(), "a b\u00e9.bin"); err != nil || !bytes.Equal(b, body) {
				t.Fatal(err)
			}
			d, err := c.Transfer(t.Context(), "STOR cut.bin")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Write(body[:1000]); err != nil {
				t.Fatal(err)
			}
			if err := d.FIN(); err != nil { // under TLS, without close_notify
				t.Fatal(err)
			}
			if r, err := c.ReadReply(); err != nil || r.Code != 426 {
				t.Fatalf("%q, %v", r.Text, err)
			}
			if _, err := c.Expect(250, "DELE a b\u00e9.bin"); err != nil {
				t.Fatal(err)
			}
			want := []string{
				`1 127.0.0.1 5000 /a_bé.bin b _ i r cam7 ftp 0 * c`,
				`1 127.0.0.1 5000 /a_bé.bin b _ o a anonymous ftp 0 * c`,
				`1 127.0.0.1 1000 /cut.bin b _ i r cam7 ftp 0 * i`,
				`0 127.0.0.1 0 /a_bé.bin b _ d r cam7 ftp 0 * c`,
			}
			var got []string
			eventually(t, "four lines", func(context.Context) (bool, error) {
				got = xferLines(t, xfer)
				return len(got) >= len(want), nil
			})
			seconds := regexp.MustCompile(`^[1-9]\d* `)
			for i := range got {
				got[i] = seconds.ReplaceAllString(got[i], "1 ") // a busy machine may take longer
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestLogRotation renames the files away and sends a signal, again and again, while uploads run: each upload has its line in
// both logs, once.
func TestLogRotation(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		t.Run(sig.String(), func(t *testing.T) {
			w := newWorld(t, localKind)
			dir := t.TempDir()
			file, xfer := filepath.Join(dir, "log"), filepath.Join(dir, "xferlog")
			g := prepareGateway(t, w)
			g.logAs(t, fmt.Sprintf("{level: info, format: line, file: %q, xferlog: %q}", file, xfer))
			g.start(t, t)
			const clientCount, each, turns = 4, 60, 5
			var wg sync.WaitGroup
			for i := range clientCount {
				c := g.login(t, false)
				wg.Go(func() {
					for n := range each {
						if r, err := c.Store(t.Context(), fmt.Sprintf("f-%d-%d", i, n), []byte("x")); err != nil || r.Code != 226 {
							t.Errorf("%q, %v", r.Text, err)
							return
						}
					}
				})
			}
			reopened := "log files opened anew"
			if sig == syscall.SIGHUP {
				reopened = "reloaded"
			}
			for turn := range turns {
				for _, f := range []string{file, xfer} {
					if err := os.Rename(f, fmt.Sprintf("%s.%d", f, turn)); err != nil {
						t.Fatal(err)
					}
				}
				if err := g.Signal(sig); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the new files", func(context.Context) (bool, error) {
					b, err := os.ReadFile(file)
					if err != nil || !strings.Contains(string(b), reopened) {
						return false, err
					}
					_, err = os.Stat(xfer)
					return err == nil, err
				})
			}
			wg.Wait()
			if err := g.Stop(patience); err != nil { // what waits is written at the end
				t.Fatal(err)
			}
			count := func(pattern string, line *regexp.Regexp) map[string]int {
				seen := map[string]int{}
				files, err := filepath.Glob(pattern)
				if err != nil || len(files) != turns+1 {
					t.Fatalf("%q, %v", files, err)
				}
				for _, f := range files {
					b, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					for _, m := range line.FindAllStringSubmatch(string(b), -1) {
						seen[m[1]]++
					}
				}
				return seen
			}
			for name, seen := range map[string]map[string]int{
				"log":     count(filepath.Join(dir, "log*"), regexp.MustCompile(`(?m) STOR (/f-\d+-\d+) completed=1 bytes=1 `)),
				"xferlog": count(filepath.Join(dir, "xferlog*"), regexp.MustCompile(`(?m) 127\.0\.0\.1 1 (/f-\d+-\d+) b _ i r cam7 ftp 0 \* c$`)),
			} {
				for i := range clientCount {
					for n := range each {
						if k := seen[fmt.Sprintf("/f-%d-%d", i, n)]; k != 1 {
							t.Errorf("%s: %d lines of /f-%d-%d, want 1", name, k, i, n)
						}
					}
				}
			}
		})
	}
}

// TestQuickLog starts the one-line server, which writes lines like pyftpdlib's; -D shows commands and replies.
func TestQuickLog(t *testing.T) {
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := servers.StartGateway(ctx, servers.GatewayOptions{Bin: gatewayBin, Dir: dir, Addr: addr,
		Args: []string{"-i", "127.0.0.1", "-p", strconv.Itoa(port), "-d", t.TempDir(), "-w", "-u", user, "-P", password, "-D"}})
	if err != nil {
		t.Fatal(err)
	}
	watch(t, p.Process)
	g := &gateway{Gateway: p, target: clients.Target{Host: "127.0.0.1", Port: port, User: user, Password: password}}
	c := g.login(t, false)
	if _, err := c.Expect(257, "PWD"); err != nil {
		t.Fatal(err)
	}
	at := c.Raw.LocalAddr().String()
	g.awaitLog(t, "[I ", at+"-[] FTP session opened (connect)")
	g.awaitLog(t, "[D ", at+"-[] -> 220 ")
	g.awaitLog(t, "[D ", at+"-[] <- USER cam7")
	g.awaitLog(t, "[D ", at+"-[cam7] -> 331 ")
	g.awaitLog(t, "[D ", at+"-[cam7] <- PASS ******")
	g.awaitLog(t, "[I ", at+"-[cam7] USER 'cam7' logged in.")
	g.awaitLog(t, "[D ", at+"-[cam7] <- PWD")
}
