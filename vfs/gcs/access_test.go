package gcs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// tokens are the servers that give tokens (our own fake: it checks nothing and confines nobody).
type tokens struct {
	*httptest.Server
	next http.RoundTripper

	mu    sync.Mutex
	asked []string // what was asked for, in order
	forms []url.Values
	auths []string // of the storage requests
}

func newTokens(t *testing.T) *tokens {
	k := &tokens{}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(r.URL.Path, "generateAccessToken"):
			k.asked = append(k.asked, "impersonate "+r.URL.Path+" by "+r.Header.Get("Authorization"))
			fmt.Fprintf(w, `{"accessToken":"acting","expireTime":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		case r.URL.Path == "/v1/token":
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			k.asked = append(k.asked, "confine "+r.Form.Get("subject_token"))
			k.forms = append(k.forms, r.Form)
			fmt.Fprint(w, `{"access_token":"confined","expires_in":3600,"token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`)
		default:
			k.asked = append(k.asked, "token")
			fmt.Fprint(w, `{"access_token":"base","expires_in":3600,"token_type":"Bearer"}`)
		}
	}))
	t.Cleanup(k.Close)
	return k
}

// RoundTrip takes requests for tokens to the fake and notes who makes the others.
func (k *tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Host, "googleapis.com") {
		k.mu.Lock()
		k.auths = append(k.auths, r.Header.Get("Authorization"))
		k.mu.Unlock()
		return k.next.RoundTrip(r)
	}
	u, err := url.Parse(k.URL)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = u.Scheme, u.Host
	return k.next.RoundTrip(r)
}

// A login's requests are made as its service account, with a token that is confined to its prefix.
func TestAccess(t *testing.T) {
	f, k := newFake(t), newTokens(t)
	key := filepath.Join(t.TempDir(), "user.json")
	if err := os.WriteFile(key, []byte(`{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Options{Bucket: testBucket, Endpoint: f.srv.URL, CredentialsFile: key, Exchange: true, Budget: object.NewBudget(64 << 20),
		RoundTripper: func(next http.RoundTripper) http.RoundTripper { k.next = next; return k }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cam7 := Access{Impersonate: "cam7@project.iam.gserviceaccount.com", Confine: true, Prefix: "site/cam7/"}
	own, err := s.As(t.Context(), cam7)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.As(t.Context(), cam7); err != nil || again != own {
		t.Errorf("not one Store for one access (%v)", err)
	}
	other, err := s.As(t.Context(), Access{Confine: true, Prefix: "site/cam8/"})
	if err != nil || other == own {
		t.Errorf("two accesses share their tokens (%v)", err)
	}
	if none, err := s.As(t.Context(), Access{}); err != nil || none != s {
		t.Errorf("an access that changes nothing: %v", err)
	}
	for _, st := range []*Store{s, own, own, other} {
		u, err := st.Put(t.Context(), "site/cam7/f", object.PutOptions{})
		if err == nil {
			err = u.Commit(t.Context())
		}
		if err == nil {
			_, err = st.Head(t.Context(), "site/cam7/f")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"token",
		"impersonate /v1/projects/-/serviceAccounts/cam7@project.iam.gserviceaccount.com:generateAccessToken by Bearer base",
		"confine acting", "confine base"}
	if strings.Join(k.asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked for\n%s\nwant\n%s", strings.Join(k.asked, "\n"), strings.Join(want, "\n"))
	}
	for i, got := range k.auths {
		want := "Bearer confined"
		if i < 2 {
			want = "Bearer base"
		}
		if got != want {
			t.Errorf("request %d is made by %q, want %q", i, got, want)
		}
	}
	var o struct {
		AccessBoundary struct {
			Rules []struct {
				AvailableResource     string `json:"availableResource"`
				AvailabilityCondition struct {
					Expression string `json:"expression"`
				} `json:"availabilityCondition"`
			} `json:"accessBoundaryRules"`
		} `json:"accessBoundary"`
	}
	if err := json.Unmarshal([]byte(k.forms[0].Get("options")), &o); err != nil {
		t.Fatalf("%v: %s", err, k.forms[0].Get("options"))
	}
	r := o.AccessBoundary.Rules
	if len(r) != 1 || r[0].AvailableResource != "//storage.googleapis.com/projects/_/buckets/"+testBucket ||
		r[0].AvailabilityCondition.Expression != "resource.name.startsWith('projects/_/buckets/"+testBucket+
			"/objects/site/cam7/') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('site/cam7/')" {
		t.Errorf("boundary %+v", r)
	}
	if got := boundary("b", `it's\a/`); !strings.Contains(got, `'it\'s\\a/'`) {
		t.Errorf("quoting: %s", got)
	}
}

// New objects are given what was configured.
func TestSettings(t *testing.T) {
	f := newFake(t)
	var mu sync.Mutex
	var sent []string
	s, err := New(t.Context(), Options{Bucket: testBucket, Endpoint: f.srv.URL, Anonymous: true, Budget: object.NewBudget(64 << 20), PartSize: chunkUnit,
		UserProject: "payer", Settings: Settings{StorageClass: "NEARLINE", ACL: "bucketOwnerFullControl", KMSKey: "projects/p/k"},
		RoundTripper: func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				body := ""
				if r.Method == http.MethodPost {
					var b strings.Builder
					buf := make([]byte, 600)
					n, _ := r.Body.Read(buf)
					b.Write(buf[:n])
					body = b.String()
					rest := r.Body
					r.Body = struct {
						*readerOf
						closer
					}{&readerOf{strings.NewReader(body), rest}, closer{rest}}
				}
				mu.Lock()
				sent = append(sent, r.Method+" "+r.URL.RequestURI()+" "+body)
				mu.Unlock()
				return next.RoundTrip(r)
			})
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, size := range []int{10, chunkUnit + 1} {
		u, err := s.Put(t.Context(), "f", object.PutOptions{Metadata: map[string]string{"device": "7"}})
		if err == nil {
			_, err = u.Write(make([]byte, size))
		}
		if err == nil {
			err = u.Commit(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	posts := 0
	for _, q := range sent {
		if !strings.HasPrefix(q, "POST") {
			continue
		}
		posts++
		for _, want := range []string{"predefinedAcl=bucketOwnerFullControl", "kmsKeyName=projects%2Fp%2Fk", "userProject=payer",
			`"storageClass":"NEARLINE"`, `"metadata":{"device":"7"}`} {
			if !strings.Contains(q, want) {
				t.Errorf("no %s in %s", want, q)
			}
		}
	}
	if posts != 2 {
		t.Errorf("%d uploads were begun, want 2: %q", posts, sent)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// readerOf gives what was read already, and then the rest.
type readerOf struct {
	first *strings.Reader
	rest  interface{ Read([]byte) (int, error) }
}

func (r *readerOf) Read(p []byte) (int, error) {
	if r.first.Len() > 0 {
		return r.first.Read(p)
	}
	return r.rest.Read(p)
}

type closer struct{ c interface{ Close() error } }

func (c closer) Close() error { return c.c.Close() }
