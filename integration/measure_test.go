package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func writeFile(name string, b []byte) error { return os.WriteFile(name, b, 0o600) }

// get asks the HTTP listener for machines.
func (g *gateway) get(ctx context.Context, path string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.metrics+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// metric returns the sum over all series of a metric whose labels contain each of the given texts.
func (g *gateway) metric(ctx context.Context, name string, labels ...string) (float64, error) {
	code, text, err := g.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	if code != http.StatusOK {
		return 0, fmt.Errorf("/metrics: %d", code)
	}
	sum, found := 0.0, false
series:
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{(.*)\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		found = true
		for _, l := range labels {
			if !strings.Contains(m[1], l) {
				continue series
			}
		}
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return 0, err
		}
		sum += v
	}
	if !found {
		return 0, fmt.Errorf("no metric %s", name)
	}
	return sum, nil
}

// waitNoSessions waits until the gateway serves nobody any more, which means that
// each broken transfer has been cleaned up.
func (g *gateway) waitNoSessions(t *testing.T) {
	t.Helper()
	eventually(t, "no session left", func(ctx context.Context) (bool, error) {
		n, err := g.metric(ctx, "ftp_gateway_sessions")
		return err == nil && n == 0, err
	})
}

// kib reads a field of a file below /proc/PID that is told in kB.
func kib(t *testing.T, pid int, file, field string) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + field + `:\s+(\d+) kB`).FindStringSubmatch(string(b))
	if m == nil {
		t.Fatalf("no %s in /proc/%d/%s", field, pid, file)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// forgetPeak makes VmHWM begin anew at the present size.
func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}
