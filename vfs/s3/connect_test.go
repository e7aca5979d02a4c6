package s3

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// Connections are kept: many uploads dial no more often than they are at once.
func TestConnections(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(nil)
	var dials atomic.Int32
	dial := s.http.DialContext
	s.http.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, addr)
	}
	const workers = 50
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range 20 {
				if err := put(s, t.Context(), fmt.Sprint(w, "/", i), []byte("x"), object.PutOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	// A connection that becomes free while another is dialled is used instead of
	// it, and both stay: twice as many is the most.
	if n := dials.Load(); n > 2*workers {
		t.Errorf("%d dials for %d writers", n, workers)
	}
}

func TestRoundTripper(t *testing.T) {
	f := newFake(t)
	var mu sync.Mutex
	var ops []string
	s, _ := f.open(func(o *Options) {
		o.RoundTripper = func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				ops = append(ops, Operation(r))
				mu.Unlock()
				return next.RoundTrip(r)
			})
		}
	})
	put(s, t.Context(), "f", nil, object.PutOptions{})
	s.Delete(t.Context(), "f", "")
	if want := []string{"PutObject", "DeleteObject"}; !slices.Equal(ops, want) {
		t.Errorf("operations %q, want %q", ops, want)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func TestOptions(t *testing.T) {
	b := object.NewBudget(64 << 20)
	good := Options{Bucket: "b", Region: "eu-west-1", AccessKey: "a", SecretKey: "s", Budget: b}
	if _, err := New(t.Context(), good); err != nil {
		t.Errorf("good options: %v", err)
	}
	for name, change := range map[string]func(*Options){
		"no bucket":        func(o *Options) { o.Bucket = "" },
		"no budget":        func(o *Options) { o.Budget = nil },
		"budget too small": func(o *Options) { o.Budget = object.NewBudget(leastPart - 1) },
		"bad profile":      func(o *Options) { o.Profile = "azure" },
		"bad endpoint":     func(o *Options) { o.Endpoint = "minio:9000" },
		"small part":       func(o *Options) { o.MaxPartSize = 1 << 20 },
	} {
		o := good
		change(&o)
		if _, err := New(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TLS with a certificate of the user's own authority.
func TestRootCAs(t *testing.T) {
	f := newFake(t)
	tls := httptest.NewTLSServer(f)
	defer tls.Close()
	s, _ := f.open(func(o *Options) { o.Endpoint = tls.URL })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Check(ctx); err == nil {
		t.Error("an unknown authority was trusted")
	}
	s, _ = f.open(func(o *Options) {
		o.Endpoint = tls.URL
		o.RootCAs = tls.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})
	if err := put(s, t.Context(), "f", random(minPart+1), object.PutOptions{}); err != nil {
		t.Error(err)
	}
	f.holds("f", random(minPart+1))
}
