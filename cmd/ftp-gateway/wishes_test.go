package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// An account's own wish goes before the profile's of its session, that before the back end's setting; what the back end cannot
// do is told once.
func TestWishes(t *testing.T) {
	cfg, report := config.Parse("", []byte(`
backends: {s: {type: s3, bucket: b, region: r}, d: {type: local, path: /}}
profiles: {p: {cut: resume, publish_on_rename: ["*.tmp -> *"]}}
`), func(string) (string, bool) { return "", false })
	if report.Failed() {
		t.Fatal(report)
	}
	var log bytes.Buffer
	wish := func(name, set string) *wishes {
		return &wishes{cfg: cfg, log: slog.New(slog.NewTextHandler(&log, nil)), name: name, cut: set}
	}
	s, d := wish("s", "discard"), wish("d", "keep")
	for _, c := range []struct {
		w     *wishes
		a     auth.Account
		cut   string
		rules int
	}{
		{s, auth.Account{}, "discard", 0},
		{s, auth.Account{Device: "default"}, "discard", 0},
		{s, auth.Account{Device: "p"}, "resume", 1},
		{s, auth.Account{Device: "p", Cut: "discard", Publish: []string{}}, "discard", 0},
		{s, auth.Account{Cut: "resume", Publish: []string{"*.a -> *", ".in.* -> *"}}, "resume", 2},
		{s, auth.Account{Device: "p", Overwrite: "rename"}, "resume", 0},
		{d, auth.Account{}, "keep", 0},
		{d, auth.Account{Cut: "discard"}, "discard", 0},
	} {
		if got := c.w.cutOf(&c.a); got != c.cut {
			t.Errorf("%+v: cut %q, want %q", c.a, got, c.cut)
		}
		if got := c.w.publish(&c.a); len(got) != c.rules {
			t.Errorf("%+v: rules %v, want %d", c.a, got, c.rules)
		}
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", &log)
	}
	for range 3 {
		if got := d.cutOf(&auth.Account{Name: "cam7", Cut: "resume"}); got != "keep" {
			t.Errorf("what a disk cannot do: %q", got)
		}
	}
	if d.localCut(&auth.Account{Cut: "resume"}) != local.CutKeep || d.localCut(&auth.Account{Cut: "discard"}) != local.CutDiscard {
		t.Error("localCut")
	}
	if n := strings.Count(log.String(), "cannot do with cut uploads"); n != 1 || !strings.Contains(log.String(), "cam7") {
		t.Errorf("told %d times: %s", n, &log)
	}
}
