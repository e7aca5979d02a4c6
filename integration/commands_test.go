package integration

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// TestCommandsPage compares doc/commands.md with what the server says of itself: each command of HELP, SITE
// HELP and FEAT has its row, and no row is of a command that is not there.
func TestCommandsPage(t *testing.T) {
	root, err := servers.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "doc", "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(string(page), -1) {
		for _, m := range regexp.MustCompile("`([A-Z0-9 ]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[m[1]] = true
		}
	}

	w := newWorld(t, localKind)
	g := newGateway(t, w)
	c := g.login(t, true)
	known := map[string]bool{}
	for _, line := range inner(t, c, 214, "HELP") {
		for verb := range strings.FieldsSeq(line) {
			known[verb] = true
		}
	}
	for _, line := range inner(t, c, 214, "SITE HELP") {
		if m := regexp.MustCompile(`^SITE ([A-Z]+)`).FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			known["SITE "+m[1]] = true
		}
	}
	if len(known) < 60 {
		t.Fatalf("HELP and SITE HELP name %d commands only: %q", len(known), slices.Sorted(maps.Keys(known)))
	}
	for _, line := range inner(t, c, 211, "FEAT") {
		feature, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if feature != "UTF8" && feature != "TVFS" && !known[feature] { // the two that are no commands
			t.Errorf("FEAT tells %q, which HELP does not know", feature)
		}
	}
	for _, verb := range slices.Sorted(maps.Keys(known)) {
		if !documented[verb] {
			t.Errorf("doc/commands.md has no row for %s", verb)
		}
	}
	for _, verb := range slices.Sorted(maps.Keys(documented)) {
		if !known[verb] {
			t.Errorf("doc/commands.md has a row for %s, which the server does not know", verb)
		}
	}
}

// inner returns the lines of a reply between its first and its last.
func inner(t *testing.T, c *clients.Conn, code int, command string) []string {
	t.Helper()
	r, err := c.Expect(code, command)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(r.Text, "\r\n"), "\r\n")
	if len(lines) < 3 {
		t.Fatalf("%s: %q is no list", command, r.Text)
	}
	return lines[1 : len(lines)-1]
}
