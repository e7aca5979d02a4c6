package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ftp-gateway/ftp-gateway/integration/fault"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// cloud gives temporary credentials in the ways of STS, of a machine's and of a container's metadata. They are real ones of
// MinIO, which has given them to the test (AssumeRole) and looks at their token with each request.
type cloud struct {
	*httptest.Server
	token string
	mu    sync.Mutex
	asked []string
}

func newCloud(t *testing.T, endpoint string) *cloud {
	t.Helper()
	client := sts.New(sts.Options{Region: servers.S3Region, BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(servers.S3Key, servers.S3Secret, "")})
	var out *sts.AssumeRoleOutput
	eventually(t, "MinIO's STS is there", func(ctx context.Context) (ok bool, err error) {
		out, err = client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:minio:iam:::role/ftp"), RoleSessionName: aws.String("test")})
		return err == nil, err
	})
	key, secret, token := *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken
	c := &cloud{token: token}
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	asJSON := func(w http.ResponseWriter) {
		fmt.Fprintf(w, `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":%q,"SecretAccessKey":%q,"Token":%q,"Expiration":%q,"LastUpdated":%[4]q}`,
			key, secret, token, expires)
	}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		what := r.Method + " " + r.URL.Path
		if r.Method == http.MethodPost {
			what = r.Form.Get("Action") + " " + r.Form.Get("RoleArn") + " " + r.Form.Get("WebIdentityToken")
		}
		c.mu.Lock()
		c.asked = append(c.asked, what)
		c.mu.Unlock()
		switch {
		case strings.HasPrefix(what, "AssumeRoleWithWebIdentity "):
			fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>`+
				`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
				`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, key, secret, token, expires)
		case what == "PUT /latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			fmt.Fprint(w, "metadata token")
		case strings.HasPrefix(what, "GET /latest/") && r.Header.Get("X-Aws-Ec2-Metadata-Token") != "metadata token":
			http.Error(w, "no token", http.StatusUnauthorized)
		case what == "GET /latest/meta-data/iam/security-credentials/":
			fmt.Fprint(w, "ftp-role")
		case what == "GET /latest/meta-data/iam/security-credentials/ftp-role":
			asJSON(w)
		case what == "GET /container" && r.Header.Get("Authorization") == "container token":
			asJSON(w)
		default:
			http.Error(w, "unknown", http.StatusNotFound)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// TestS3Credentials starts the gateway with nothing but one source of credentials each, and stores a file by them.
func TestS3Credentials(t *testing.T) {
	write := func(t *testing.T, name, text string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	shared := fmt.Sprintf("[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n[ftp]\naws_access_key_id = %s\naws_secret_access_key = %s\n", servers.S3Key, servers.S3Secret)
	m, raw := minio(t)
	for name, c := range map[string]struct {
		env   func(t *testing.T, c *cloud) []string
		keys  func(t *testing.T) string
		asked string // of the cloud
	}{
		"environment": {env: func(*testing.T, *cloud) []string {
			return []string{"AWS_ACCESS_KEY_ID=" + servers.S3Key, "AWS_SECRET_ACCESS_KEY=" + servers.S3Secret}
		}},
		"keys in the configuration": {keys: func(*testing.T) string {
			return fmt.Sprintf("access_key: %s, secret_key: %s, ", servers.S3Key, servers.S3Secret)
		}},
		"keys in files": {keys: func(t *testing.T) string {
			return fmt.Sprintf("access_key_file: %q, secret_key_file: %q, ", write(t, "key", servers.S3Key+"\n"), write(t, "secret", servers.S3Secret+"\n"))
		}},
		"shared files": {env: func(t *testing.T, _ *cloud) []string {
			return []string{"AWS_SHARED_CREDENTIALS_FILE=" + write(t, "credentials", shared), "AWS_PROFILE=ftp"}
		}},
		"web identity": {env: func(t *testing.T, c *cloud) []string {
			return []string{"AWS_ROLE_ARN=arn:aws:iam::123456789012:role/ftp", "AWS_WEB_IDENTITY_TOKEN_FILE=" + write(t, "token", "projected-token"),
				"AWS_ENDPOINT_URL_STS=" + c.URL}
		}, asked: "AssumeRoleWithWebIdentity arn:aws:iam::123456789012:role/ftp projected-token"},
		"instance role": {env: func(_ *testing.T, c *cloud) []string {
			return []string{"AWS_EC2_METADATA_DISABLED=false", "AWS_EC2_METADATA_SERVICE_ENDPOINT=" + c.URL}
		}, asked: "GET /latest/meta-data/iam/security-credentials/ftp-role"},
		"container": {env: func(_ *testing.T, c *cloud) []string {
			return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + c.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN=container token"}
		}, asked: "GET /container"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := newCloud(t, m.URL())
			w := newWorld(t, localKind)
			var err error
			if w.proxy, err = fault.Listen(); err != nil {
				t.Fatal(err)
			}
			defer w.proxy.Close()
			w.proxy.SetTarget(m.Addr)
			w.store = raw
			w.yaml = fmt.Sprintf("{type: s3, profile: minio, bucket: %s, region: %s, endpoint: %q}", bucket, servers.S3Region, w.proxy.URL())
			w.env = []string{"HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null"}
			if c.env != nil {
				w.env = append(w.env, c.env(t, cl)...)
			}
			if c.keys != nil {
				w.yaml = strings.Replace(w.yaml, "{", "{"+c.keys(t), 1)
			}
			var mu sync.Mutex
			tokens := map[string]bool{}
			w.proxy.Add(fault.Rule{Match: func(r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				tokens[r.Header.Get("X-Amz-Security-Token")] = true
				return false
			}})
			g := prepareGateway(t, w)
			g.options.OnlyEnv = true
			g.start(t, t)
			conn := g.login(t, false)
			if r, err := conn.Store(t.Context(), "a.jpg", []byte("picture")); err != nil || r.Code != 226 {
				t.Fatalf("STOR: %v, %v\n%s", r, err, g.Tail(20))
			}
			w.wantObject(t, "a.jpg", []byte("picture"))
			mu.Lock()
			defer mu.Unlock()
			want := ""
			if c.asked != "" {
				want = cl.token
			}
			if len(tokens) != 1 || !tokens[want] {
				t.Errorf("session tokens %v, want %q in all requests", tokens, want)
			}
			cl.mu.Lock()
			defer cl.mu.Unlock()
			if c.asked != "" && !slices.Contains(cl.asked, c.asked) || c.asked == "" && len(cl.asked) > 0 {
				t.Errorf("asked for credentials: %q, want %q", cl.asked, c.asked)
			}
			for _, secret := range []string{servers.S3Secret, cl.token, "projected-token"} {
				if strings.Contains(g.Log(), secret) {
					t.Error("a secret is in the log")
				}
			}
		})
	}
}

// TestS3Proxy reaches the store only by a forward proxy: a tunnel for https, with an authority of its own, and whole URLs for
// http. A store in NO_PROXY is asked directly.
func TestS3Proxy(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint, env string
		ca, direct    bool
	}{
		"https":    {endpoint: "https://s3.test", env: "HTTPS_PROXY", ca: true},
		"http":     {endpoint: "http://s3.test:9000", env: "HTTP_PROXY"},
		"no proxy": {direct: true, env: "HTTP_PROXY"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, s3Kind)
			certs, err := servers.MakeCertificates(t.TempDir(), "s3.test")
			if err != nil {
				t.Fatal(err)
			}
			front, tlsAddr, err := servers.TLSFront(certs, passTo(w.proxy.Addr()))
			if err != nil {
				t.Fatal(err)
			}
			defer front.Close()
			f, err := servers.StartForward(map[string]string{"s3.test:443": tlsAddr, "s3.test:9000": w.proxy.Addr()})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			w.env = append(w.env, c.env+"="+f.URL())
			if c.direct {
				w.env = append(w.env, "NO_PROXY=127.0.0.1")
			} else {
				w.yaml = strings.Replace(w.yaml, w.proxy.URL(), c.endpoint, 1)
			}
			if c.ca {
				w.yaml = strings.Replace(w.yaml, "{", fmt.Sprintf("{ca_file: %q, ", certs.CA), 1)
			}
			g := newGateway(t, w)
			conn := g.login(t, false)
			for name, size := range map[string]int{"small.jpg": 1000, "large.bin": 6 << 20} {
				if r, err := conn.Store(t.Context(), name, random(3, size)); err != nil || r.Code != 226 {
					t.Fatalf("STOR of %d bytes: %v, %v\n%s", size, r, err, g.Tail(20))
				}
				w.wantObject(t, name, random(3, size))
			}
			asked := f.Asked()
			u, _ := url.Parse(c.endpoint)
			host := u.Host
			if u.Port() == "" {
				host += ":443"
			}
			switch {
			case c.direct && len(asked) > 0:
				t.Errorf("the proxy was asked for %q", asked)
			case !c.direct && (len(asked) == 0 || slices.ContainsFunc(asked, func(a string) bool { return a != host })):
				t.Errorf("the proxy was asked for %q, want %s", asked, host)
			}
		})
	}
}

// passTo hands requests on as they are, Host and path included.
func passTo(addr string) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", addr, r.In.Host
	}}
}
