package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// directory is what slapd holds: people, and groups that they are in.
func directory() string {
	var b strings.Builder
	b.WriteString("dn: dc=example,dc=com\nobjectClass: domain\ndc: example\n\n")
	for _, ou := range []string{"people", "groups"} {
		fmt.Fprintf(&b, "dn: ou=%s,dc=example,dc=com\nobjectClass: organizationalUnit\nou: %[1]s\n\n", ou)
	}
	person := func(uid, password string) {
		fmt.Fprintf(&b, "dn: uid=%s,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: %[1]s\ncn: %[1]s\nsn: x\n", uid)
		if password != "" {
			fmt.Fprintf(&b, "userPassword: %s\n", password)
		}
		b.WriteString("\n")
	}
	for _, uid := range []string{"ann", "bob", "cyd", "b(o)b", "st*r"} {
		person(uid, "pw of "+uid)
	}
	person("nopass", "")
	b.WriteString("dn: uid=ann,ou=groups,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: other\ncn: x\nsn: x\n\n") // a DN of the same first part
	group := func(name string, uids ...string) {
		fmt.Fprintf(&b, "dn: cn=%s,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: %[1]s\n", name)
		for _, u := range uids {
			fmt.Fprintf(&b, "member: uid=%s,ou=people,dc=example,dc=com\n", u)
		}
		b.WriteString("\n")
	}
	group("writers", "ann", "b(o)b")
	group("readers", "ann", "bob")
	return b.String()
}

// TestLDAP logs in users of a directory, over each kind of connection.
func TestLDAP(t *testing.T) {
	w := newWorld(t, localKind)
	l, err := servers.StartLDAP(t.Context(), w.dir, directory(), w.certs)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, l.Process)
	port := func(addr string) string { return addr[strings.LastIndexByte(addr, ':'):] }
	groups := `groups: [{group: "CN=Writers, OU=groups, dc=example, dc=com", account: {home: "store:/{user}"}}, ` +
		`{group: "cn=readers,ou=groups,dc=example,dc=com", account: {home: "store:/", permissions: elr}}]`
	common := fmt.Sprintf(`ca_file: %q, bind_dn: %q, bind_password: "%s", base: "ou=people,dc=example,dc=com", cache: 0s`, w.certs.CA, servers.LDAPService, servers.LDAPPassword)
	for name, conf := range map[string]string{
		"StartTLS": fmt.Sprintf(`urls: ["ldap://localhost%s"], start_tls: true, %s`, port(l.Addr), groups),
		"ldaps":    fmt.Sprintf(`urls: ["ldaps://localhost%s"], %s`, port(l.TLSAddr), groups),
		"plain":    fmt.Sprintf(`urls: ["ldap://127.0.0.1:1", "ldap://%s"], %s`, l.Addr, groups), // the first does not answer
		"search for groups": fmt.Sprintf(`urls: ["ldap://%s"], member_of: "", group_base: "ou=groups,dc=example,dc=com", `+
			`group_filter: "(&(objectClass=groupOfNames)(member={dn}))", %s`, l.Addr, groups),
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, w, append(calm, "ldap_users: {"+common+", "+conf+"}")...)
			for _, tt := range []struct {
				user, password string
				want           int
			}{
				{"ann", "pw of ann", 230},
				{"ann", "wrong", 530},
				{"ann", "", 530}, // a bind without a password would succeed
				{"ANN", "pw of ann", 230},
				{"bob", "pw of bob", 230},
				{"cyd", "pw of cyd", 530}, // in no group
				{"nopass", "x", 530},
				{"nobody", "x", 530},
				{"other", "x", 530}, // not below the base
				// What a filter means is taken as text.
				{"*", "pw of ann", 530},
				{"ann)(uid=*", "pw of ann", 530},
				{"a*", "pw of ann", 530},
				{"b(o)b", "pw of b(o)b", 230},
				{user, password, 230}, // of the file, and before the directory
			} {
				g.wantLogin(t, tt.user, tt.password, tt.want)
			}
			if !strings.Contains(g.Log(), "in none of the groups") {
				t.Error("the log does not say why somebody in no group is kept out")
			}
			c := g.from(t, "")
			try(t, c, "Ann", "pw of ann", 230)
			dir := "made by " + strings.ReplaceAll(name, " ", "")
			say(t, c, "MKD "+dir, 257)
			if _, err := os.Stat(filepath.Join(w.dir, "disk", "ann", dir)); err != nil {
				t.Errorf("the home is not that of the name in the directory: %v", err)
			}
			c = g.from(t, "")
			try(t, c, "bob", "pw of bob", 230)
			say(t, c, "CWD ann", 250) // everybody's root
			say(t, c, "MKD no", 550)
			for _, secret := range []string{"pw of ann", servers.LDAPPassword} {
				if strings.Contains(g.Log(), secret) {
					t.Errorf("the log shows a password: %q", secret)
				}
			}
		})
	}

	// The directory decides again when a yes has been forgotten, and is not asked before.
	g := newGateway(t, w, append(calm, "ldap_users: {"+strings.Replace(common, "cache: 0s", "cache: 1h", 1)+
		fmt.Sprintf(`, urls: ["ldaps://localhost%s"], account: {home: "store:/", permissions: elr}}`, port(l.TLSAddr)))...)
	g.wantLogin(t, "cyd", "pw of cyd", 230)
	g.wantLogin(t, "bob", "wrong", 530)
	l.Kill()
	g.wantLogin(t, "cyd", "pw of cyd", 230)
	g.wantLogin(t, "bob", "pw of bob", 421) // nobody can tell: no wrong password
	g.wantLogin(t, user, password, 230)
	g.awaitLog(t, "no answer from the authenticator", "ldap")
}

// TestLDAPNotTrusted has a directory whose certificate is somebody else's, and one that never answers.
func TestLDAPNotTrusted(t *testing.T) {
	w := newWorld(t, localKind)
	l, err := servers.StartLDAP(t.Context(), w.dir, directory(), w.certs)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, l.Process)
	other, err := servers.MakeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, urls := range map[string]string{"ldaps": "ldaps://localhost" + l.TLSAddr[strings.LastIndexByte(l.TLSAddr, ':'):],
		"StartTLS": "ldap://localhost" + l.Addr[strings.LastIndexByte(l.Addr, ':'):]} {
		g := newGateway(t, w, append(calm, fmt.Sprintf(`ldap_users: {urls: [%q], start_tls: true, ca_file: %q, bind_dn: %q, bind_password: "%s", base: "ou=people,dc=example,dc=com", account: {home: "store:/"}}`,
			urls, other.CA, servers.LDAPService, servers.LDAPPassword))...)
		g.wantLogin(t, "ann", "pw of ann", 421)
		if !strings.Contains(g.Log(), "certificate signed by unknown authority") {
			t.Errorf("%s: the log does not say why", name)
		}
	}
	// A server that takes the connection and says nothing: the login ends with the time-out, and others go on meanwhile.
	silent := silence(t)
	g := newGateway(t, w, append(calm, fmt.Sprintf(`ldap_users: {urls: ["ldap://%s"], timeout: 2s, base: "dc=example,dc=com", account: {home: "store:/"}}`, silent))...)
	answer := make(chan error, 1)
	go func() { // ends with the login
		code, err := g.code(t.Context(), "", "ann", "x")
		if err == nil && code != 421 {
			err = fmt.Errorf("answer %d, want 421", code)
		}
		answer <- err
	}()
	g.wantLogin(t, user, password, 230)
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// TestExternalChecked finds what is wrong with the users of others.
func TestExternalChecked(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w, "ldap_users: {urls: [\"ldap://directory.example.com\", \"http://x\"], filter: \"(uid=x)\", bind_dn: \"cn=x\"}",
		"http_users: {url: \"http://accounts.example.com/\", account: {home: \"disc:/\"}, parallel: 0, ca_file: gone.pem}",
		"windows_users: {account: {home: \"store:{profile}\"}}")
	out, err := exec.Command(gatewayBin, "check", "--config", filepath.Join(g.options.Dir, "ftp-gateway.yaml")).CombinedOutput()
	if err == nil {
		t.Error("the check passes")
	}
	for _, want := range []string{
		"ldap_users.urls[0]: warning: passwords go over the network in clear text",
		"ldap_users.urls[1]: \"http://x\" is not a URL with ldap or ldaps",
		"ldap_users.filter: \"(uid=x)\" does not hold {user}",
		"ldap_users.bind_dn: bind_password is missing",
		"ldap_users: the key \"base\" is missing",
		"ldap_users: nobody gets anything",
		"http_users.url: warning: passwords go over the network in clear text",
		"http_users.account.home: unknown back end \"disc\"",
		"http_users.parallel: has to be at least 1",
		"gone.pem: cannot open",
		"windows_users: accounts of Windows can log in on Windows only",
		"windows_users.account.home: {profile} needs a local back end whose path is a drive",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// silence is an address where connections are taken and nothing is said.
func silence(t *testing.T) string {
	t.Helper()
	l, err := listenLocal(t)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { c.Close() })
		}
	}()
	return l.Addr().String()
}
