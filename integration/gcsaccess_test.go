package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

// google stands for the hosts of Google's that a login with credentials of its own needs: the token endpoint of the
// key file, IAM credentials, STS, and storage, which is fake-gcs-server behind a look at the token. The gateway finds
// them under their real names by HTTPS_PROXY, and trusts their certificate by ca_file: nothing in it knows of a test.
//
// What a stand-in cannot show is that Google's services enforce what the token says; here are the tokens, by whom they were
// asked for, which boundary they were exchanged for, and that storage sees no other.
type google struct {
	t       *testing.T
	storage http.Handler

	mu         sync.Mutex
	boundaries map[string]string // by the token that was given: the rules
	of         map[string]string // by token: the token that it was made from
	seen       map[string]int    // tokens at storage
	refuse     func(token string, r *http.Request) bool
}

func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch r.Host {
	case "oauth2.googleapis.com":
		r.ParseForm()
		if r.Form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || strings.Count(r.Form.Get("assertion"), ".") != 2 {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		g.token(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, "own", "key file", "")
	case "iamcredentials.googleapis.com":
		account, ok := strings.CutPrefix(r.URL.Path, "/v1/projects/-/serviceAccounts/")
		account, ok2 := strings.CutSuffix(account, ":generateAccessToken")
		if !ok || !ok2 || strings.Contains(account, "no such") || token != "own" || r.Method != http.MethodPost {
			http.Error(w, `{"error":{"code":403,"status":"PERMISSION_DENIED"}}`, http.StatusForbidden)
			return
		}
		until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		g.token(w, `{"accessToken":%q,"expireTime":"`+until+`"}`, "as "+account, token, "")
	case "sts.googleapis.com":
		r.ParseForm()
		subject := r.Form.Get("subject_token")
		g.token(w, `{"access_token":%q,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`,
			"confined "+subject, subject, r.Form.Get("options"))
	case "storage.googleapis.com":
		g.mu.Lock()
		// The janitor sweeps with the gateway's own credentials, whenever it likes.
		if !strings.Contains(r.URL.Query().Get("prefix"), ".ftpgw/") {
			g.seen[token]++
		}
		refused := g.refuse != nil && g.refuse(token, r)
		g.mu.Unlock()
		if refused {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":{"code":403,"message":"the boundary forbids it","errors":[{"reason":"forbidden"}]}}`)
			return
		}
		g.storage.ServeHTTP(w, r)
	default:
		http.Error(w, "nobody", http.StatusNotFound)
	}
}

func (g *google) token(w http.ResponseWriter, form, token, from, boundary string) {
	g.mu.Lock()
	g.of[token], g.boundaries[token] = from, boundary
	g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, form, token)
}

// newGoogle starts the stand-in, and a world whose gateway has a service account's key file.
func newGoogle(t *testing.T, keys string) (*google, *world) {
	t.Helper()
	w := &world{kind: gcsKind, dir: t.TempDir()}
	hosts := []string{"oauth2.googleapis.com", "iamcredentials.googleapis.com", "sts.googleapis.com", "storage.googleapis.com"}
	var err error
	if w.certs, err = servers.MakeCertificates(w.dir, hosts...); err != nil {
		t.Fatal(err)
	}
	fake, err := servers.StartGCS(t.Context(), w.dir, "storage.googleapis.com", bucket)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, fake.Process)
	w.store = gcsPast(t, fake)
	g := &google{t: t, boundaries: map[string]string{}, of: map[string]string{}, seen: map[string]int{},
		storage: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", fake.Addr, r.In.Host
			},
			ModifyResponse: func(r *http.Response) error { // it speaks plain HTTP, and says so
				if l := r.Header.Get("Location"); l != "" {
					r.Header.Set("Location", strings.Replace(l, "http://", "https://", 1))
				}
				return nil
			},
		}}
	front, addr, err := servers.TLSFront(w.certs, g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close() })
	where := map[string]string{}
	for _, h := range hosts {
		where[h+":443"] = addr
	}
	forward, err := servers.StartForward(where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { forward.Close() })
	w.env = append(servers.Environment(""), "HTTPS_PROXY="+forward.URL(), "GOOGLE_API_USE_CLIENT_CERTIFICATE=false")
	w.yaml = fmt.Sprintf("{type: gcs, bucket: %s, prefix: site, credentials_file: %q, ca_file: %q, %s}", bucket, keyFile(t), w.certs.CA, keys)
	return g, w
}

// keyFile writes the key file of a service account.
func keyFile(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(map[string]string{
		"type": "service_account", "project_id": "project", "private_key_id": "1", "client_id": "1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "gateway@project.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
	}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestGCSAccess logs in where a login's requests are made by a service account of its own, by a token that is confined to its
// tree, or both: storage sees that token and no other, and the boundary names the user's prefix.
func TestGCSAccess(t *testing.T) {
	const account = "ftp-" + user + "@project.iam.gserviceaccount.com"
	for name, c := range map[string]struct {
		keys, token, from string
		confined          bool
	}{
		"own":         {keys: "move: auto", token: "own", from: "key file"},
		"impersonate": {keys: `impersonate: "ftp-{user}@project.iam.gserviceaccount.com"`, token: "as " + account, from: "own"},
		"confine":     {keys: "confine: true", token: "confined own", from: "own", confined: true},
		"both": {keys: `confine: true, impersonate: "ftp-{user}@project.iam.gserviceaccount.com"`, token: "confined as " + account,
			from: "as " + account, confined: true},
	} {
		t.Run(name, func(t *testing.T) {
			fake, w := newGoogle(t, c.keys)
			g := newGateway(t, w)
			// The check at the start is made by the gateway's own credentials.
			fake.mu.Lock()
			clear(fake.seen)
			fake.mu.Unlock()
			conn := g.login(t, false)
			for name, size := range map[string]int{"small.jpg": 1000, "large.bin": 9 << 20} {
				if r, err := conn.Store(t.Context(), name, random(3, size)); err != nil || r.Code != 226 {
					t.Fatalf("STOR of %d bytes: %v, %v\n%s", size, r, err, g.Tail(20))
				}
				w.wantObject(t, "site/"+name, random(3, size))
			}
			if got, err := conn.Retrieve(t.Context(), "small.jpg"); err != nil || !bytes.Equal(got, random(3, 1000)) {
				t.Errorf("RETR: %d bytes, %v", len(got), err)
			}
			fake.mu.Lock()
			if len(fake.seen) != 1 || fake.seen[c.token] == 0 || fake.of[c.token] != c.from {
				t.Errorf("storage saw the tokens %v, made from %v; want %q from %q", fake.seen, fake.of, c.token, c.from)
			}
			if b := fake.boundaries[c.token]; c.confined {
				for _, want := range []string{"//storage.googleapis.com/projects/_/buckets/" + bucket, "projects/_/buckets/" + bucket + "/objects/site/"} {
					if !strings.Contains(b, want) {
						t.Errorf("the boundary does not name %s: %s", want, b)
					}
				}
			} else if b != "" {
				t.Errorf("a boundary that nobody has asked for: %s", b)
			}
			// The token is refused: the upload fails there, with no other token tried.
			clear(fake.seen)
			fake.refuse = func(token string, r *http.Request) bool { return token == c.token }
			fake.mu.Unlock()
			if r, err := conn.Store(t.Context(), "refused.jpg", []byte("x")); err != nil || r.Code != 451 {
				t.Errorf("STOR with a token that is refused: %v, %v; want 451", r, err)
			}
			fake.mu.Lock()
			if len(fake.seen) != 1 || fake.seen[c.token] == 0 {
				t.Errorf("then storage saw the tokens %v", fake.seen)
			}
			fake.mu.Unlock()
			w.wantObject(t, "site/refused.jpg", nil)
			eventually(t, "the log tells what storage said", func(context.Context) (bool, error) {
				return strings.Contains(g.Log(), "the boundary forbids it"), nil
			})
		})
	}
}

// TestGCSNoToken lets the service account that a login shall act as be none that the gateway may act as.
func TestGCSNoToken(t *testing.T) {
	t.Parallel()
	fake, w := newGoogle(t, `impersonate: "{user}/no such@account"`)
	g := newGateway(t, w)
	fake.mu.Lock()
	clear(fake.seen)
	fake.mu.Unlock()
	conn := g.login(t, false)
	if r, err := conn.Store(t.Context(), "a.jpg", []byte("x")); err != nil || r.Code != 451 {
		t.Errorf("STOR: %v, %v; want 451", r, err)
	}
	fake.mu.Lock()
	defer fake.mu.Unlock()
	if len(fake.seen) > 0 {
		t.Errorf("storage saw the tokens %v", fake.seen)
	}
}

// gcsPast is the view of a fake-gcs-server that goes past the gateway.
func gcsPast(t *testing.T, fake *servers.GCS) store.Store {
	t.Helper()
	s, err := store.NewGCS(context.WithoutCancel(t.Context()), fake.URL(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
