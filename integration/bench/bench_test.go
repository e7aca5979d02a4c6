package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRun measures everything once, in small: every peer starts, serves every
// measurement, and gets its figure. What the figures are is nobody's concern here.
func TestRun(t *testing.T) {
	doc := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(doc, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// A server may serve below it as somebody else.
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var out, progress strings.Builder
	err := run(t.Context(), []string{"-rounds", "2", "-big", "11", "-files", "60", "-logins", "20", "-entries", "300", "-listings", "2",
		"-idle", "30", "-hold", "10ms", "-dir", dir, "-doc", doc}, &out, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	t.Log("\n" + out.String())
	lines := strings.Split(out.String(), "\n")
	for _, want := range []struct {
		start   string
		figures int // cells that have one, medians only
	}{
		{"| 11 MiB in ", 2}, {"| 11 MiB out ", 2},
		{"| Files of 10 KiB in, 1 client ", 2}, {"| Files of 10 KiB out, 50 clients ", 2},
		{"| Logins", 2}, {"| LIST of 300", 2}, {"| MLSD of 300", 1}, {"| Memory of an idle session", 2},
	} {
		found := 0
		for _, l := range lines {
			if strings.HasPrefix(l, want.start) {
				found++
				if n := strings.Count(l, "**") / 2; n != want.figures {
					t.Errorf("%q has %d figures, want %d", l, n, want.figures)
				}
			}
		}
		if found == 0 {
			t.Errorf("no line %q", want.start)
		}
	}
	b, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), "before\n"+beginMark+"\n"+out.String()+endMark+"after\n"; got != want {
		t.Errorf("the document is\n%s\nwant\n%s", got, want)
	}
	if rest, err := os.ReadDir(dir); err != nil || len(rest) > 0 {
		t.Errorf("left behind: %v, %v", rest, err)
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown peer":        {"-peers", "nobody"},
		"unknown measurement": {"-only", "big,huge"},
		"no round":            {"-rounds", "0"},
		"argument":            {"extra"},
		"file above a part":   {"-size", "99999999"},
	} {
		var errs strings.Builder
		if o, err := parseOptions(args, &errs); err == nil {
			t.Errorf("%s: parseOptions(%q) = %+v, want an error", name, args, o)
		}
	}
}

func TestTable(t *testing.T) {
	m := &meter{options: options{peers: []string{"ftp-gateway", "vsftpd"}}, seen: map[cell][]figure{
		{"speed", "ftp-gateway"}: {{30, 2}, {10, 1}, {20, 9}},
		{"speed", "vsftpd"}:      {{40, 4}, {40, 4}, {40, 4}},
		{"cost", "ftp-gateway"}:  {{5, -1}},
		{"cost", "vsftpd"}:       {{50, -1}},
		{"alone", "ftp-gateway"}: {{1234, 0.5}},
	}, lines: []line{
		{kind: onDisk, what: "speed", unit: "MiB/s", cpuUnit: "ms/MiB"},
		{kind: onDisk, what: "cost", unit: "KiB", lower: true},
		{kind: onDisk, what: "alone", unit: "files/s", cpuUnit: "ms/file"},
	}}
	var b strings.Builder
	m.write(&b)
	want := `### A directory of this machine

|  | unit | ftp-gateway | vsftpd | against vsftpd | CPU, ftp-gateway | CPU, vsftpd |
|---|---|---:|---:|---:|---:|---:|
| speed | MiB/s | **20.0** (10.0–30.0) | **40.0** (40.0–40.0) | 0.50 | 2.00 ms/MiB | 4.00 ms/MiB |
| cost | KiB | **5.00** | **50.0** | 10.00 |  |  |
| alone | files/s | **1234** | – | – | 0.500 ms/file |  |

`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestParseStat(t *testing.T) {
	s, err := parseStat("42 (a) b) (c) Z 7 42 42 0 -1 4194304 1 2 3 4 150 25 1000 500 20 0 1 0 99 0 0\n")
	want := stat{"Z", 7, 1750 * time.Millisecond, 15 * time.Second}
	if err != nil || s != want {
		t.Errorf("parseStat = %+v, %v; want %+v", s, err, want)
	}
	if s, err := parseStat("42 (x) S 1"); err == nil {
		t.Errorf("a short line gives %+v, want an error", s)
	}
}

// TestOrphansAreCounted lets a process use CPU time whose parent ends before it: its time must
// not get lost.
func TestOrphansAreCounted(t *testing.T) {
	if err := adoptOrphans(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p, stop := startShell(t, `sh -c 'i=0; (while [ $i -lt 300000 ]; do i=$((i+1)); done) & exit' ; exec sleep 1000`)
	defer stop()
	before := p.orphans
	// The loop may not have begun: wait for the first CPU time, then for the end of everything but the sleep.
	for p.orphans == before {
		if err := p.settle(ctx); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Fatal("the orphan was not adopted")
		}
	}
	all, err := p.cpu()
	if err != nil {
		t.Fatal(err)
	}
	if p.orphans < 10*time.Millisecond || all < p.orphans {
		t.Errorf("orphans used %v of %v; want the time of 300,000 rounds of a shell's loop", p.orphans, all)
	}
}
