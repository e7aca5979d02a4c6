package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestABrokenLineIsEndedAtTheStart(t *testing.T) {
	for before, want := range map[string]string{"": "", "{}\n": "{}\n", "{}\n{\"id\"": "{}\n{\"id\"\n"} {
		l := &logFile{name: filepath.Join(t.TempDir(), "events.jsonl")}
		if err := os.WriteFile(l.name, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.reopen(); err != nil {
			t.Fatal(err)
		}
		if err := endLine(l); err != nil {
			t.Errorf("%q: %v", before, err)
		}
		if got, err := os.ReadFile(l.name); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v", before, got, err)
		}
		l.f.Close()
	}
}
