package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// TestRefusedAtStart gives the gateway configurations that cannot work. It must say where the
// mistake is and what to do, and end with 1.
func TestRefusedAtStart(t *testing.T) {
	w := newWorld(t, s3Kind)
	for _, tt := range []struct {
		name     string
		old, new string // replaced in a good configuration
		line     string // the text whose line has to be named
		want     []string
	}{
		{"a misspelt key", "listeners:", "listener:", "listener:", []string{"listener", "did you mean", "listeners"}},
		{"a misspelt key inside", "path_style", "path_stile", "path_stile", []string{"path_stile", "path_style"}},
		{"a missing certificate", w.certs.Cert, w.certs.Cert + ".gone", w.certs.Cert, []string{"cert.pem.gone", "hint"}},
		{"a bucket that does not exist", "bucket: " + bucket, "bucket: no-such-bucket", "no-such-bucket", []string{"no-such-bucket", "hint"}},
		{"a misspelt name in the prefix", "format: text", "format: line, prefix: '[{usre}]'", "log:", []string{"log.prefix", "{usre}", "did you mean", "{user}"}},
		{"a socket that is a file", "metrics:", "admin: {socket: /dev/null}\nmetrics:", "admin:", []string{"admin.socket", "no socket", "hint"}},
		{"a back end that does not exist", `"store:/"`, `"stoer:/"`, "stoer:/", []string{"stoer"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := prepareGateway(t, w)
			conf := g.options.Args[len(g.options.Args)-1]
			good, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			bad := strings.ReplaceAll(string(good), tt.old, tt.new)
			if bad == string(good) {
				t.Fatalf("%q is not in the configuration", tt.old)
			}
			if err := os.WriteFile(conf, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := servers.LaunchGateway(g.options)
			if err != nil {
				t.Fatal(err)
			}
			watch(t, p.Process)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			code, err := p.Wait(ctx)
			if err != nil || code != 1 {
				t.Errorf("exit code %d, %v; want 1", code, err)
			}
			before, _, _ := strings.Cut(bad, tt.line)
			where := fmt.Sprintf("%s:%d", filepath.Base(conf), strings.Count(before, "\n")+1)
			for _, want := range append(tt.want, where) {
				if !strings.Contains(p.Log(), want) {
					t.Errorf("the output does not tell %q:\n%s", want, p.Log())
				}
			}
		})
	}

	t.Run("the same configuration untouched", func(t *testing.T) {
		g := newGateway(t, w)
		if err := g.Stop(patience); err != nil {
			t.Error(err)
		}
	})
}

// TestStoreDownAtStart starts the gateway while the store refuses everything:
// that is an outage, no mistake of configuration.
func TestStoreDownAtStart(t *testing.T) {
	w := newWorld(t, s3Kind)
	w.proxy.Add(forbidden)
	g := newGateway(t, w)
	eventually(t, "/readyz tells the outage", func(ctx context.Context) (bool, error) {
		code, body, err := g.get(ctx, "/readyz")
		return err == nil && (code != 200 || strings.Contains(body, "store")), err
	})
	if code, body, err := g.get(t.Context(), "/healthz"); err != nil || code != 200 {
		t.Errorf("/healthz: %d %q %v; an outage of the store is no reason to restart", code, body, err)
	}
	if !strings.Contains(g.Log(), "store") {
		t.Errorf("the log does not warn of the back end:\n%s", g.Log())
	}
}
