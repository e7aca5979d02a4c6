package integration

import (
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// storedForms are the forms of one password, "s3cret pass", as libxcrypt's crypt(3), OpenSSL, Apache's htpasswd, OpenLDAP's slappasswd and
// Python's hashlib have written them; and what is said of those that are weak.
var storedForms = map[string]struct{ hash, warning string }{
	"yescrypt": {"$y$j9T$saltSALTsaltSALT$GuvZNlot9AgL8rUTSwA9r4JqJIUbng.36ltXRusASg8", ""},
	"sha512":   {"$6$saltsalt$osX/3U830g/zrFjlLO4TCL7anTNnqPEtGZkQlCTVqQ4pIrvUWJgcB5qXW3Wio7X4AzYGVHZaxr6U8FI7Xf77C/", ""},
	"sha256":   {"$5$saltsalt$PSOaQ1.uAjoqVUkrZPH7nqXa/TZbB4/.vAbfkDlIjN2", ""},
	"bcrypt":   {"$2b$05$abcdefghijklmnopqrstuu1qdcFaS0PtqFUPzaCxLQ8/0lspH0ZEW", ""},
	"pbkdf2":   {"$pbkdf2-sha256$29000$c2FsdFNBTFRzYWx0U0FMVA$39DMUI7Jd8sdBGSBQvrj6uPCf09qxeJav17BC/LRQjo", ""},
	"scrypt":   {"$scrypt$ln=12,r=8,p=1$c2FsdFNBTFRzYWx0U0FMVA$rRGkIdZ85ERSAHg7hEHCpNQMtgclTw/NhvwqhDaY5EQ", ""},
	"md5crypt": {"$1$saltsalt$5lF22gyv5RCQWSRkctJIT0", "md5-crypt"},
	"apr1":     {"$apr1$saltsalt$lmcRj2F1SKs6o4B9yte9F/", "MD5 (apr1)"},
	"md5":      {"5211da5c87b0c916f11bbeb561492eef", "an MD5 digest without salt"},
	"ssha":     {"{SSHA}dsFWqnkwXT0S+kogwTbvUR8dwHzylpz3", "a SHA-1 digest"},
	"plain":    {"plain:s3cret pass", "plain text"},
}

// hashPassword is what "ftp-gateway hash-password" makes of a password.
func hashPassword(t *testing.T, password string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), gatewayBin, "hash-password")
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestPasswordHashes logs in with each form of a stored password, and with a wrong one. Weak forms are warned of, good ones are not.
func TestPasswordHashes(t *testing.T) {
	const right = "s3cret pass"
	all := maps.Clone(storedForms)
	all["argon2id"] = struct{ hash, warning string }{hashPassword(t, right), ""}
	var users []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		users = append(users, fmt.Sprintf("name: %s, password: %q, home: \"store:/\"", name, all[name].hash))
	}
	g := withUsers(t, newWorld(t, localKind), users, append(calm, `anonymous: {home: "store:/", permissions: elrw}`)...)
	for name, s := range all {
		g.wantLogin(t, name, "s3cret pasS", 530)
		g.wantLogin(t, name, s.hash, 530)
		g.wantLogin(t, name, right, 230)
		g.wantLogin(t, name, right, 230) // which has been seen to be right
		if s.warning != "" {
			g.awaitLog(t, "level=WARN", "password is "+s.warning)
		}
	}
	weak := 0
	for _, s := range all {
		if s.warning != "" {
			weak++
		}
	}
	if n := strings.Count(g.Log(), "the password is "); n != weak+1 { // and the user of all tests, in plain text
		t.Errorf("%d passwords are said to be weak, want %d", n, weak+1)
	}
	g.awaitLog(t, "level=WARN", "write permissions assigned to anonymous")
	for _, s := range all {
		if hash := strings.TrimPrefix(s.hash, "plain:"); strings.Contains(g.Log(), hash) {
			t.Errorf("the log shows %q", hash)
		}
	}
}

// TestLoginFlood sends 200 wrong passwords at once to an argon2id hash of 19 MiB. No more are computed at a time than there
// are processors, which the memory shows; who has logged in, and who logs in with a password that was right before, does not
// wait for them.
func TestLoginFlood(t *testing.T) {
	const n, perHash = 200, 19 << 10 // KiB
	g := withUsers(t, newWorld(t, localKind), []string{fmt.Sprintf("name: argon, password: %q, home: \"store:/\"", hashPassword(t, "right"))},
		slices.Concat(calm[:1], []string{"limits: {login_delay: 0s, login_attempts: 100, connections: 1000, command: 10m}"})...)
	g.wantLogin(t, "argon", "right", 230)
	inside := g.login(t, false)
	var crowd []*clients.Conn
	for range n {
		c := g.from(t, "")
		say(t, c, "USER argon", 331)
		crowd = append(crowd, c)
	}
	before := kib(t, g.PID(), "status", "VmRSS")
	forgetPeak(t, g.PID())
	var answered atomic.Int32
	var wg sync.WaitGroup
	for i, c := range crowd {
		if err := c.Send(fmt.Sprintf("PASS wrong %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range crowd {
		wg.Go(func() {
			if r, err := c.ReadReply(); err != nil || r.Code != 530 {
				t.Errorf("a wrong password: %q, %v", r.Text, err)
			}
			answered.Add(1)
		})
	}
	say(t, inside, "NOOP", 200)
	if r, err := inside.Store(t.Context(), "f", []byte("text")); err != nil || r.Code != 226 {
		t.Errorf("an upload: %q, %v", r.Text, err)
	}
	g.wantLogin(t, "argon", "right", 230)
	if k := answered.Load(); k == n {
		t.Error("all of the flood were answered first")
	}
	wg.Wait()
	// Each processor works on one hash, and garbage of as many others waits for the collector.
	limit := before + (3*runtime.NumCPU()+2)*perHash
	if peak := kib(t, g.PID(), "status", "VmHWM"); peak > limit {
		t.Errorf("peak %d KiB, want at most %d; all at once would be %d", peak, limit, n*perHash)
	}
}
