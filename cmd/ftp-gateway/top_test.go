package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ftp-gateway/ftp-gateway/admin"
)

func someStatus(now time.Time) *admin.Status {
	until := now.Add(90 * time.Second)
	upload := func(id uint64, user string, bytes int64) admin.Session {
		return admin.Session{ID: id, User: user, Remote: "192.0.2.7:40000", TLS: true, Since: now.Add(-time.Hour),
			Command: &admin.Command{Verb: "STOR", Path: "/a.jpg", Since: time.Unix(1000, 0), Transfer: &admin.Transfer{Upload: true, Bytes: bytes, Rate: 10}}}
	}
	return &admin.Status{Version: "v1", PID: 12, Started: now.Add(-25 * time.Hour), Now: now, Limit: 512,
		Sessions: []admin.Session{upload(1, "zoe", 3<<20), {ID: 2, Claimed: "x\x1b[2J\n", Remote: "[2001:db8::7]:1", Since: now, Idle: 75},
			upload(3, "ann", 5<<20)},
		Bans: []admin.Ban{{Network: "192.0.2.9/32", Until: until}}, Slowed: []admin.Slowed{{User: "joe\u202e", Failures: 40, Until: until}},
		Memory: &admin.Memory{Limit: 256 << 20, InUse: 1 << 20, Reserved: 2 << 20, Waiting: 3}, Backends: []admin.Backend{{Name: "cams", Health: "failed"}},
		Log: admin.Log{Level: "info", Debug: []admin.Debug{{User: "cam7", Until: &until}}}}
}

func TestView(t *testing.T) {
	now := time.Unix(2000, 0)
	v := &view{}
	v.take(someStatus(now))
	all := strings.Join(v.lines(0, 0), "\n")
	for _, want := range []string{
		"ftp-gateway v1, pid 12, up 1d01h", "sessions 3 of 512, uploads 2 (20B/s), downloads 0", "memory of uploads 1.0M of 256M, 2.0M reserved, 3 waiting",
		"back ends cams failed", "banned 1: 192.0.2.9/32 for 1m30s", `slowed users 1: joe\u202e for 1m30s (40 guesses)`, "log info, debug: user cam7 for 1m30s",
		`(x\x1b[2J\n)`, "[2001:db8::7]:1", "1m15s", "3.0M", "STOR /a.jpg",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
	if strings.ContainsFunc(strings.ReplaceAll(all, "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("what does not print is shown: %q", all)
	}
	// Two seconds later one has moved 2 MiB.
	next := someStatus(now.Add(2 * time.Second))
	next.Sessions[2].Command.Transfer.Bytes += 2 << 20
	v.take(next)
	if v.rates[3] != 1<<20 || v.rates[1] != 0 {
		t.Errorf("rates %v", v.rates)
	}
	order := func(key byte) (ids []byte) {
		v.sort = key
		for _, l := range v.sessions() {
			ids = append(ids, strings.TrimSpace(l)[0])
		}
		return ids
	}
	for key, want := range map[byte]string{'i': "123", 'u': "321", 'b': "312", 'r': "312", 't': "213", 'a': "132", '?': "123"} {
		if got := string(order(key)); got != want {
			t.Errorf("order %c: %s, want %s", key, got, want)
		}
	}
	lines := v.lines(20, 10)
	if len(lines) != 10 || slices.ContainsFunc(lines, func(l string) bool { return len([]rune(l)) > 20 }) || !strings.HasPrefix(lines[9], "q quit") {
		t.Errorf("20 by 10: %q", lines)
	}
	if lines := v.lines(80, 1); len(lines) != 1 {
		t.Errorf("80 by 1: %q", lines)
	}
	// Another process: nothing to compare with.
	next.PID = 13
	v.take(next)
	if v.rates[3] != 10 {
		t.Errorf("rates of a new process: %v", v.rates)
	}
}

// A server that does not answer leaves the keys alone, and a key that means nothing the order.
func TestTopOfAServerThatHangs(t *testing.T) {
	ctx := t.Context()
	asked, ended := make(chan bool), make(chan bool)
	ask := func(ctx context.Context) (*admin.Status, error) {
		asked <- true
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}
	v := &view{}
	v.take(someStatus(time.Unix(2000, 0)))
	keys, tick, done := make(chan byte), make(chan time.Time), make(chan error)
	go func() { done <- v.loop(ctx, ask, keys, tick, func(*view) error { return nil }) }()
	tick <- time.Time{}
	<-asked
	tick <- time.Time{} // asks no second time
	for _, k := range []byte("u?q") {
		keys <- k
	}
	if err := <-done; err != nil || v.sort != 'u' {
		t.Errorf("%v, order %c", err, v.sort)
	}
	<-ended
}

func TestPrintJSON(t *testing.T) {
	const name = "a\u009b\u202e\U000e0001ü\x1b"
	var out strings.Builder
	if err := printJSON(&out, admin.Session{User: name}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("what does not print is printed: %q", out.String())
	}
	var s admin.Session
	if err := json.Unmarshal([]byte(out.String()), &s); err != nil || s.User != name {
		t.Errorf("%q, %v; want %q", s.User, err, name)
	}
}

func TestFindSocket(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	// That a secret cannot be read is no matter here.
	good := file("good.yaml", "admin: {socket: /tmp/s}\nbanner: ${NO_SUCH_VARIABLE}\n")
	none := file("none.yaml", "banner: x\n")
	tests := []struct {
		name, env string
		flags     socketFlags
		want      string
		err       string
	}{
		{"nothing", "", socketFlags{}, defaultSocket, ""},
		{"socket", good, socketFlags{socket: "/x", config: none}, "/x", ""},
		{"config", none, socketFlags{config: good}, "/tmp/s", ""},
		{"environment", good, socketFlags{}, "/tmp/s", ""},
		{"none in it", "", socketFlags{config: none}, "", "there is no admin.socket"},
		{"no file", "", socketFlags{config: filepath.Join(dir, "gone")}, "", "cannot open"},
	}
	for _, tt := range tests {
		got, err := tt.flags.find(func(string) (string, bool) { return tt.env, tt.env != "" })
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v; want %q, %q", tt.name, got, err, tt.want, tt.err)
		}
	}
}
