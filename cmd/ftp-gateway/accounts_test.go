package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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

// TestFileThatNeverAnswers: what hangs in the place of the users keeps the server neither from logins nor from its end.
func TestFileThatNeverAnswers(t *testing.T) {
	dir := t.TempDir()
	users, doc := filepath.Join(dir, "users.yaml"), filepath.Join(dir, "doc.yaml")
	for name, text := range map[string]string{users: `[{name: one, password: "plain:a long secret", home: "disk:/"}]`,
		doc: "listeners: [{address: \"127.0.0.1:0\"}]\nbackends: {disk: {type: local, path: .}}\nusers_file: users.yaml\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := start(t, nil, "serve", "--config", doc)
	address := d.wait(`msg=listening address=(\S+)`)[1]
	d.wait(`msg=started`)
	if err := os.Remove(users); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("mkfifo", users).Run(); err != nil {
		t.Fatal(err)
	}
	d.cmd.Process.Signal(syscall.SIGHUP)
	d.wait(`do not answer`)
	dial(t, address, "one", "a long secret").Close()
	if code := d.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit %d", code)
	}
}
