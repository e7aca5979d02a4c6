package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEmptyUsersFile looks at what a full disk, or who is about to write, leaves of a file of users: it does not say that there are none.
func TestEmptyUsersFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.yaml")
	for text, fails := range map[string]bool{
		"": true, "\n": true, "# being edited\n": true,
		"[]\n": false, "users: []\n": false, "- {name: ann, password: \"plain:x\", home: \"disk:/\"}\n": false,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := &Config{UsersFile: []Path{Path(file)}, Backends: map[string]Backend{"disk": {Local: &Local{Path: "/srv/ftp"}}}}
		if _, r := c.ReadUsers(); r.Failed() != fails || fails && !strings.Contains(r.String(), "empty") {
			t.Errorf("%q: %s, want failure %v", text, r, fails)
		}
	}
}
