package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// TestFromPyftpdlibPage lets "ftp-gateway check" look at each configuration of the page for people who come from pyftpdlib. That
// of Windows is refused elsewhere, for being that and for nothing else.
func TestFromPyftpdlibPage(t *testing.T) {
	page, err := os.ReadFile("../doc/from-pyftpdlib.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)(<!-- for Windows -->\n)?```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 14 {
		t.Fatalf("only %d configurations on the page", len(blocks))
	}
	help, err := exec.CommandContext(t.Context(), gatewayBin, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	options := regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`).FindAllStringSubmatch(string(help), -1)
	if len(options) < 20 {
		t.Fatalf("only %d options in:\n%s", len(options), help)
	}
	for _, m := range options {
		if m[1] != "--help" && !strings.Contains(string(page), "`"+m[1]+"`") {
			t.Errorf("the page does not tell of %s", m[1])
		}
	}
	dir := t.TempDir() // file names in a configuration are relative to it
	certs, err := servers.MakeCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{certs.Cert: "server.pem", certs.Key: "server.key"} {
		if err := os.Rename(from, filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"share", "pub"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := regexp.MustCompile(`on Windows only|C:\\`)
	for i, m := range blocks {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			conf := filepath.Join(dir, fmt.Sprintf("%d.yaml", i+1))
			// The program of the page is not on every machine.
			text := strings.ReplaceAll(m[2], "/usr/local/bin/import", "/bin/true")
			if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), gatewayBin, "check", "--config", conf)
			cmd.Env = append(os.Environ(), "WEBHOOK_SECRET=s3cret")
			out, err := cmd.CombinedOutput()
			if m[1] == "" || runtime.GOOS == "windows" {
				if err != nil {
					t.Errorf("%v\n%s\n%s", err, out, m[2])
				}
				return
			}
			if err == nil {
				t.Error("a configuration for Windows passes here")
			}
			for line := range strings.Lines(string(out)) {
				if !strings.HasPrefix(line, conf+":") || strings.Contains(line, ": warning: ") {
					continue
				}
				if !elsewhere.MatchString(line) {
					t.Errorf("%s", line)
				}
			}
		})
	}
}
