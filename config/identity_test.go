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

// TestUsersFileTwice names one file twice, which is one mistake and not one for each of its users.
func TestUsersFileTwice(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"users.yaml": "- {name: ann, password: \"plain:x\", home: \"disk:/\"}\n- {name: bob, password: \"plain:x\", home: \"disk:/\"}\n",
		"htpasswd":   "joe:$2y$05$x\n",
		"c.yaml":     "backends: {disk: {type: local, path: .}}\nusers_file:\n- users.yaml\n- ./users.yaml\nhtpasswd:\n- {file: htpasswd, account: {home: 'disk:/'}}\n- {file: htpasswd, account: {home: 'disk:/x'}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "c.yaml")
	c, report := Load(file)
	if report.Failed() {
		t.Fatal(report)
	}
	sets, report := c.ReadUsers()
	want := file + ":4: users_file[1]: " + filepath.Join(dir, "users.yaml") + " is the file of users_file[0] already\n" +
		file + ":7: htpasswd[1].file: " + filepath.Join(dir, "htpasswd") + " is the file of htpasswd[0].file already\n"
	if report.String() != want || len(sets) != 3 {
		t.Errorf("%d sets and\n%s\nwant 3 and\n%s", len(sets), report, want)
	}
}
