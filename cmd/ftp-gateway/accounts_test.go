package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// TestMissingFileOfAPasswordIsWatched: a user is added whose password comes a moment later.
func TestMissingFileOfAPasswordIsWatched(t *testing.T) {
	for _, inDocument := range []bool{false, true} {
		dir := t.TempDir()
		put := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		const one, two = `- {name: one, password: "plain:a long secret", home: "disk:/"}` + "\n", `- {name: two, password_file: secret, home: "disk:/"}` + "\n"
		names := func(users string) {
			t.Helper()
			text := "listeners: [{address: \"127.0.0.1:0\"}]\nbackends: {disk: {type: local, path: .}}\n"
			if inDocument {
				put("doc.yaml", text+"users:\n"+users)
				return
			}
			put("users.yaml", users)
			put("doc.yaml", text+"users_file: users.yaml\n")
		}
		names(one)
		cfg, report := config.Load(filepath.Join(dir, "doc.yaml"))
		if report.Failed() {
			t.Fatal(report)
		}
		d := start(t, nil, "serve", "--config", cfg.File())
		d.wait(`msg=started`)
		names(one + two)
		d.wait(`the users are not read anew`)
		put("secret", "plain:another long secret")
		d.wait(`msg="users read" users=2`)
		// And again: what is removed and comes back.
		if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
			t.Fatal(err)
		}
		d.wait(`the users are not read anew`)
		put("secret", "plain:another long secret")
		d.wait(`msg="users read" users=2`)
	}
}
