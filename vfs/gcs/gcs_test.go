package gcs

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func TestEndpoint(t *testing.T) {
	for _, tc := range []struct {
		given, env, want string
		emulator         bool
	}{
		{"", "", "https://storage.googleapis.com", false},
		{"", "localhost:4443", "http://localhost:4443", true},
		{"", "https://emu:1", "https://emu:1", true},
		{"http://127.0.0.1:1", "localhost:4443", "http://127.0.0.1:1", false},
		{"http://127.0.0.1:1/storage/v1/", "", "http://127.0.0.1:1", false},
		{"https://p.example/gcs/", "", "https://p.example/gcs", false},
	} {
		t.Setenv("STORAGE_EMULATOR_HOST", tc.env)
		u, emulator, err := endpoint(tc.given)
		if err != nil || u.String() != tc.want || emulator != tc.emulator {
			t.Errorf("endpoint(%q) with %q = %v, %v, %v; want %v, %v", tc.given, tc.env, u, emulator, err, tc.want, tc.emulator)
		}
	}
	for _, bad := range []string{"127.0.0.1:1", "ftp://x", "http://", "http://a b"} {
		if _, _, err := endpoint(bad); err == nil {
			t.Errorf("endpoint(%q): no error", bad)
		}
	}
}

func TestEmulatorFromEnvironment(t *testing.T) {
	f := newFake(t)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(f.srv.URL, "http://"))
	s, err := New(t.Context(), Options{Bucket: testBucket, Budget: object.NewBudget(16 << 20)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	if err := upload(t.Context(), s, "a", []byte("data"), object.PutOptions{}); err != nil {
		t.Errorf("upload: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	budget := object.NewBudget(16 << 20)
	for name, o := range map[string]Options{
		"no bucket":      {Budget: budget, Anonymous: true},
		"no budget":      {Bucket: "b", Anonymous: true},
		"part too large": {Bucket: "b", Budget: budget, Anonymous: true, PartSize: 32 << 20},
		"bad endpoint":   {Bucket: "b", Budget: budget, Anonymous: true, Endpoint: "x"},
		"no key file":    {Bucket: "b", Budget: budget, CredentialsFile: key + "x"},
		"bad key file":   {Bucket: "b", Budget: budget, CredentialsFile: key},
	} {
		if s, err := New(t.Context(), o); err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

type counting struct {
	base http.RoundTripper
	n    atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("User-Agent") != "test/1" {
		return nil, http.ErrNotSupported
	}
	c.n.Add(1)
	return c.base.RoundTrip(r)
}

// The hook sees uploads and the SDK's requests alike, each attempt of them.
func TestRoundTripper(t *testing.T) {
	f := newFake(t)
	c := &counting{}
	s, err := New(t.Context(), Options{
		Bucket: testBucket, Endpoint: f.srv.URL, Anonymous: true, Budget: object.NewBudget(16 << 20), UserAgent: "test/1",
		RoundTripper: func(rt http.RoundTripper) http.RoundTripper { c.base = rt; return c },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := upload(t.Context(), s, "a", []byte("data"), object.PutOptions{}); err != nil {
		t.Errorf("upload: %v", err)
	}
	if _, err := s.Head(t.Context(), "a"); err != nil {
		t.Errorf("Head: %v", err)
	}
	if n := c.n.Load(); n != 2 || f.count("") != 2 {
		t.Errorf("hook saw %d requests, the store %d; want 2", n, f.count(""))
	}
}
