package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// account is a user of this machine, made for a test.
type account struct {
	name, password, home string
	uid                  uint32
}

// makeAccount makes a user with useradd and chpasswd, as an operator does. The user is gone with the test.
func makeAccount(t *testing.T, name string, options ...string) account {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("this test has to run as root")
		}
		t.Skip("only root can make users")
	}
	run := func(in string, arg ...string) string {
		cmd := exec.Command(arg[0], arg[1:]...)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", arg, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	exec.Command("userdel", "-r", name).Run() // what a test that was killed has left
	run("", append(append([]string{"useradd", "-m", "-s", "/bin/sh"}, options...), name)...)
	t.Cleanup(func() { exec.Command("userdel", "-r", name).Run() })
	a := account{name: name, password: "pw of " + name, home: "/home/" + name}
	if !slices.Contains(options, "-p") {
		run(name+":"+a.password, "chpasswd")
	}
	uid, err := strconv.ParseUint(run("", "id", "-u", name), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	a.uid = uint32(uid)
	return a
}

func (a account) target(g *gateway) clients.Target {
	t := g.target
	t.User, t.Password = a.name, a.password
	return t
}

// unixGateway runs as root with the accounts of the system.
func unixGateway(t *testing.T, backend, users string, extra ...string) *gateway {
	t.Helper()
	w := newWorld(t, localKind)
	w.yaml += "\n  homes: {type: unix" + backend + "}"
	return newGateway(t, w, append(extra, "unix_users: {"+users+"}")...)
}

func wantOwner(t *testing.T, file string, uid uint32) {
	t.Helper()
	fi, err := os.Lstat(file)
	if err != nil {
		t.Error(err)
		return
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != uid {
		t.Errorf("%s belongs to %d, want %d", file, st.Uid, uid)
	}
}

// TestUnixUsers logs in accounts of this machine: whose files are they, who is kept out of what.
func TestUnixUsers(t *testing.T) {
	ann := makeAccount(t, "ftpgw-ann")
	nologin := makeAccount(t, "ftpgw-nosh", "-s", "/usr/sbin/nologin")
	g := unixGateway(t, "", `home: "homes:{home}", rejected: [ftpgw-rej]`, "guard: {max_delay: 0s, failures: 0, user_failures: 0}")
	rejected := makeAccount(t, "ftpgw-rej")
	ctx := t.Context()

	c, err := clients.Login(ctx, ann.target(g))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Store(ctx, "/report.txt", []byte("ann's report")); err != nil || r.Code != 226 {
		t.Fatal(r, err)
	}
	if _, err := c.Expect(257, "MKD /dir"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect(200, "SITE CHMOD 640 /report.txt"); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, filepath.Join(ann.home, "report.txt"), ann.uid)
	wantOwner(t, filepath.Join(ann.home, "dir"), ann.uid)
	list, err := c.List(ctx, "LIST")
	if err != nil || !strings.Contains(list, "-rw-r-----") || !strings.Contains(list, ann.name) {
		t.Errorf("LIST: %v\n%s", err, list)
	}
	// A link out of the home, made by its owner past the server, leads nowhere.
	if err := os.Symlink("/etc/passwd", filepath.Join(ann.home, "out")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Retrieve(ctx, "/out"); err == nil {
		t.Error("a link led out of the home")
	}
	if err := os.WriteFile(filepath.Join(ann.home, "roots"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Retrieve(ctx, "/roots"); err == nil {
		t.Error("a file of root's in the home was readable")
	}
	for _, tt := range []struct {
		a    account
		pass string
	}{{ann, "wrong"}, {nologin, nologin.password}, {rejected, rejected.password}, {account{name: "root"}, ""}, {account{name: "ftpgw-none"}, "x"}} {
		target := tt.a.target(g)
		target.Password = tt.pass
		if c, err := clients.Login(ctx, target); err == nil {
			c.Close()
			t.Errorf("%s with the password %q was let in", tt.a.name, tt.pass)
		}
	}
	// The users of the configuration still can.
	v := g.login(t, false)
	if r, err := v.Store(ctx, "/virtual", []byte("x")); err != nil || r.Code != 226 {
		t.Error(r, err)
	}
}

// TestUnixUsersSeeTheSystem gives them the whole file system and starts in the home.
func TestUnixUsersSeeTheSystem(t *testing.T) {
	ann, bob := makeAccount(t, "ftpgw-ann"), makeAccount(t, "ftpgw-bob")
	for _, a := range []account{ann, bob} {
		if err := os.Chmod(a.home, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	g := unixGateway(t, "", `home: "homes:/", start: "{home}", allowed: [ftpgw-ann, ftpgw-bob]`)
	ctx := t.Context()
	c, err := clients.Login(ctx, ann.target(g))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Expect(257, "PWD"); err != nil || !strings.Contains(r.Text, `"`+ann.home+`"`) {
		t.Errorf("PWD: %q, %v", r.Text, err)
	}
	if b, err := c.Retrieve(ctx, "/etc/hostname"); err != nil {
		t.Errorf("what everybody may read: %q, %v", b, err)
	}
	for _, line := range []string{"RETR /etc/shadow", "STOR /etc/ftpgw", "STOR " + bob.home + "/x"} {
		d, err := c.Transfer(ctx, line)
		if err == nil {
			d.Close()
			t.Errorf("%s was allowed", line)
		}
	}
	for _, line := range []string{"CWD " + bob.home, "MKD /etc/ftpgw", "DELE /etc/hostname", "RNFR /etc/shadow", "SITE CHMOD 777 /etc/hostname"} {
		r, err := c.Cmd(line)
		if err != nil || r.Code == 350 {
			// A name may be looked at; the renaming itself is what has to be refused.
			r, err = c.Cmd("RNTO " + ann.home + "/shadow")
		}
		if err != nil || r.Code/100 != 5 {
			t.Errorf("%s: %q, %v; want a refusal", line, r.Text, err)
		}
	}
}

// TestUnixGroups lets a member of a group, and nobody else, work in the group's directory; masks and owners are as in a
// shell. Who is not among the allowed accounts stays out.
func TestUnixGroups(t *testing.T) {
	const group = "ftpgw-team"
	exec.Command("groupdel", group).Run() // what a test that was killed has left
	if out, err := exec.Command("groupadd", group).CombinedOutput(); err != nil {
		t.Fatalf("groupadd: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("groupdel", group).Run() })
	member, other, stranger := makeAccount(t, "ftpgw-ann", "-G", group), makeAccount(t, "ftpgw-bob"), makeAccount(t, "ftpgw-cyd")
	dir, err := os.MkdirTemp("", "ftpgw-team")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	g, err := osuser.LookupGroup(group)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 0, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	gw := unixGateway(t, "", `home: "homes:/", allowed: [ftpgw-ann, ftpgw-bob]`, calm...)
	gw.wantLogin(t, stranger.name, stranger.password, 530)

	c, err := clients.Login(t.Context(), member.target(gw))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say(t, c, "SITE UMASK 027", 200)
	file := dir + "/f"
	if r, err := c.Store(t.Context(), file, []byte("text")); err != nil || r.Code != 226 {
		t.Fatal(r, err)
	}
	want := func(what string, wantGID uint32, mode os.FileMode) {
		t.Helper()
		fi, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if st := fi.Sys().(*syscall.Stat_t); st.Uid != member.uid || st.Gid != wantGID || fi.Mode().Perm() != mode {
			t.Errorf("%s: the file is of %d:%d, mode %o; want %d:%d, %o", what, st.Uid, st.Gid, fi.Mode().Perm(), member.uid, wantGID, mode)
		}
	}
	account, err := osuser.Lookup(member.name)
	if err != nil {
		t.Fatal(err)
	}
	ownGID, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	own := uint32(ownGID)
	want("stored", own, 0o640)
	say(t, c, "SITE CHOWN :"+group+" "+file, 200)
	want("given to the group", uint32(gid), 0o640)
	say(t, c, "SITE CHMOD 660 "+file, 200)
	want("opened for the group", uint32(gid), 0o660)
	say(t, c, fmt.Sprintf("SITE CHOWN %d:%d %s", member.uid, own, file), 200)
	for _, line := range []string{"SITE CHOWN " + other.name + " " + file, "SITE CHOWN :root " + file, "SITE CHOWN nobody-of-that-name " + file,
		"SITE CHOWN root /etc/hostname"} {
		say(t, c, line, 550)
	}
	for _, line := range []string{"SITE CHOWN", "SITE CHOWN " + other.name, "SITE CHOWN : " + file} {
		say(t, c, line, 501)
	}
	want("nobody else's", own, 0o660)

	b, err := clients.Login(t.Context(), other.target(gw))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	say(t, b, "CWD "+dir, 550)
	say(t, b, "DELE "+file, 550)
	if _, err := b.Retrieve(t.Context(), file); err == nil {
		t.Error("somebody outside of the group has read the file")
	}
	// Users of the configuration have no owners: the server's own rights are not theirs to use.
	v := gw.login(t, false)
	if r, err := v.Store(t.Context(), "f", []byte("x")); err != nil || r.Code != 226 {
		t.Fatal(r, err)
	}
	say(t, v, "SITE CHOWN "+other.name+" f", 550)
}

// TestUnixUsersNeverMix runs 200 sessions of 8 accounts at once and looks whose each file is.
func TestUnixUsersNeverMix(t *testing.T) {
	const users, sessions, files = 8, 200, 4
	var all []account
	for i := range users {
		name := fmt.Sprintf("ftpgw-mix%d", i)
		// A cheap hash: 200 logins are not what is looked at.
		hash, err := exec.Command("openssl", "passwd", "-5", "pw of "+name).Output()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, makeAccount(t, name, "-p", strings.TrimSpace(string(hash))))
	}
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	g := unixGateway(t, fmt.Sprintf(", path: %q", dir), `home: "homes:/"`, "limits: {connections: 1000}")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for i := range sessions {
		a := all[i%users]
		wg.Go(func() {
			c, err := clients.Login(ctx, a.target(g))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for n := range files {
				if r, err := c.Store(ctx, fmt.Sprintf("/%s-%d-%d", a.name, i, n), []byte("x")); err != nil || r.Code != 226 {
					t.Errorf("%q, %v", r.Text, err)
					return
				}
			}
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != sessions*files {
		t.Errorf("%d files, want %d", len(entries), sessions*files)
	}
	for _, e := range entries {
		for _, a := range all {
			if strings.HasPrefix(e.Name(), a.name+"-") {
				wantOwner(t, filepath.Join(dir, e.Name()), a.uid)
			}
		}
	}
}

// TestAQuotaIsStorageExceeded. No file system with quotas can be mounted here, so strace makes the kernel's calls
// answer as they do then; that CAP_SYS_RESOURCE, which ignores quotas, is gone is read from the process.
func TestAQuotaIsStorageExceeded(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal(err)
	}
	ann := makeAccount(t, "ftpgw-ann")
	w := newWorld(t, localKind)
	w.yaml += "\n  homes: {type: unix}"
	g := prepareGateway(t, w, `unix_users: {home: "homes:{home}"}`)
	g.options.Wrap = []string{strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=splice", "-e", "inject=splice:error=EDQUOT"}
	g.start(t, t)
	c, err := clients.Login(t.Context(), ann.target(g))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := c.Transfer(t.Context(), "STOR /big")
	if err != nil {
		t.Fatal(err)
	}
	d.Write(random(1, 1<<20)) // it may be refused before all is sent
	d.Close()
	if r, err := c.ReadReply(); err != nil || r.Code != 552 {
		t.Errorf("over the quota: %q, %v; want 552", r.Text, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			if err != nil || caps&(1<<24) != 0 || caps&(1<<7) == 0 {
				t.Errorf("CapEff %x, %v: want CAP_SETUID (7) and not CAP_SYS_RESOURCE (24)", caps, err)
			}
		}
	}
}

// TestPAM builds the program with PAM and checks passwords through a service of its own.
func TestPAM(t *testing.T) {
	ann := makeAccount(t, "ftpgw-ann")
	const service = "/etc/pam.d/ftp-gateway-test"
	if err := os.WriteFile(service, []byte("auth required pam_unix.so nodelay\naccount required pam_unix.so\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(service)
	bin := filepath.Join(t.TempDir(), "ftp-gateway-pam")
	build := exec.Command("go", "build", "-buildvcs=false", "-tags", "pam", "-o", bin, "./cmd/ftp-gateway")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w := newWorld(t, localKind)
	w.yaml += "\n  homes: {type: unix}"
	g := prepareGateway(t, w, `unix_users: {home: "homes:{home}", pam_service: ftp-gateway-test}`)
	g.options.Bin = bin
	g.start(t, t)
	c, err := clients.Login(t.Context(), ann.target(g))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Store(t.Context(), "/f", []byte("x")); err != nil || r.Code != 226 {
		t.Error(r, err)
	}
	wantOwner(t, filepath.Join(ann.home, "f"), ann.uid)
	target := ann.target(g)
	target.Password = "wrong"
	if _, err := clients.Login(t.Context(), target); err == nil {
		t.Error("a wrong password was accepted")
	}
	// The static binary says so instead of letting anybody in, or nobody.
	g2 := prepareGateway(t, w, `unix_users: {home: "homes:{home}", pam_service: ftp-gateway-test}`)
	p, err := servers.LaunchGateway(g2.options)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, p.Process)
	if code, err := p.Wait(t.Context()); err != nil || code == 0 || !strings.Contains(p.Tail(5), "without PAM") {
		t.Errorf("without PAM: exit %d, %v: %s", code, err, p.Tail(5))
	}
}

// TestHashesOfTheSystem: the field of /etc/shadow is no password, whatever hash it holds.
func TestHashesOfTheSystem(t *testing.T) {
	des := makeAccount(t, "ftpgwdes", "-p", "abl0JrMf6tlhw") // crypt(3) of "hello" by DES, which is not read
	sane := makeAccount(t, "ftpgwsane")
	g := unixGateway(t, "", `home: "homes:{home}"`, "limits: {login_delay: 0s}")
	for _, tt := range []struct {
		user, password string
		code           int
	}{{des.name, "abl0JrMf6tlhw", 530}, {des.name, "hello", 530}, {sane.name, sane.password, 230}} {
		try(t, g.from(t, "127.0.0.1"), tt.user, tt.password, tt.code)
	}
}
