package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// startShell starts a script as if it were a server.
func startShell(t *testing.T, script string) (*processes, func()) {
	t.Helper()
	p, err := servers.Start("sh", filepath.Join(t.TempDir(), "log"), exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	return &processes{first: p.PID()}, p.Kill
}
