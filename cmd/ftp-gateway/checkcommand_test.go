package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// What a user's certificate is said to be is checked with the rest.
func TestCheckCertificate(t *testing.T) {
	file := write(t, "both.pem", string(selfSigned(t, 1)))
	conf := func(certificate string) string {
		return write(t, "c.yaml", fmt.Sprintf(`listeners: [{address: ":2121", tls: {client_auth: require, min: "1.0"}}]
tls: {certificates: [{cert: %q}], client_ca: %q}
backends: {disk: {type: local, path: .}}
users: [{name: a, certificate: %q, home: "disk:/"}]
`, file, file, certificate))
	}
	if code, _, errs := call(t, "", nil, "check", "-c", conf("sha256:abcd")); code != exitRefused || !strings.Contains(errs, `users[0].certificate: "sha256:abcd" is no SHA-256 fingerprint`) {
		t.Errorf("exit %d, errors %q", code, errs)
	}
	code, out, errs := call(t, "", nil, "check", "-c", conf("a.example.com"))
	if code != exitOK || !strings.Contains(out+errs, "listeners[0].tls.min: warning: TLS below 1.2") {
		t.Errorf("exit %d, output %q, errors %q; want exit 0 and a warning of TLS 1.0", code, out, errs)
	}
}

// Where a client certificate is required, a login in clear text is none without one.
func TestRequiredCertificatesRequireTLS(t *testing.T) {
	file := write(t, "both.pem", string(selfSigned(t, 1)))
	cfg, report := config.Load(write(t, "c.yaml", fmt.Sprintf(`listeners:
- {address: "127.0.0.1:0", tls: {client_auth: require}}
- {address: "127.0.0.1:0", tls: {client_auth: request}}
- {address: "127.0.0.1:0", tls: {mode: none}}
tls: {certificates: [{cert: %q}], client_ca: %q, client_auth: require}
backends: {disk: {type: local, path: .}}
anonymous: {home: "disk:/"}
`, file, file)))
	if report.Failed() {
		t.Fatal(report)
	}
	certs, err := newTLS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listeners, err := listen(cfg, certs)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(listeners)
	for i, want := range []bool{true, false, false} {
		if got := listeners[i].RequireTLSControl; got != want {
			t.Errorf("listeners[%d]: TLS is required: %v, want %v", i, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	bad := write(t, "bad.yaml", `lisseners: []
backends: {disk: {type: local, path: .}}
users:
- {name: a/b, password: "$argon2id$broken", home: "disk:/"}
- {name: c, password: "plain:x", home: "dick:/"}
`)
	code, out, errs := call(t, "", nil, "check", "--config", bad)
	want := bad + `:1: lisseners: unknown key "lisseners" (hint: did you mean "listeners"?)
` + bad + `:4: users[0].name: user name "a/b" holds a slash
` + bad + `:4: users[0].password: not a usable password hash (argon2, bcrypt, scrypt, yescrypt, pbkdf2, sha256-crypt and sha512-crypt are) (hint: make one with "ftp-gateway hash-password"; plain text of that form begins with "plain:")
` + bad + `:5: users[1].home: unknown back end "dick" (hint: did you mean "disk"?)
` + bad + `:5: users[1].password: warning: the password is plain text, and weak (hint: make a hash with "ftp-gateway hash-password")
`
	if code != exitRefused || out != "" || errs != want {
		t.Errorf("exit %d, output %q, errors:\n%s\nwant exit 1 and:\n%s", code, out, errs, want)
	}
	if code, _, errs := call(t, "", nil, "serve", "--config", bad); code != exitRefused || errs != want {
		t.Errorf("serve: exit %d, errors:\n%s\nwant exit 1 and:\n%s", code, errs, want)
	}

	good := write(t, "good.yaml", "backends: {disk: {type: local, path: .}}\nanonymous: {home: 'disk:/'}\n")
	if code, out, errs := call(t, "", []string{"FTP_GATEWAY_CONFIG=" + good}, "check"); code != exitOK || out != good+": good\n" || errs != "" {
		t.Errorf("exit %d, output %q, errors %q; want exit 0", code, out, errs)
	}
}

// What only the packages behind the keys know, and refuse the start for, is told by check, in the same report as the rest, and once.
func TestCheckParts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	conf := fmt.Sprintf(`backends: {disk: {type: local, path: .}, homes: {type: unix}}
unix_users: {home: "homes:{home}", pam_service: ftp}
ldap_users:
  urls: [ldap://localhost]
  base: o=x
  filter: uid={user}
  account: {home: "disk:/"}
events:
  outbox: events.db
  commands:
  - {name: a, command: [./missing]}
  - {name: b, command: [%q]}
  - {name: c, command: [./missing], parallel: 0}
limits: {login_attempts: 0}
`, binary)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	want := file + `:2: unix_users: this binary was built without PAM
` + file + `:3: ldap_users: the filter "uid={user}": filter does not start with an '('
` + file + `:11: events.commands[0].command: "` + filepath.Join(dir, "missing") + `": stat ` + filepath.Join(dir, "missing") + `: no such file or directory (hint: correct the name, or install the program)
` + file + `:13: events.commands[2].parallel: has to be from 1 to 256
` + file + `:14: limits.login_attempts: at least one attempt is needed
`
	for _, command := range []string{"check", "serve"} {
		if code, _, errs := call(t, "", nil, command, "-c", file); code != exitRefused || errs != want {
			t.Errorf("%s: exit %d, errors:\n%s\nwant exit 1 and:\n%s", command, code, errs, want)
		}
	}
}

func TestDefaultsPassTheCheck(t *testing.T) {
	code, out, _ := call(t, "", nil, "config", "defaults")
	if code != exitOK || out != config.Defaults() {
		t.Fatalf("exit %d and %d bytes", code, len(out))
	}
	if code, _, errs := call(t, "", nil, "check", "-c", write(t, "defaults.yaml", out)); code != exitOK {
		t.Errorf("the defaults are refused: %s", errs)
	}
}
