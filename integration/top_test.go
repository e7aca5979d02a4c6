package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// socketOf returns a name that is short enough for a socket, and gone with the test.
func socketOf(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ftpgw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "admin.sock")
}

// operate runs a command of the gateway's, and returns what it prints and whether it succeeded.
func operate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), gatewayBin, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// mustOperate is operate for what has to succeed.
func mustOperate(t *testing.T, args ...string) string {
	t.Helper()
	out, err := operate(t, args...)
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
	return out
}

// status is what of the JSON output is looked at here.
type status struct {
	Sessions []struct {
		ID      uint64
		User    string
		Remote  string
		TLS     bool
		Command *struct {
			Verb, Path string
			Transfer   *struct {
				Upload bool
				Bytes  int64
			}
		}
	}
	Bans []struct{ Network string }
	Slow []struct {
		User     string
		Failures int
	} `json:"slowed_users"`
	Memory *struct {
		Limit int64 `json:"limit_bytes"`
		InUse int64 `json:"used_bytes"`
	}
	Backends []struct{ Name, Health string }
	Log      struct {
		Level string
		Debug []struct{ User, Address string }
	}
}

func statusOf(t *testing.T, socket string) (s status) {
	t.Helper()
	out := mustOperate(t, "top", "--json", "--socket", socket)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

// uploading waits until an upload is seen with so many bytes, and returns the session's ID.
func uploading(t *testing.T, socket, path string, n int64) (id uint64) {
	t.Helper()
	eventually(t, "the upload of "+path, func(context.Context) (bool, error) {
		s := statusOf(t, socket)
		for _, e := range s.Sessions {
			if c := e.Command; c != nil && c.Path == path && c.Transfer != nil && c.Transfer.Upload && c.Transfer.Bytes == n {
				id = e.ID
				return true, nil
			}
		}
		return false, fmt.Errorf("%+v", s.Sessions)
	})
	return id
}

// TestTopAndKick looks at an upload that is running, ends it, and wants nothing of it to be seen.
func TestTopAndKick(t *testing.T) {
	for _, kind := range []string{s3Kind, gcsKind, localKind} {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%v", kind, tls), func(t *testing.T) {
				w := newWorld(t, kind)
				socket := socketOf(t)
				g := newGateway(t, w, fmt.Sprintf("admin: {socket: %q}", socket))
				if fi, err := os.Stat(socket); err != nil || fi.Mode().Perm() != 0o600 {
					t.Errorf("the socket: %v, %v; want mode 0600", fi.Mode(), err)
				}
				other := g.login(t, false)
				c := g.login(t, tls)
				d, err := c.Transfer(t.Context(), "STOR /big.bin")
				if err != nil {
					t.Fatal(err)
				}
				defer d.FIN()
				const n = 3 << 20
				if _, err := d.Write(random(1, n)); err != nil {
					t.Fatal(err)
				}
				want := int64(n)
				if kind == localKind && !tls {
					// What the kernel moves is counted every 4 MiB or 5 s.
					if _, err := d.Write(random(1, n)); err != nil {
						t.Fatal(err)
					}
					want = 4 << 20
				}
				id := uploading(t, socket, "/big.bin", want)
				conf := g.options.Args[len(g.options.Args)-1]
				screen := mustOperate(t, "top", "--once", "--config", conf)
				yes := map[bool]string{true: "yes"}[tls]
				line := fmt.Sprintf(`(?m)^ *%d +cam7 +127\.0\.0\.1:\d+ +%s +\S+ +%dM +\S+/s  STOR /big\.bin$`, id, yes, want>>20)
				if tls || kind != localKind {
					line = fmt.Sprintf(`(?m)^ *%d +cam7 +127\.0\.0\.1:\d+ +%s +\S+ +3\.0M +\S+/s  STOR /big\.bin$`, id, yes)
				} else {
					line = strings.Replace(line, "+4M", `+4\.0M`, 1)
				}
				if !regexp.MustCompile(line).MatchString(screen) {
					t.Errorf("no line like %s in\n%s", line, screen)
				}
				if !strings.Contains(screen, "back ends store ok") || !strings.Contains(screen, "sessions 2 of 512, uploads 1") {
					t.Errorf("the head of\n%s", screen)
				}
				if s := statusOf(t, socket); (s.Memory != nil) != (kind != localKind) {
					t.Errorf("memory: %+v", s.Memory)
				}
				if out, err := operate(t, "kick", "--socket", socket, "4711"); err == nil || !strings.Contains(out, "there is no session 4711") {
					t.Errorf("kick of nobody: %v, %s", err, out)
				}
				mustOperate(t, "kick", "--config", conf, fmt.Sprint(id))
				refusedReply(t, c, 426)
				refusedReply(t, c, 421)
				if err := c.WaitEnd(); err != nil {
					t.Errorf("the session goes on: %v", err)
				}
				g.awaitLog(t, "STOR", "/big.bin", "result=cut", "ended by the operator")
				eventually(t, "the session's end", func(context.Context) (bool, error) { return len(statusOf(t, socket).Sessions) == 1, nil })
				if kind != localKind { // a disk keeps the part, as its documentation says
					w.wantObject(t, "big.bin", nil)
					w.wantNoUploads(t)
				}
				if _, err := other.Expect(257, "PWD"); err != nil {
					t.Errorf("the other session: %v", err)
				}
				if err := g.Stop(patience); err != nil {
					t.Error(err)
				}
				if _, err := os.Lstat(socket); !os.IsNotExist(err) {
					t.Errorf("the socket is left behind: %v", err)
				}
			})
		}
	}
}

// TestUnban bans an address, sees it in top with the user that was guessed at, and lets it in again.
func TestUnban(t *testing.T) {
	w := newWorld(t, localKind)
	socket := socketOf(t)
	g := newGateway(t, w, "guard: {failures: 3, user_failures: 2, ban: 1h, max_delay: 1ms}", "limits: {login_delay: 1ms, login_attempts: 10}",
		fmt.Sprintf("admin: {socket: %q}", socket))
	c := g.from(t, "127.0.0.2")
	for i, want := range []int{530, 530, 421} {
		try(t, c, user, fmt.Sprint("guess", i), want)
	}
	if code, err := g.knock(t.Context(), "127.0.0.2"); err != nil || code != 421 {
		t.Fatalf("the address is greeted with %d, %v", code, err)
	}
	s := statusOf(t, socket)
	if len(s.Bans) != 1 || s.Bans[0].Network != "127.0.0.2/32" || len(s.Slow) != 1 || s.Slow[0].User != user || s.Slow[0].Failures != 3 {
		t.Errorf("bans %+v, slowed users %+v", s.Bans, s.Slow)
	}
	screen := mustOperate(t, "sessions", "--socket", socket)
	if !strings.Contains(screen, "banned 1: 127.0.0.2/32 for ") || !strings.Contains(screen, "slowed users 1: cam7 for ") {
		t.Errorf("top shows\n%s", screen)
	}
	if n, err := g.metric(t.Context(), "ftp_gateway_slowed_users"); err != nil || n != 1 {
		t.Errorf("ftp_gateway_slowed_users = %v, %v; want 1", n, err)
	}
	if out, err := operate(t, "unban", "--socket", socket, "127.0.0.9"); err == nil || !strings.Contains(out, "not banned") {
		t.Errorf("unban of somebody else: %v, %s", err, out)
	}
	mustOperate(t, "unban", "--socket", socket, "127.0.0.0/29")
	try(t, g.from(t, "127.0.0.2"), user, password, 230)
	if n, err := g.metric(t.Context(), "ftp_gateway_banned_addresses"); err != nil || n != 0 {
		t.Errorf("ftp_gateway_banned_addresses = %v, %v; want 0", n, err)
	}
}

// TestDebugAtRunTime shows the commands of one user, in a session that is open, until it ends by itself.
func TestDebugAtRunTime(t *testing.T) {
	for _, format := range []string{"text", "json", "line"} {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, localKind)
			socket := socketOf(t)
			g := prepareGateway(t, w, fmt.Sprintf("admin: {socket: %q}", socket), "limits: {login_delay: 0s}")
			g.logAs(t, fmt.Sprintf("{level: info, format: %s}", format))
			g.addUsers(t, "  - {name: joe, password: \"plain:"+password+"\", home: \"store:/\"}")
			g.start(t, t)
			cam, joe := g.login(t, false), g.loginAs(t, "joe")
			n := 0
			// mark sends a command by both, and returns what tells it from all others.
			mark := func(c *clients.Conn) string {
				t.Helper()
				n++
				m := fmt.Sprintf("mark-%d", n)
				if _, err := c.Expect(550, "CWD "+m); err != nil {
					t.Fatal(err)
				}
				return "<- CWD " + m
			}
			before := mark(cam)
			mustOperate(t, "debug", "--socket", socket, "--user", user, "--for", "1h")
			if s := statusOf(t, socket); len(s.Log.Debug) != 1 || s.Log.Debug[0].User != user || s.Log.Level != "info" {
				t.Errorf("%+v", s.Log)
			}
			others, during := mark(joe), mark(cam)
			g.awaitLog(t, during)
			// A login that fails is of the user that it names; its password is nobody's business.
			try(t, g.from(t, ""), user, "s3cret-guess", 530)
			g.awaitLog(t, "-> 530")
			mustOperate(t, "debug", "--socket", socket, "--off", "--user", user)
			off := mark(cam)

			mustOperate(t, "debug", "--socket", socket, "--address", "127.0.0.0/8")
			network := mark(joe)
			g.awaitLog(t, network)
			mustOperate(t, "debug", "--socket", socket, "--off")

			mustOperate(t, "debug", "--socket", socket, "--user", user, "--for", "300ms")
			eventually(t, "the end of a rule", func(context.Context) (bool, error) { return len(statusOf(t, socket).Log.Debug) == 0, nil })
			over := mark(cam)
			if _, err := cam.Expect(257, "MKD last"); err != nil {
				t.Fatal(err)
			}
			g.awaitLog(t, "MKD", "/last")
			log := g.Log()
			for _, m := range []string{before, others, off, over} {
				if strings.Contains(log, m) {
					t.Errorf("%q is in the log", m)
				}
			}
			if strings.Contains(log, "s3cret") || strings.Contains(log, password) {
				t.Error("a password is in the log")
			}
			if out, err := operate(t, "debug", "--socket", socket, "--for", "10m"); err == nil {
				t.Errorf("debug of nobody: %s", out)
			}
		})
	}
}

// TestStaleSocket kills the gateway, whose socket stays, and starts it again. A file of another kind is left alone.
func TestStaleSocket(t *testing.T) {
	w := newWorld(t, localKind)
	socket := socketOf(t)
	g := newGateway(t, w, fmt.Sprintf("admin: {socket: %q}", socket))
	g.Kill()
	if _, err := os.Lstat(socket); err != nil {
		t.Fatalf("a killed gateway took its socket away: %v", err)
	}
	if out, err := operate(t, "top", "--once", "--socket", socket); err == nil || !strings.Contains(out, "connection refused (hint: ") {
		t.Errorf("nobody answers: %v, %s", err, out)
	}
	g.start(t, t)
	mustOperate(t, "top", "--once", "--socket", socket)
	if err := g.Stop(patience); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(socket, []byte("precious")); err != nil {
		t.Fatal(err)
	}
	out, err := operate(t, g.options.Args...)
	if err == nil || !strings.Contains(out, "admin.socket: "+socket+" is there already, and no socket") {
		t.Errorf("a file in the place of the socket: %v, %s", err, out)
	}
	if b, err := os.ReadFile(socket); err != nil || string(b) != "precious" {
		t.Errorf("the file: %q, %v", b, err)
	}
}

// tmux runs a command of a tmux of the test's own.
func tmux(t *testing.T, server string, args ...string) string {
	t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", server, "-f", "/dev/null"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// TestTopInTerminal watches top in a real terminal: it refreshes, sorts, and leaves the terminal as it was, by q, by
// Ctrl-C and by SIGTERM.
func TestTopInTerminal(t *testing.T) {
	w := newWorld(t, localKind)
	socket := socketOf(t)
	g := newGateway(t, w, fmt.Sprintf("admin: {socket: %q}", socket))
	server := filepath.Join(filepath.Dir(socket), "tmux")
	tmux(t, server, "new-session", "-d", "-x", "120", "-y", "30", "env", "PS1=prompt>", "sh")
	t.Cleanup(func() { exec.Command("tmux", "-S", server, "kill-server").Run() })
	screen := func() string { return tmux(t, server, "capture-pane", "-p") }
	await := func(what string, pattern string) {
		t.Helper()
		re := regexp.MustCompile(pattern)
		last := ""
		eventually(t, what, func(context.Context) (bool, error) {
			last = screen()
			return re.MatchString(last), fmt.Errorf("the screen:\n%s", last)
		})
	}
	await("the shell", `prompt>`)
	tmux(t, server, "send-keys", "stty -a > "+filepath.Join(filepath.Dir(socket), "before")+"; echo rea''dy", "Enter")
	await("the shell", `(?m)^ready`)
	for _, end := range []string{"q", "C-c", "TERM"} {
		pid := filepath.Join(filepath.Dir(socket), "pid")
		after := filepath.Join(filepath.Dir(socket), "after")
		tmux(t, server, "send-keys", fmt.Sprintf("sh -c 'echo $$ > %s; exec %s top --every 200ms --socket %s'; stty -a > %s; echo en''ded %s", pid, gatewayBin, socket, after, end), "Enter")
		await("top", `(?s)sessions \d+ of 512.*q quit; order:`)
		if strings.Contains(screen(), "prompt>") {
			t.Error("top is not on a screen of its own")
		}
		c := g.login(t, false)
		id := uint64(0)
		for _, s := range statusOf(t, socket).Sessions {
			if s.Remote == c.Raw.LocalAddr().String() {
				id = s.ID
			}
		}
		await("a new session", fmt.Sprintf(`(?m)^ *%d +cam7 +`, id))
		tmux(t, server, "send-keys", "t")
		tmux(t, server, "resize-window", "-x", "60", "-y", "12")
		await("the smaller window", `(?m)^q quit; order: i id u user a address b bytes r rate t idle$`)
		tmux(t, server, "resize-window", "-x", "120", "-y", "30")
		if err := c.Quit(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the session's line to go", func(context.Context) (bool, error) {
			return !regexp.MustCompile(fmt.Sprintf(`(?m)^ *%d +cam7`, id)).MatchString(screen()), nil
		})
		if end == "TERM" {
			b, err := os.ReadFile(pid)
			if err != nil {
				t.Fatal(err)
			}
			var n int
			if _, err := fmt.Sscan(string(b), &n); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(n, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		} else {
			tmux(t, server, "send-keys", end)
		}
		await("the shell's own screen again", `(?m)^ended `+end)
		was, err := os.ReadFile(filepath.Join(filepath.Dir(socket), "before"))
		if err != nil {
			t.Fatal(err)
		}
		is, err := os.ReadFile(after)
		if err != nil || !bytes.Equal(was, is) {
			t.Errorf("%s: the terminal was\n%sand is\n%s(%v)", end, was, is, err)
		}
		if s := tmux(t, server, "display-message", "-p", "#{cursor_flag} #{wrap_flag} #{alternate_on}"); s != "1 1 0\n" {
			t.Errorf("%s: cursor, wrap, other screen: %q, want 1 1 0", end, s)
		}
	}
}
