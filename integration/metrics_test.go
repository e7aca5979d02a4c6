package integration

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// TestMetricsAndProbes uploads, downloads and fails to log in, and looks at what
// the HTTP listener tells about it.
func TestMetricsAndProbes(t *testing.T) {
	w := newWorld(t, s3Kind)
	g := newGateway(t, w, "limits: {login_delay: 0s}")
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body, err := g.get(t.Context(), path); err != nil || code != http.StatusOK {
			t.Errorf("%s: %d %q %v; want 200", path, code, body, err)
		}
	}
	c := g.login(t, false)
	body := random(1, 12345)
	if r, err := c.Store(t.Context(), "m.bin", body); err != nil || r.Code != 226 {
		t.Fatalf("%q, %v", r.Text, err)
	}
	if _, err := c.Retrieve(t.Context(), "m.bin"); err != nil {
		t.Fatal(err)
	}
	wrong, err := clients.Dial(t.Context(), g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Expect(331, "USER "+user); err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Expect(530, "PASS wrong"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		name   string
		labels []string
		min    float64
	}{
		{"ftp_gateway_sessions", nil, 2},
		{"ftp_gateway_logins_total", nil, 2},
		{"ftp_gateway_commands_total", []string{`"STOR"`, `"226"`}, 1},
		{"ftp_gateway_commands_total", []string{`"PASS"`, `"530"`}, 1},
		{"ftp_gateway_transfers_total", []string{`"done"`}, 2},
		{"ftp_gateway_transfer_bytes_total", nil, 2 * 12345},
		{"ftp_gateway_transfer_duration_seconds_count", nil, 2},
		{"ftp_gateway_store_requests_total", nil, 2},
		{"ftp_gateway_store_request_duration_seconds_count", nil, 2},
		{"ftp_gateway_build_info", nil, 1},
	} {
		eventually(t, want.name+strings.Join(want.labels, ","), func(ctx context.Context) (bool, error) {
			v, err := g.metric(ctx, want.name, want.labels...)
			return err == nil && v >= want.min, err
		})
	}
	_, text, err := g.get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{user, password, "m.bin", "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics tell %q: names, paths and addresses make them grow without bound", secret)
		}
	}
	if strings.Contains(g.Log(), password) {
		t.Error("the log tells the password")
	}
}
