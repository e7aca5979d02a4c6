package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/events"
)

// What check accepts in the arguments of programs is what events fill in.
func TestEventFieldsAreFilledIn(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	c, err := events.NewCommand(append([]string{"/bin/sh", "-c", `printf '%s\n' "$@" > '` + out + `'; env >> '` + out + `'`, "sh"}, eventFields...), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(context.Background(), events.Event{Type: "received"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range eventFields {
		if strings.Contains(string(got), f+"\n") {
			t.Errorf("%s is not filled in", f)
		}
	}
	for line := range strings.Lines(string(got)) {
		name, ok := strings.CutPrefix(strings.SplitN(line, "=", 2)[0], "FTP_")
		if field := "{" + strings.ToLower(name) + "}"; ok && name != "EVENT" && !strings.Contains(strings.Join(eventFields, " "), field) {
			t.Errorf("%s is unknown to check", field)
		}
	}
}
