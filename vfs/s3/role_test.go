package s3

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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

// fakeSTS hands out credentials (our own fake: it checks nothing).
type fakeSTS struct {
	*httptest.Server
	mu    sync.Mutex
	asked []url.Values
	deny  bool
}

func newSTS(t *testing.T) *fakeSTS {
	s := &fakeSTS{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, maps.Clone(r.Form))
		action := r.Form.Get("Action")
		if s.deny {
			w.WriteHeader(403)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
			return
		}
		fmt.Fprintf(w, `<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%sResult><Credentials><AccessKeyId>ROLE%d</AccessKeyId>
			<SecretAccessKey>s</SecretAccessKey><SessionToken>token%d</SessionToken><Expiration>%s</Expiration></Credentials></%sResult></%sResponse>`,
			action, action, len(s.asked), len(s.asked), time.Now().Add(time.Hour).UTC().Format(time.RFC3339), action, action)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *fakeSTS) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// A login's role is asked for once, with all that was configured, and its credentials are used.
func TestAssumeRole(t *testing.T) {
	f, sts := newFake(t), newSTS(t)
	s, r := f.record(func(*Options) {})
	policy, err := s.Confine("a/cam7/")
	if err != nil {
		t.Fatal(err)
	}
	role := Role{ARN: "arn:aws:iam::123456789012:role/ftp", ExternalID: "ext", SessionName: "ftp cam7/ö", Policy: policy,
		Tags: map[string]string{"user": "cam7", "device": "10.0.0.7"}, Duration: 30 * time.Minute, Endpoint: sts.URL}
	own := s.As(role)
	if own == s || s.As(role) != own {
		t.Error("not one Store for one role")
	}
	other := role
	other.SessionName = "cam8"
	if s.As(other) == own {
		t.Error("two roles share their credentials")
	}
	if sts.count() != 0 {
		t.Error("asked before it was needed")
	}
	for _, st := range []*Store{own, own, s} {
		if err := put(st, t.Context(), "a/cam7/f", []byte("x"), object.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := sts.count(); n != 1 {
		t.Fatalf("asked %d times, want once", n)
	}
	q := sts.asked[0]
	for k, want := range map[string]string{"Action": "AssumeRole", "RoleArn": role.ARN, "ExternalId": "ext", "RoleSessionName": "ftp-cam7--",
		"Policy": policy, "DurationSeconds": "1800", "Tags.member.1.Key": "device", "Tags.member.1.Value": "10.0.0.7", "Tags.member.2.Value": "cam7"} {
		if got := q.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	for i, want := range []string{"Credential=ROLE1/", "Credential=ROLE1/", "Credential=a/"} {
		if h := r.of("PutObject")[i].Header.Get("Authorization"); !strings.Contains(h, want) {
			t.Errorf("request %d is signed by %q, want %s", i, h, want)
		}
	}
	if got := r.of("PutObject")[0].Header.Get("X-Amz-Security-Token"); got != "token1" {
		t.Errorf("session token %q", got)
	}

	sts.deny = true
	denied := s.As(Role{ARN: "arn:aws:iam::123456789012:role/other", SessionName: "cam9", Endpoint: sts.URL})
	if _, err := denied.Head(t.Context(), "a/cam7/f"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a role that may not be assumed: %v, want fs.ErrPermission", err)
	}
}

// There is a bound, and what is in use stays usable.
func TestAssumeRoleMany(t *testing.T) {
	f, sts := newFake(t), newSTS(t)
	s, _ := f.open(nil)
	first := s.As(Role{ARN: "arn:first", Endpoint: sts.URL})
	for i := range mostRoles + 5 {
		s.As(Role{ARN: fmt.Sprint("arn:", i), Endpoint: sts.URL})
	}
	if n := len(s.roles.stores); n > mostRoles {
		t.Errorf("%d roles are kept, want at most %d", n, mostRoles)
	}
	if err := put(first, t.Context(), "f", nil, object.PutOptions{}); err != nil {
		t.Error(err)
	}
}

// Credentials rotate in the middle of a multipart upload: the file with the token of
// the pod's identity has changed, and the server takes the old credentials for
// expired once. The upload does not notice. (Both servers are our own fakes.)
func TestCredentialsRotate(t *testing.T) {
	f, sts := newFake(t), newSTS(t)
	token := filepath.Join(t.TempDir(), "token")
	write := func(s string) {
		if err := os.WriteFile(token, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	for k, v := range map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod",
		"AWS_ENDPOINT_URL_STS": sts.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
		if op == "part" && strings.Contains(r.Header.Get("Authorization"), "Credential=ROLE1/") && n > 1 {
			write("second")
			refuse(w, 400, "ExpiredToken")
			return true
		}
		return false
	})
	s, r := f.record(func(o *Options) { o.AccessKey, o.SecretKey, o.Parallel = "", "", 1 })
	data := random(3*minPart + 7)
	if err := put(s, t.Context(), "f", data, object.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	f.holds("f", data)
	if sts.count() < 2 || sts.asked[0].Get("WebIdentityToken") != "first" || sts.asked[1].Get("WebIdentityToken") != "second" {
		t.Errorf("STS was asked %d times: %v", sts.count(), sts.asked)
	}
	done := r.of("CompleteMultipartUpload")
	if len(done) != 1 || strings.Contains(done[0].Header.Get("Authorization"), "Credential=ROLE1/") {
		t.Error("completed with the old credentials")
	}
}

func TestConfine(t *testing.T) {
	type policy struct {
		Statement []struct {
			Effect, Resource string
			Action           []string
			Condition        map[string]map[string][]string
		}
	}
	for _, c := range []struct {
		bucket, prefix, objects, list string
	}{
		{"cams", "site/cam7/", "arn:aws:s3:::cams/site/cam7/*", "site/cam7/*"},
		{"cams", "", "arn:aws:s3:::cams/*", "*"},
		{"cams", "*/", "arn:aws:s3:::cams/${*}/*", "${*}/*"},
		{"cams", "a?b$c/", "arn:aws:s3:::cams/a${?}b${$}c/*", "a${?}b${$}c/*"},
		{"arn:aws:s3:eu-west-1:1:accesspoint/ap", "u/", "arn:aws:s3:eu-west-1:1:accesspoint/ap/object/u/*", "u/*"},
	} {
		text, err := confine(c.bucket, c.prefix, []string{"s3:GetObject"}, true)
		if err != nil {
			t.Fatal(err)
		}
		var p policy
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Statement) != 4 || p.Statement[0].Resource != c.objects || p.Statement[1].Condition["StringLike"]["s3:prefix"][0] != c.list ||
			p.Statement[3].Action[0] != "kms:GenerateDataKey" {
			t.Errorf("%s %q: %s", c.bucket, c.prefix, text)
		}
	}
	for _, set := range []Settings{{}, {ACL: "private"}, {LockMode: "GOVERNANCE", LegalHold: true}} {
		s := &Store{bucket: "cams", o: Options{Settings: set}}
		text, err := s.Confine("a/")
		if err != nil || strings.Contains(text, "Acl") != (set.ACL != "") || strings.Contains(text, "Retention") != set.LegalHold ||
			strings.Contains(text, "LegalHold") != set.LegalHold || strings.Contains(text, "kms:") {
			t.Errorf("%+v: %s, %v", set, text, err)
		}
	}
	if _, err := confine("c*", "a/", nil, false); err == nil {
		t.Error("a bucket with a star has a policy")
	}
	if _, err := confine("cams", strings.Repeat("a", 1000)+"/", nil, false); err == nil {
		t.Error("a policy that is too long has no error")
	}
}
