package s3

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// scope is the region that a request was signed for.
func scope(h http.Header) string {
	if m := regexp.MustCompile(`Credential=[^/]*/[^/]*/([^/]*)/s3`).FindStringSubmatch(h.Get("Authorization")); m != nil {
		return m[1]
	}
	return ""
}

// buffer is a log.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// elsewhere lets the fake be a bucket of eu-west-1. Form is how it says so.
func (f *fake) elsewhere(form string) {
	f.setBefore(func(op string, _ int, w http.ResponseWriter, r *http.Request) bool {
		if scope(r.Header) == "eu-west-1" {
			return false
		}
		io.Copy(io.Discard, r.Body)
		switch form {
		case "301":
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(301)
			fmt.Fprint(w, "<Error><Code>PermanentRedirect</Code><Endpoint>bucket.s3.eu-west-1.amazonaws.com</Endpoint></Error>")
		case "400":
			if r.Method == "HEAD" { // the answer to a HEAD has no body
				w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			}
			w.WriteHeader(400)
			fmt.Fprint(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>")
		}
		return true
	})
}

// The bucket is in another region than the configured one. Whatever request is the first to hear of it is made
// again there with the same body, all others go there at once, and the log tells what to write.
func TestWrongRegion(t *testing.T) {
	for _, form := range []string{"301", "400"} {
		for first, run := range map[string]func(*Store) error{
			"HeadBucket": func(s *Store) error { return s.Check(t.Context()) },
			"PutObject":  func(s *Store) error { return put(s, t.Context(), "f", random(1000), object.PutOptions{}) },
			"HeadObject": func(s *Store) error { _, err := s.Head(t.Context(), "old"); return err },
			"CreateMultipartUpload": func(s *Store) error {
				return put(s, t.Context(), "f", random(minPart+1), object.PutOptions{})
			},
		} {
			t.Run(form+" "+first, func(t *testing.T) {
				f := newFake(t)
				f.set("old", []byte("old"))
				f.elsewhere(form)
				var log buffer
				s, r := f.record(func(o *Options) {
					o.Profile, o.Endpoint, o.Region = "aws", "", "us-east-1"
					o.Log = slog.New(slog.NewTextHandler(&log, nil))
				})
				if err := run(s); err != nil {
					t.Fatal(err)
				}
				sent := r.of(first)
				if len(sent) != 2 || sent[0].URL.Host != "bucket.s3.us-east-1.amazonaws.com" && sent[0].URL.Host != "bucket.s3.amazonaws.com" ||
					sent[1].URL.Host != "bucket.s3.eu-west-1.amazonaws.com" || scope(sent[1].Header) != "eu-west-1" {
					t.Fatalf("%d requests, the last to %s for %s", len(sent), sent[len(sent)-1].URL.Host, scope(sent[len(sent)-1].Header))
				}
				if strings.HasPrefix(first, "Put") {
					f.holds("f", random(1000))
				}
				// In a role the same, and without another question.
				before := len(r.sent)
				as := s.As(Role{ARN: "arn:aws:iam::1:role/x", Endpoint: newSTS(t).URL})
				for _, s := range []*Store{s, as} {
					if _, err := s.Head(t.Context(), "old"); err != nil {
						t.Fatal(err)
					}
				}
				for _, q := range r.sent[before:] {
					if Operation(q) == "HeadObject" && scope(q.Header) != "eu-west-1" {
						t.Errorf("%s signed for %s", Operation(q), scope(q.Header))
					}
				}
				if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, `region: eu-west-1`) || !strings.Contains(text, "configured=us-east-1") {
					t.Errorf("log: %s", text)
				}
			})
		}
	}
}

// A server that names no region, nonsense, or the one where it was asked is no reason to ask again; one that sends requests
// round and round is not followed for ever.
func TestWrongRegionUnknown(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"none": func(w http.ResponseWriter, _ *http.Request) { refuse(w, 301, "PermanentRedirect") },
		"nonsense": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "evil.example/x")
			refuse(w, 301, "PermanentRedirect")
		},
		"the same": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "us-east-1")
			refuse(w, 301, "PermanentRedirect")
		},
		"another error": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			refuse(w, 400, "InvalidArgument")
		},
		"no location": func(w http.ResponseWriter, _ *http.Request) { refuse(w, 307, "TemporaryRedirect") },
		"itself": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://"+r.Host+r.URL.String())
			refuse(w, 307, "TemporaryRedirect")
		},
		"another key": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://localhost:1/other")
			refuse(w, 307, "TemporaryRedirect")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.setBefore(func(_ string, _ int, w http.ResponseWriter, r *http.Request) bool {
				io.Copy(io.Discard, r.Body)
				answer(w, r)
				return true
			})
			s, _ := f.open(func(o *Options) { o.Region = "us-east-1" })
			if err := put(s, t.Context(), "f", random(9), object.PutOptions{}); err == nil {
				t.Error("no error")
			}
			if n := f.count("put"); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}

	// Each of two servers sends to the other.
	f := newFake(t)
	var other *httptest.Server
	f.setBefore(func(_ string, _ int, w http.ResponseWriter, r *http.Request) bool {
		to := other.URL
		if "http://"+r.Host == to {
			to = f.URL
		}
		w.Header().Set("Location", to+r.URL.RequestURI())
		refuse(w, 307, "TemporaryRedirect")
		return true
	})
	other = httptest.NewServer(f)
	defer other.Close()
	s, _ := f.open(nil)
	if _, err := s.Head(t.Context(), "f"); err == nil {
		t.Error("round and round: no error")
	}
	if n := f.count("head"); n != 1+maxMoves {
		t.Errorf("round and round: %d requests, want %d", n, 1+maxMoves)
	}
}

// 21. A redirect of a single request (307), as a new bucket has them: the request is signed anew for the host that is
// named, its body is sent again from the first byte, and the next request goes where it always went.
func Test21TemporaryRedirect(t *testing.T) {
	for _, size := range []int{100, 2*minPart + 5} {
		f := newFake(t)
		other := httptest.NewServer(f)
		defer other.Close()
		f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
			if op != "put" && op != "part" && op != "complete" || "http://"+r.Host == other.URL {
				return false
			}
			io.CopyN(io.Discard, r.Body, 50) // it has seen some of the body
			w.Header().Set("Location", other.URL+r.URL.RequestURI())
			w.Header().Set("Connection", "close")
			refuse(w, 307, "TemporaryRedirect")
			return true
		})
		var mu sync.Mutex
		var hosts []string
		s, _ := f.open(func(o *Options) {
			o.RoundTripper = func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					mu.Lock()
					hosts = append(hosts, Operation(r)+" "+r.URL.Host)
					mu.Unlock()
					return next.RoundTrip(r)
				})
			}
		})
		if err := put(s, t.Context(), "a b+c", random(size), object.PutOptions{}); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		f.holds("a b+c", random(size))
		if _, err := s.Head(t.Context(), "a b+c"); err != nil {
			t.Fatal(err)
		}
		there, here := mustHost(t, other.URL), mustHost(t, f.URL)
		want := "PutObject " + there
		if size > minPart {
			want = "CompleteMultipartUpload " + there
		}
		all := strings.Join(hosts, "\n")
		if !strings.Contains(all, want) || hosts[len(hosts)-1] != "HeadObject "+here {
			t.Errorf("%d bytes: requests\n%s", size, all)
		}
	}
	// What is encrypted on the way stays so.
	c := &call{}
	from, _ := url.Parse("https://b.s3.example/k")
	resp := smithyResponse(from, "http://b.other.example/k")
	if c.follow(resp) {
		t.Error("from https to http")
	}
}

// A place that does not answer is left at the next attempt.
func TestRedirectToNobody(t *testing.T) {
	f := newFake(t)
	f.set("f", []byte("x"))
	nobody := httptest.NewServer(f)
	nobody.Close()
	f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
		if op == "head" && n == 1 {
			w.Header().Set("Location", nobody.URL+r.URL.RequestURI())
			w.WriteHeader(307)
			return true
		}
		return false
	})
	s, _ := f.open(nil)
	if _, err := s.Head(t.Context(), "f"); err != nil {
		t.Error(err)
	}
	if n := f.count("head"); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func mustHost(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func smithyResponse(from *url.URL, location string) *smithyhttp.Response {
	return &smithyhttp.Response{Response: &http.Response{Header: http.Header{"Location": {location}}, Request: &http.Request{URL: from}}}
}
