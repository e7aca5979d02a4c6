package main

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// Nothing that does not print reaches the log, in either format, and nothing that does is changed.
func TestLogPrints(t *testing.T) {
	const odd = "a\x1b[31m\u0085b\u2028\u202e\u009b\x7f\r\nlevel=ERROR"
	for _, format := range []string{"text", "json", "line"} {
		var out strings.Builder
		log, err := newLog(config.Log{Level: "info", Format: format, Prefix: config.DefaultPrefix}, false, &out)
		if err != nil {
			t.Fatal(err)
		}
		log.With("user", odd).Info(odd, "path", odd, "err", errors.New(odd), "name", "Jürgen 名前")
		got := out.String()
		if strings.Count(got, "\n") != 1 || strings.ContainsFunc(strings.TrimSuffix(got, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%s: %q", format, got)
		}
		if !strings.Contains(got, "Jürgen 名前") {
			t.Errorf("%s: %q has changed a proper name", format, got)
		}
	}
}
