package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckReport wants all of these in one report, each with its line.
func TestCheckReport(t *testing.T) {
	w := newWorld(t, localKind)
	key := filepath.Join(w.dir, "open.key")
	b, err := os.ReadFile(w.certs.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	type line struct{ text, want string }
	lines := []line{
		{"listeners:", ""},
		{`  - {address: ":2121"}`, ""},
		{"tls:", ""},
		{"  min: \"1.0\"", "TLS below 1.2"},
		{"  certificates:", ""},
		{fmt.Sprintf("    - cert: %q", w.certs.Cert), ""},
		{fmt.Sprintf("      key: %q", key), "everybody on this machine can read"},
		{"passive:", ""},
		{"  match: exclusive", ""},
		{"  ports: 30000-30049", "only 50 of the sessions can transfer"},
		{"limits: {connections: 100}", ""},
		{"backends:", ""},
		{"  disk: " + w.yaml, ""},
		{"  bucket: {type: s3, bucket: b, region: r}", ""},
		{"users:", ""},
		{"  - name: one", `"home" is missing`},
		{"    password: \"plain:one1\"", "plain text, and weak"},
		{"  - name: two", ""},
		{"    password: \"plain:correct horse battery\"", "plain text"},
		{"    home: dusk:/two", `unknown back end "dusk"`},
		{"  - name: three", ""},
		{"    password: \"$argon2id$nonsense\"", "password"},
		{"    home: disk:/three", ""},
		{"    mounts:", ""},
		{"      /again: disk:/three/sub", "overlaps with /"},
		{"  - name: four", ""},
		{"    password: \"plain:correct horse battery\"", ""},
		{"    home: bucket:/four", ""},
		{"    limits:", ""},
		{"      quota: {bytes: 1GiB}", "a quota needs a home in a local back end"},
	}
	conf := filepath.Join(t.TempDir(), "ftp-gateway.yaml")
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.text + "\n")
	}
	if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), gatewayBin, "check", "--config", conf)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, %v; want 1", code, err)
	}
	report := strings.Split(string(out), "\n")
	for i, l := range lines {
		if l.want == "" {
			continue
		}
		found := false
		for _, r := range report {
			found = found || strings.HasPrefix(r, fmt.Sprintf("%s:%d: ", conf, i+1)) && strings.Contains(r, l.want)
		}
		if !found {
			t.Errorf("no %q about line %d", l.want, i+1)
		}
	}
	if t.Failed() {
		t.Log(string(out))
	}
}
