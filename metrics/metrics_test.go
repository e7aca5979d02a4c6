package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// lint checks names and help texts as Prometheus wants them.
func lint(t *testing.T, m *Metrics) {
	t.Helper()
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestHooks(t *testing.T) {
	m := New("v1")
	h := m.Hooks()
	c := protocol.Client{User: "cam7"}
	h.Connect(c)
	h.Connect(c)
	h.Disconnect(c, time.Second)
	h.Refused("limit")
	h.Refused("something new")
	h.Login(c)
	h.LoginFailed(c, "denied")
	h.LoginFailed(c, "error")
	h.Command(protocol.Command{Client: c, Verb: "STOR", Code: 226})
	h.Command(protocol.Command{Client: c, Verb: "STOR", Code: -5})
	h.Transfer(c, protocol.Transfer{Verb: "STOR", Upload: true, Bytes: 100, Took: time.Second, Result: protocol.Done, Path: "/secret"})
	h.Transfer(c, protocol.Transfer{Verb: "RETR", Bytes: 7, Took: time.Minute, Result: protocol.Cut})
	h.Panic(c, "x", nil)
	n := 3
	m.UploadMemory(Memory{Limit: func() int64 { return 100 }, InUse: func() int64 { return 10 }, Reserved: func() int64 { return 20 }, Waiting: func() int { return n }})
	m.Guard(func() uint64 { return 5 }, func() int { return 2 }, func() int { return 1 })
	lint(t, m)

	got := scrape(t, m, new(Health))
	for _, want := range []string{
		`ftp_gateway_bans_total 5`,
		`ftp_gateway_slowed_users 1`,
		`ftp_gateway_banned_addresses 2`,
		`ftp_gateway_connections_refused_total{reason="banned"} 0`,
		`ftp_gateway_sessions 1`,
		`ftp_gateway_sessions_total 2`,
		`ftp_gateway_connections_refused_total{reason="limit"} 1`,
		`ftp_gateway_connections_refused_total{reason="limit_ip"} 0`,
		`ftp_gateway_connections_refused_total{reason="other"} 1`,
		`ftp_gateway_logins_total{result="ok"} 1`,
		`ftp_gateway_logins_total{result="denied"} 1`,
		`ftp_gateway_logins_total{result="error"} 1`,
		`ftp_gateway_logins_total{result="limit"} 0`,
		`ftp_gateway_commands_total{code="226",verb="STOR"} 1`,
		`ftp_gateway_commands_total{code="0",verb="STOR"} 1`,
		`ftp_gateway_transfers_total{result="done",verb="STOR"} 1`,
		`ftp_gateway_transfers_total{result="cut",verb="RETR"} 1`,
		`ftp_gateway_transfer_bytes_total{direction="in"} 100`,
		`ftp_gateway_transfer_bytes_total{direction="out"} 7`,
		`ftp_gateway_transfer_duration_seconds_count{direction="in"} 1`,
		`ftp_gateway_transfer_duration_seconds_sum{direction="out"} 60`,
		`ftp_gateway_panics_total 1`,
		`ftp_gateway_upload_memory_limit_bytes 100`,
		`ftp_gateway_upload_memory_used_bytes 10`,
		`ftp_gateway_upload_memory_reserved_bytes 20`,
		`ftp_gateway_uploads_waiting 3`,
		`version="v1"`,
		`go_goroutines `,
		`process_open_fds `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
	for _, secret := range []string{"cam7", "/secret"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is in the metrics", secret)
		}
	}
}

func scrape(t *testing.T, m *Metrics, h *Health) string {
	t.Helper()
	code, body := get(t, m.Handler(h), "/metrics")
	if code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", code, body)
	}
	return body
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		fails := errors.New("bucket s3cret-name: 403")
		var camErr, archErr error
		runs := 0
		h := &Health{
			Log: slog.New(slog.NewTextHandler(&log, nil)),
			Checks: []Check{
				{"backend cams", func(context.Context) error { runs++; return camErr }},
				{"backend arch", func(context.Context) error { return archErr }},
				{"backend slow", func(ctx context.Context) error {
					if camErr == nil {
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				}},
			},
		}
		handler := New("").Handler(h)
		want := func(path string, code int, body string) {
			t.Helper()
			if c, b := get(t, handler, path); c != code || b != body {
				t.Errorf("%s: %d %q, want %d %q", path, c, b, code, body)
			}
		}
		want("/readyz", 200, "ok\n")
		camErr = fails
		want("/readyz", 200, "ok\n") // from the run before
		if runs != 1 {
			t.Errorf("%d runs for two probes at once, want 1", runs)
		}
		time.Sleep(11 * time.Second)
		want("/readyz", 503, "backend cams\nbackend slow\n")
		time.Sleep(11 * time.Second)
		want("/readyz", 503, "backend cams\nbackend slow\n")
		want("/healthz", 200, "ok\n")
		camErr, archErr = nil, fmt.Errorf("%w: 403", ErrDegraded)
		time.Sleep(11 * time.Second)
		want("/readyz", 200, "ok\ndegraded: backend arch\n")
		archErr = nil
		time.Sleep(11 * time.Second)
		want("/readyz", 200, "ok\n")
		h.Stop()
		want("/readyz", 503, "shutdown\n")
		want("/healthz", 200, "ok\n")
		if n := strings.Count(log.String(), "s3cret-name"); n != 1 {
			t.Errorf("the reason is in the log %d times, want once:\n%s", n, &log)
		}
		if n := strings.Count(log.String(), "ready again"); n != 3 {
			t.Errorf("%d checks are ready again, want 3:\n%s", n, &log)
		}
	})
}

// Who asks for the latest does not wait for checks that hang, and brings about the next answer.
func TestHealthLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		h := &Health{Checks: []Check{{"backend cams", func(context.Context) error { <-hang; return errors.New("gone") }}}}
		latest := func() (string, bool) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			failed, degraded, ran := h.Latest(ctx)
			return strings.Join(append(failed, degraded...), ","), !ran.IsZero()
		}
		for range 2 {
			if failed, known := latest(); known || failed != "" {
				t.Errorf("before any answer: %q, %v", failed, known)
			}
		}
		close(hang)
		synctest.Wait()
		if failed, known := latest(); !known || failed != "backend cams" {
			t.Errorf("%q, %v; want the failure", failed, known)
		}
		h.Checks[0].Ready = func(context.Context) error { return nil }
		time.Sleep(11 * time.Second)
		if failed, known := latest(); !known || failed != "" {
			t.Errorf("%q, %v; want none", failed, known)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type timeoutError struct{}

func (timeoutError) Error() string { return "timeout" }
func (timeoutError) Timeout() bool { return true }

func TestTransport(t *testing.T) {
	m := New("v1")
	answers := []struct {
		code   int
		err    error
		result string
	}{
		{code: 200, result: "ok"}, {code: 204, result: "ok"}, {code: 308, result: "ok"}, {code: 404, result: "not_found"},
		{code: 403, result: "denied"}, {code: 412, result: "conflict"}, {code: 429, result: "throttled"}, {code: 503, result: "throttled"},
		{code: 400, result: "client_error"}, {code: 301, result: "client_error"}, {code: 500, result: "server_error"},
		{err: context.Canceled, result: "canceled"}, {err: timeoutError{}, result: "timeout"},
		{err: fmt.Errorf("x: %w", context.DeadlineExceeded), result: "timeout"}, {err: errors.New("reset"), result: "error"},
	}
	want := map[string]float64{}
	for _, a := range answers {
		tr := m.Transport("cams", func(*http.Request) string { return "PutObject" }, roundTrip(func(*http.Request) (*http.Response, error) {
			if a.err != nil {
				return nil, a.err
			}
			return &http.Response{StatusCode: a.code}, nil
		}))
		resp, err := tr.RoundTrip(httptest.NewRequest("PUT", "https://b.s3.example.com/a.jpg?x-id=PutObject", nil))
		if !errors.Is(err, a.err) || a.err == nil && resp.StatusCode != a.code {
			t.Errorf("%+v came back as %v, %v", a, resp, err)
		}
		want[a.result]++
	}
	for r, n := range want {
		if got := testutil.ToFloat64(m.storeRequests.WithLabelValues("cams", "PutObject", r)); got != n {
			t.Errorf("%s counted %v times, want %v", r, got, n)
		}
	}
	lint(t, m)
	if text := scrape(t, m, new(Health)); !strings.Contains(text, fmt.Sprintf(`store_request_duration_seconds_count{backend="cams",operation="PutObject"} %d`, len(answers))) {
		t.Errorf("the histogram does not have %d requests", len(answers))
	}
}

func TestGCSOperation(t *testing.T) {
	for _, tt := range []struct{ method, url, want string }{
		{"POST", "https://storage.googleapis.com/upload/storage/v1/b/bkt/o?uploadType=multipart&name=a", "insert"},
		{"POST", "https://storage.googleapis.com/upload/storage/v1/b/bkt/o?uploadType=resumable&name=a", "resumable_start"},
		{"PUT", "https://storage.googleapis.com/upload/storage/v1/b/bkt/o?uploadType=resumable&upload_id=x", "resumable_chunk"},
		{"DELETE", "https://storage.googleapis.com/upload/storage/v1/b/bkt/o?uploadType=resumable&upload_id=x", "resumable_cancel"},
		{"GET", "https://storage.googleapis.com/storage/v1/b/bkt/o?prefix=a%2F", "list"},
		{"GET", "https://storage.googleapis.com/storage/v1/b/bkt/o/a%2Fb?alt=json", "get"},
		{"GET", "https://storage.googleapis.com/storage/v1/b/bkt/o/a%2Fb?alt=media", "media"},
		{"GET", "http://127.0.0.1:4443/download/storage/v1/b/bkt/o/a%2Fb?alt=media", "media"},
		{"GET", "https://storage.googleapis.com/bkt/a/b", "media"},
		{"DELETE", "https://storage.googleapis.com/storage/v1/b/bkt/o/a%2Fb", "delete"},
		{"PATCH", "https://storage.googleapis.com/storage/v1/b/bkt/o/a", "update"},
		{"POST", "https://storage.googleapis.com/storage/v1/b/bkt/o/a/rewriteTo/b/bkt/o/b", "rewrite"},
		{"POST", "https://storage.googleapis.com/storage/v1/b/bkt/o/a/moveTo/o/b", "move"},
		{"POST", "https://storage.googleapis.com/storage/v1/b/bkt/o/a/compose", "compose"},
		{"GET", "https://storage.googleapis.com/storage/v1/b/bkt?alt=json", "bucket_get"},
		{"POST", "https://oauth2.googleapis.com/token", "other"},
		{"GET", "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token", "other"},
	} {
		if got := GCSOperation(httptest.NewRequest(tt.method, tt.url, nil)); got != tt.want {
			t.Errorf("%s %s = %s, want %s", tt.method, tt.url, got, tt.want)
		}
	}
}
