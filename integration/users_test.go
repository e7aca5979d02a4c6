package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// calm keeps tests that log in with wrong passwords from being slowed down and shut out.
var calm = []string{"guard: {max_delay: 0s, failures: 0, user_failures: 0}", "limits: {login_delay: 0s, login_attempts: 100}"}

// code is the answer to a login.
func (g *gateway) code(ctx context.Context, from, user, password string) (int, error) {
	c, err := clients.DialFrom(ctx, from, g.Addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.Expect(331, "USER "+user); err != nil {
		return 0, err
	}
	r, err := c.Cmd("PASS " + password)
	return r.Code, err
}

// wantLogin wants an answer to a login.
func (g *gateway) wantLogin(t *testing.T, user, password string, want int) {
	t.Helper()
	if code, err := g.code(t.Context(), "", user, password); err != nil || code != want {
		t.Errorf("%s with %q: %d, %v; want %d", user, password, code, err, want)
	}
}

// awaitLogin waits for an answer to a login.
func (g *gateway) awaitLogin(t *testing.T, user, password string, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d for %s with %q", want, user, password), func(ctx context.Context) (bool, error) {
		code, err := g.code(ctx, "", user, password)
		return code == want, err
	})
}

// awaitLog waits for a line with all the texts.
func (g *gateway) awaitLog(t *testing.T, texts ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("a line with %q in the log", texts), func(context.Context) (bool, error) {
	lines:
		for line := range strings.Lines(g.Log()) {
			for _, text := range texts {
				if !strings.Contains(line, text) {
					continue lines
				}
			}
			return true, nil
		}
		return false, nil
	})
}

// htpasswd runs Apache's program.
func htpasswd(t *testing.T, arg ...string) {
	t.Helper()
	if out, err := exec.Command("htpasswd", arg...).CombinedOutput(); err != nil {
		t.Fatalf("htpasswd %q: %v: %s", arg, err, out)
	}
}

// TestUsersFiles has users in the configuration, in a file of their own and in an htpasswd file, and changes all of
// them under a session that stays what it is.
func TestUsersFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localKind)
	dir := t.TempDir()
	// As in a volume of Kubernetes: the file is behind a link to a directory that is replaced as a whole.
	version := func(name, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := writeFile(filepath.Join(dir, name, "users.yaml"), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, filepath.Join(dir, "next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(name, password string) string {
		return fmt.Sprintf("- {name: %s, password: %q, home: \"store:/{user}\"}\n", name, "plain:"+password)
	}
	version("v1", "# people\nusers:\n"+entry("ann", "a1")+entry("bob", "b1"))
	passwords := filepath.Join(dir, "htpasswd")
	htpasswd(t, "-cbB", passwords, "bea", "pw of bea")
	htpasswd(t, "-bm", passwords, "max", "pw of max")
	htpasswd(t, "-bs", passwords, "sal", "pw of sal")
	htpasswd(t, "-b5", passwords, "sha", "pw of sha")
	g := newGateway(t, w, append(calm, "users_file: "+filepath.Join(dir, "data", "users.yaml"),
		fmt.Sprintf(`htpasswd: [{file: %q, account: {home: "store:/{user}", permissions: elr}}]`, passwords))...)

	for _, name := range []string{"bea", "max", "sal", "sha"} {
		g.wantLogin(t, name, "pw of "+name, 230)
		g.wantLogin(t, name, "pw of bob", 530)
	}
	g.awaitLog(t, "htpasswd:2", "MD5 (apr1)")
	g.awaitLog(t, "htpasswd:3", "SHA-1 digest without salt")
	g.wantLogin(t, "ann", "a1", 230)
	g.wantLogin(t, user, password, 230)
	bob := g.from(t, "")
	try(t, bob, "bob", "b1", 230)

	// Nothing is asked to read the files: a change is enough.
	version("v2", entry("ann", "a2")+entry("cyd", "c1"))
	g.awaitLogin(t, "cyd", "c1", 230)
	g.wantLogin(t, "ann", "a1", 530)
	g.wantLogin(t, "ann", "a2", 230)
	g.wantLogin(t, "bob", "b1", 530)
	say(t, bob, "MKD kept", 257) // who was logged in stays so
	htpasswd(t, "-bB", passwords, "new", "pw of new")
	g.awaitLogin(t, "new", "pw of new", 230)
	htpasswd(t, "-D", passwords, "max")
	g.awaitLogin(t, "max", "pw of max", 530)

	// What is wrong changes nothing, and is told with its place.
	version("v3", entry("ann", "a3")+"- {name: dan, password: \"plain:d\", home: \"disc:/\"}\n")
	g.awaitLog(t, "level=ERROR", "users.yaml:2: users[1].home: unknown back end", "disc")
	g.awaitLog(t, "the old ones stay in use")
	g.wantLogin(t, "ann", "a2", 230)
	version("v4", entry("ann", "a4")+entry("bea", "x"))
	g.awaitLog(t, "level=ERROR", "htpasswd:1: bea", "is there twice, first in")
	version("v5", entry("ann", "a5"))
	g.awaitLogin(t, "ann", "a5", 230)

	// The configuration itself.
	g.edit(t, func(conf string) string { return strings.Replace(conf, "users:\n", "users:\n  "+entry("eve", "e1"), 1) })
	g.awaitLogin(t, "eve", "e1", 230)
	g.wantLogin(t, user, password, 230)
	before := strings.Count(g.Log(), "users read")
	if err := g.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a reading at SIGHUP", func(context.Context) (bool, error) {
		return strings.Count(g.Log(), "users read") > before && strings.Contains(g.Log(), "msg=reloaded"), nil
	})
	say(t, bob, "PWD", 257)
	if strings.Contains(g.Log(), "needs a restart") {
		t.Error("a change of the users alone is said to need a restart")
	}
	g.edit(t, func(conf string) string { return conf + "banner: Another.\n" })
	g.awaitLog(t, "more than its users, which needs a restart")
}

// TestUsersFilesChecked finds with "check" what is wrong in all files at once.
func TestUsersFilesChecked(t *testing.T) {
	w := newWorld(t, localKind)
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := writeFile(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	users := file("users.yaml", "- name: ann\n  password: 5f4dcc3b5aa765d61d8327deb882cf99\n  home: \"store:/\"\n  permisions: elr\n"+
		"- name: a/b\n  password: $nothing$x\n  home: \"store:/\"\n  networks: [10.0.0.1/8]\n  expires: tomorrow\n"+
		"  overrides: [{path: in, permissions: elrx}]\n"+
		"- {name: costly, password: $2b$31$abcdefghijklmnopqrstuu1qdcFaS0PtqFUPzaCxLQ8/0lspH0ZEW, home: \"store:/\"}\n")
	empty := file("empty.yaml", "")
	passwords := file("htpasswd", "# people\nann:$2y$05$abcdefghijklmnopqrstuu1qdcFaS0PtqFUPzaCxLQ8/0lspH0ZEW\nplain:secret\nnocolon\ndes:rqXexS6ZhobKA\n")
	g := prepareGateway(t, w, "users_file: ["+users+", "+empty+"]", fmt.Sprintf("htpasswd: [{file: %q, account: {home: \"store:/\"}}]", passwords),
		`anonymous: {home: "store:/", permissions: elrw, overrides: [{path: /in, permissions: w}]}`, "auth: [unix, unix]")
	out, err := exec.Command(gatewayBin, "check", "--config", filepath.Join(g.options.Dir, "ftp-gateway.yaml")).CombinedOutput()
	if err == nil {
		t.Errorf("the check passes:\n%s", out)
	}
	for _, want := range []string{
		"users.yaml:2: users[0].password: warning: the password is an MD5 digest without salt",
		"users.yaml:4: users[0].permisions: unknown key \"permisions\" (hint: did you mean \"permissions\"?)",
		"users.yaml:5: users[1].name: user name \"a/b\" holds a slash",
		"users.yaml:6: users[1].password: not a usable password hash",
		"users.yaml:8: users[1].networks[0]: 10.0.0.1/8 names an address inside of the network 10.0.0.0/8",
		"users.yaml:9: users[1].expires: \"tomorrow\" is neither a day",
		"users.yaml:10: users[1].overrides[0]: the path has to begin with a slash",
		"users.yaml:10: users[1].overrides[0].permissions: 'x' is no permission",
		"users.yaml:11: users[2].password: not a usable password hash: it asks for 31 doublings, more than 17",
		"empty.yaml: the file is empty",
		"htpasswd:2: ann: user \"ann\" is there twice",
		"htpasswd:3: plain: not a usable password hash",
		"htpasswd:4: is not a name, a colon and a hash",
		"htpasswd:5: des: not a usable password hash",
		"anonymous.permissions: warning: write permissions assigned to anonymous",
		"anonymous.overrides[0].permissions: warning: write permissions assigned to anonymous",
		"auth: file is not asked",
		"auth[1]: unix is there twice",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(string(out), "secret") || strings.Contains(string(out), "5f4dcc3b") {
		t.Error("the report shows a password")
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// TestConditions has users who may log in from some networks, until some day, in so many sessions.
func TestConditions(t *testing.T) {
	w := newWorld(t, localKind)
	g := withUsers(t, w, []string{
		"name: near, …, networks: [127.0.0.2, 10.0.0.0/8]",
		"name: past, …, expires: 2020-12-31",
		"name: over, …, expires: \"2020-12-31T10:00:00+02:00\"",
		"name: future, …, expires: 2999-12-31",
		"name: two, …, sessions: 2",
	}, append(calm, `anonymous: {home: "store:/", networks: [127.0.0.0/24], sessions: 1}`)...)
	for _, tt := range []struct {
		user, from string
		want       int
	}{
		{"near", "127.0.0.2", 230}, {"near", "127.0.0.1", 530}, {"past", "", 530}, {"over", "", 530}, {"future", "", 230},
		{"anonymous", "127.0.1.1", 530}, {"anonymous", "127.0.0.9", 230},
	} {
		if code, err := g.code(t.Context(), tt.from, tt.user, password); err != nil || code != tt.want {
			t.Errorf("%s from %q: %d, %v; want %d", tt.user, tt.from, code, err, tt.want)
		}
	}
	g.awaitLog(t, "login failed", "user=near", "not from this network")
	g.awaitLog(t, "login failed", "user=past", "the account has expired")
	first, _ := g.as(t, "two"), g.as(t, "two")
	g.wantLogin(t, "two", password, 421)
	if err := first.Quit(); err != nil {
		t.Fatal(err)
	}
	g.awaitLogin(t, "two", password, 230)
	a := g.from(t, "")
	try(t, a, "ftp", "x", 230)
	g.wantLogin(t, "anonymous", "x", 421)
	// Without other words, anonymous users read.
	for line, want := range map[string]int{"MKD new": 550, "DELE x": 550, "RNFR x": 550, "STOR x": 550, "APPE x": 550, "SITE CHMOD 777 x": 550, "LIST": 425} {
		r, err := a.Cmd(line)
		if err != nil || r.Code != want && !(line == "LIST" && r.Code == 150) {
			t.Errorf("%s: %q, %v; want %d", line, r.Text, err, want)
		}
		if r.Code == 150 {
			a.ReadReply()
		}
	}
}

// TestHashAtTerminal makes a hash at a terminal, where the password is asked for twice and not shown, and logs in with it.
func TestHashAtTerminal(t *testing.T) {
	const script = `
import os, pty, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "hash-password"])
seen = b""
def read():
    global seen
    try:
        b = os.read(fd, 4096)
    except OSError:
        b = b""
    seen += b
    return b
for prompt, text in ((b"Password: ", sys.argv[2]), (b"Again: ", sys.argv[3])):
    while prompt not in seen:
        if not read():
            break
    while termios.tcgetattr(fd)[3] & termios.ECHO: # people type more slowly than this
        pass
    os.write(fd, text.encode() + b"\n")
while read():
    pass
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`
	const secret = "wörd at a términal"
	out, err := exec.CommandContext(t.Context(), "python3", "-c", script, gatewayBin, secret, secret).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if strings.Contains(string(out), secret) {
		t.Errorf("the terminal shows the password: %q", out)
	}
	_, hash, ok := strings.Cut(string(out), "$argon2id$")
	if !ok {
		t.Fatalf("no hash: %q", out)
	}
	hash = "$argon2id$" + strings.TrimSpace(hash)
	w := newWorld(t, localKind)
	g := withUsers(t, w, []string{fmt.Sprintf("name: term, password: %q, home: \"store:/\"", hash)}, calm...)
	g.wantLogin(t, "term", secret, 230)
	g.wantLogin(t, "term", "other", 530)

	out, err = exec.CommandContext(t.Context(), "python3", "-c", script, gatewayBin, secret, "a slip").Output()
	if err == nil || !strings.Contains(string(out), "not the same") {
		t.Errorf("two different ones: %v: %q", err, out)
	}
}
