package integration

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

func listenLocal(t *testing.T) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return l, err
}

// TestHTTPUsers asks a service for users, over TLS with certificates of both sides.
func TestHTTPUsers(t *testing.T) {
	w := newWorld(t, localKind)
	disk := filepath.Join(w.dir, "disk")
	for _, d := range []string{"shared", "from-answer", "{user}"} {
		if err := os.MkdirAll(filepath.Join(disk, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	client, err := servers.MakeClientCertificates(filepath.Join(t.TempDir(), "client"), "gateway")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "a secret of sixteen or more"
	var asked atomic.Int32
	answers := map[string]struct {
		code int
		body string
	}{
		"full": {200, `{"home": "store:/from-answer", "permissions": "elr", "login_message": "Welcome, \ud83d\ude00.", "quit_message": "${HOME}", ` +
			`"overrides": [{"path": "/in", "permissions": "elrw"}], "mounts": {"/in": "store:/shared"}, "sessions": 1}`},
		"default": {200, "{}"},
		"near":    {200, `{"networks": ["127.0.0.2"]}`},
		"past":    {200, `{"expires": "2020-01-01"}`},
		"typo":    {200, `{"permisions": "elr"}`},
		"lost":    {200, `{"home": "gone:/"}`},
		"nojson":  {200, "fine"},
		"denied":  {403, ""}, "wrong": {401, ""}, "broken": {503, "{}"}, "moved": {302, ""},
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, err := io.ReadAll(r.Body)
		var q struct {
			User, Password, Remote string
			TLS                    *struct{ Version string }
		}
		if err == nil {
			err = json.Unmarshal(body, &q)
		}
		if err == nil {
			var wh *standardwebhooks.Webhook
			if wh, err = standardwebhooks.NewWebhookRaw([]byte(secret)); err == nil {
				err = wh.Verify(body, r.Header)
			}
		}
		if err != nil || r.Header.Get("Authorization") != "Bearer t0ken" || !strings.HasPrefix(q.Remote, "127.0.0.") {
			t.Errorf("%s: %v", body, err)
		}
		a, ok := answers[q.User]
		switch {
		case !ok:
			rw.WriteHeader(404)
		case q.Password != "pw of "+q.User:
			rw.WriteHeader(401)
		default:
			rw.WriteHeader(a.code)
			io.WriteString(rw, a.body)
		}
	}))
	pair, err := tls.LoadX509KeyPair(w.certs.Cert, w.certs.Key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(client.CA)
	if err != nil {
		t.Fatal(err)
	}
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	srv.TLS.ClientCAs.AppendCertsFromPEM(ca)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()

	token := filepath.Join(t.TempDir(), "token")
	if err := writeFile(token, []byte("t0ken\n")); err != nil {
		t.Fatal(err)
	}
	conf := func(more string) string {
		return fmt.Sprintf(`http_users: {url: "%s/auth?key=inurl", ca_file: %q, certificate: {cert: %q, key: %q}, token_file: %q, secret: %q, account: {home: "store:/shared"}%s}`,
			srv.URL, w.certs.CA, client.Cert("gateway"), client.Key("gateway"), token, secret, more)
	}
	g := newGateway(t, w, append(calm, conf(""), "hosts: [{names: [cams.example.com], users: [default]}]")...)
	for user, want := range map[string]int{"full": 230, "default": 230, "near": 530, "past": 530, "typo": 421, "lost": 421, "nojson": 421,
		"denied": 530, "wrong": 530, "broken": 421, "moved": 421, "nobody": 530} {
		g.wantLogin(t, user, "pw of "+user, want)
	}
	g.wantLogin(t, "default", "guess", 530)
	before := asked.Load()
	g.wantLogin(t, user, password, 230)
	g.wantLogin(t, user, "guess", 530)
	if n := asked.Load() - before; n != 0 {
		t.Errorf("the service was asked %d times about a user of the file", n)
	}
	g.wantLogin(t, "default", "pw of default", 230)
	if n := asked.Load() - before; n != 0 {
		t.Errorf("the service was asked %d times about what it has just said", n)
	}
	g.awaitLog(t, "unknown key", "permisions")

	c := g.from(t, "")
	say(t, c, "USER full", 331)
	if r := say(t, c, "PASS pw of full", 230); !strings.Contains(r.Text, "Welcome, 😀.") {
		t.Errorf("the message is %q", r.Text)
	}
	g.wantLogin(t, "full", "pw of full", 421) // sessions: 1
	say(t, c, "TYPE I", 200)
	if got := order(t, c, "STOR new", "up"); got != 550 {
		t.Errorf("STOR where only reading is permitted: %d", got)
	}
	if got := order(t, c, "STOR in/new", "up"); got != 226 {
		t.Errorf("STOR where writing is permitted: %d", got)
	}
	if _, err := os.Stat(filepath.Join(disk, "shared", "new")); err != nil {
		t.Error(err)
	}
	if r := say(t, c, "QUIT", 221); !strings.Contains(r.Text, "${HOME}") {
		t.Errorf("what the service says is no template: %q", r.Text)
	}

	c = g.from(t, "") // a virtual host may name users that only the service knows
	say(t, c, "HOST cams.example.com", 220)
	say(t, c, "USER full", 331)
	say(t, c, "PASS pw of full", 530)
	say(t, c, "USER default", 331)
	say(t, c, "PASS pw of default", 230)

	for _, s := range []string{"pw of", "t0ken", secret, "inurl"} {
		if strings.Contains(g.Log(), s) {
			t.Errorf("the log shows %q", s)
		}
	}

	// Another order: the service is asked first, and decides about a user whom the file knows too.
	g = newGateway(t, w, append(calm, conf(", cache: 0s"), "auth: [http, file]")...)
	before = asked.Load()
	g.wantLogin(t, user, password, 230)
	g.wantLogin(t, "default", "pw of default", 230)
	g.wantLogin(t, "default", "pw of default", 230)
	if n := asked.Load() - before; n != 3 {
		t.Errorf("the service was asked %d times, want 3", n)
	}
	srv.Close()
	g.wantLogin(t, user, password, 421) // it might have said no

	// A service that takes the connection and says nothing: the login ends with the time-out, and others go on meanwhile.
	g = newGateway(t, w, append(calm, fmt.Sprintf(`http_users: {url: "http://%s/", timeout: 2s, account: {home: "store:/shared"}}`, silence(t)))...)
	answer := make(chan error, 1)
	go func() { // ends with the login
		code, err := g.code(t.Context(), "", "default", "x")
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
