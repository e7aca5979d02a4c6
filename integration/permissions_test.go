package integration

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// letters is what pyftpdlib's permissions mean: which command needs which letter, and how it is answered where it is there.
// Commands with "up" send a file, those with "down" receive one.
var letters = []struct {
	letter, line string
	code         int
	data         string
}{
	{"e", "CWD dir", 250, ""},
	{"e", "XCWD dir", 250, ""},
	{"e", "CDUP", 250, ""},
	{"e", "XCUP", 250, ""},
	{"l", "LIST", 226, "down"},
	{"l", "LIST dir", 226, "down"},
	{"l", "NLST", 226, "down"},
	{"l", "MLSD", 226, "down"},
	{"l", "MLST file", 250, ""},
	{"l", "STAT dir", 213, ""},
	{"l", "SIZE file", 213, ""},
	{"l", "MDTM file", 213, ""},
	{"r", "RETR file", 226, "down"},
	{"a", "APPE file", 226, "up"},
	{"d", "DELE file", 250, ""},
	{"d", "RMD dir", 250, ""},
	{"d", "XRMD dir", 250, ""},
	{"f", "RNFR file", 350, ""},
	{"m", "MKD new", 257, ""},
	{"m", "XMKD new", 257, ""},
	{"w", "STOR new", 226, "up"},
	{"w", "STOR file", 226, "up"},
	{"w", "STOU", 226, "up"},
	{"M", "SITE CHMOD 600 file", 200, ""},
	{"M", "MFF UNIX.mode=0600; file", 213, ""},
	{"T", "MFMT 20200102030405 file", 213, ""},
	{"T", "MFF modify=20200102030405; file", 213, ""},
	{"T", "SITE UTIME 20200102030405 file", 200, ""},
	// What pyftpdlib does not have, by what it does.
	{"r", "XMD5 file", 250, ""},
	{"r", "SITE CPFR file", 350, ""},
	{"l", "AVBL", 213, ""},
	{"", "PWD", 257, ""},
	{"", "XPWD", 257, ""},
	{"", "STAT", 211, ""},
	{"", "TYPE I", 200, ""},
	{"", "NOOP", 200, ""},
	{"", "ALLO 10", 0, ""},
	{"", "REST 0", 350, ""},
	{"", "SYST", 215, ""},
	{"", "FEAT", 211, ""},
	{"", "SITE HELP", 214, ""},
}

const allLetters = "elradfmwMT"

// fixture makes what the commands of the table are about. The directory itself stays: it may be the root of a session.
func fixture(t *testing.T, dir string) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(dir, "file"), []byte("old")); err != nil {
		t.Fatal(err)
	}
}

// order sends a command, with a data connection where it is let, and returns the last reply's code.
func order(t *testing.T, c *clients.Conn, line, data string) int {
	t.Helper()
	if data == "" {
		r, err := c.Cmd(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return r.Code
	}
	d, err := c.Transfer(t.Context(), line)
	if err != nil {
		if !strings.Contains(err.Error(), `got "550 Not enough privileges`) {
			t.Fatal(err)
		}
		return 550
	}
	if data == "up" {
		_, err = d.Write([]byte("new"))
	} else {
		_, err = io.Copy(io.Discard, d)
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := d.Close(); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	r, err := c.ReadReply()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r.Code
}

// TestPermissionLetters has, for each letter, a user who has nothing else and one who has everything else.
func TestPermissionLetters(t *testing.T) {
	w := newWorld(t, localKind)
	home := func(name string) string { return filepath.Join(w.dir, "disk", name) }
	var users []string
	for _, l := range allLetters {
		for _, u := range [][2]string{{"only-" + string(l), string(l)}, {"not-" + string(l), strings.ReplaceAll(allLetters, string(l), "")}} {
			fixture(t, home(u[0]))
			users = append(users, fmt.Sprintf("name: %s, password: %q, home: \"store:/{user}\", permissions: %s", u[0], "plain:"+password, u[1]))
		}
	}
	g := withUsers(t, w, users)
	for _, l := range allLetters {
		letter := string(l)
		for _, name := range []string{"only-" + letter, "not-" + letter} {
			has := letter
			if strings.HasPrefix(name, "not-") {
				has = strings.ReplaceAll(allLetters, letter, "")
			}
			c := g.as(t, name)
			for _, row := range letters {
				fixture(t, home(name))
				say(t, c, "TYPE I", 200)
				want := row.code
				if row.letter != "" && !strings.Contains(has, row.letter) {
					want = 550
				}
				got := order(t, c, row.line, row.data)
				if want == 0 {
					want = got // 200 and 202 are both good for a command that does nothing
				}
				if got != want || got >= 500 && want < 500 {
					t.Errorf("%s with %q: %d, want %d", row.line, has, got, want)
				}
				if want == 550 { // and nothing has happened
					if b, err := os.ReadFile(filepath.Join(home(name), "file")); err != nil || string(b) != "old" {
						t.Errorf("%s with %q: the file is %q, %v", row.line, has, b, err)
					}
					if _, err := os.Stat(filepath.Join(home(name), "new")); err == nil {
						t.Errorf("%s with %q has made something", row.line, has)
					}
				}
				if row.line == "RNFR file" && want == 350 {
					say(t, c, "RNTO renamed", 250)
				}
				if row.letter == "e" && want == 250 {
					say(t, c, "CWD /", 250)
				}
			}
		}
	}
}

// TestOverrides gives other letters in some directories, to the files in them or to all that is below.
func TestOverrides(t *testing.T) {
	w := newWorld(t, localKind)
	disk := filepath.Join(w.dir, "disk")
	for _, d := range []string{"in/sub", "deep/a/b", "deep/secret/x"} {
		fixture(t, filepath.Join(disk, d))
	}
	for _, d := range []string{"in", "deep", "deep/secret"} {
		if err := writeFile(filepath.Join(disk, d, "file"), []byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	g := withUsers(t, w, []string{`name: joe, …, permissions: elr, overrides: [{path: /in, permissions: elrw}, ` +
		`{path: /deep, permissions: elradfmwMT, recursive: true}, {path: /deep/secret, permissions: "", recursive: true}]`})
	c := g.as(t, "joe")
	say(t, c, "TYPE I", 200)
	for _, tt := range []struct {
		line, data string
		code       int
	}{
		{"STOR top", "up", 550},
		{"STOR in/new", "up", 226},
		{"STOR in/file", "up", 226},
		{"DELE in/file", "", 550},
		{"STOR in/sub/new", "up", 550}, // not recursive
		{"MKD in/dir", "", 550},
		{"CWD in/sub", "", 250},
		{"STOR new", "up", 550},
		{"CWD /", "", 250},
		{"STOR deep/a/b/new", "up", 226},
		{"DELE deep/a/b/new", "", 250},
		{"MKD deep/a/made", "", 257},
		{"LIST deep/secret", "down", 550},
		{"RETR deep/secret/file", "down", 550},
		{"RETR deep/secret/x/file", "down", 550},
		{"CWD deep/secret/x", "", 550},
		{"RETR deep/../deep/./secret/file", "down", 550},
		{"RNFR deep", "", 550}, // its content would leave the override behind
		{"RNFR deep/a", "", 350},
	} {
		if got := order(t, c, tt.line, tt.data); got != tt.code {
			t.Errorf("%s: %d, want %d", tt.line, got, tt.code)
		}
	}
}
