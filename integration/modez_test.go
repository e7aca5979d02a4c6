package integration

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// zlibOf is b as a client sends it in MODE Z.
func zlibOf(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// lftp compresses files and listings, both ways, in clear text and under TLS, and resumes in the middle.
func TestModeZ(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{s3Kind, gcsKind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w)
			want := append(random(3, 1<<20), bytes.Repeat([]byte("the same line of a log again\n"), 200_000)...)
			dir := t.TempDir()
			file := filepath.Join(dir, "log")
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, tls := range []bool{false, true} {
				settings := "set ftp:ssl-allow false"
				if tls {
					settings = fmt.Sprintf("set ftp:ssl-force true; set ftp:ssl-protect-data true; set ssl:ca-file %q", w.certs.CA)
				}
				name := fmt.Sprintf("log-%v", tls)
				back := filepath.Join(dir, "back-"+name)
				if err := os.WriteFile(back, want[:500_000], 0o600); err != nil {
					t.Fatal(err)
				}
				script := fmt.Sprintf(`set cmd:fail-exit true; set net:max-retries 1; set ftp:use-mode-z yes; %s; `+
					`open -u %s,%q -p %d localhost; put %q -o %s; get -c %s -o %q; cls -1; cache flush; ls`,
					settings, user, password, g.target.Port, file, name, name, back)
				out, err := command(t, "", "lftp", "--norc", "-c", script)
				if err != nil || strings.Count(out, name) < 2 {
					t.Fatalf("lftp: %v\n%s", err, out)
				}
				w.wantObject(t, name, want)
				if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, want) {
					t.Errorf("lftp got %d bytes, %v, want %d", len(got), err, len(want))
				}
			}
			log := g.Log()
			for _, verb := range []string{"STOR", "RETR", "LIST"} {
				if n := len(regexp.MustCompile(`msg=`+verb+` .*result=done .*compressed=[1-9]`).FindAllString(log, -1)); n < 2 {
					t.Errorf("%d compressed %s in the log, want one in clear text and one under TLS", n, verb)
				}
			}
		})
	}
}

// What is cut, damaged or a bomb in MODE Z is never published.
func TestModeZRefused(t *testing.T) {
	for _, kind := range []string{s3Kind, gcsKind, atomicKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w, "limits: {expansion: 50}")
			c := g.login(t, true)
			if _, err := c.Expect(200, "MODE Z"); err != nil {
				t.Fatal(err)
			}
			good := zlibOf(t, random(4, 300_000))
			old := []byte("the old one")
			for name, tt := range map[string]struct {
				wire []byte
				code int
			}{
				"cut":      {good[:len(good)-5], 426},
				"empty":    {nil, 426},
				"followed": {append(bytes.Clone(good), "x"...), 426},
				"plain":    {[]byte("no zlib stream"), 426},
				"bomb":     {zlibOf(t, make([]byte, 40<<20)), 552},
			} {
				if r, err := c.Store(t.Context(), name, zlibOf(t, old)); err != nil || r.Code != 226 {
					t.Fatalf("%s: %v, %v", name, r, err)
				}
				d, err := c.Transfer(t.Context(), "STOR "+name)
				if err != nil {
					t.Fatal(err)
				}
				d.Write(tt.wire) // the bomb is refused before its end
				d.Close()
				if r, err := c.ReadReply(); err != nil || r.Code != tt.code {
					t.Errorf("%s: %v, %v, want %d", name, r, err, tt.code)
				}
				w.wantObject(t, name, old)
			}
			w.wantNoUploads(t)
			if r, err := c.Store(t.Context(), "good", good); err != nil || r.Code != 226 {
				t.Errorf("afterwards: %v, %v", r, err)
			}
		})
	}
}

// mode_z: false is a server without MODE Z, for lftp too.
func TestModeZOff(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "mode_z: false")
	c, err := clients.Login(t.Context(), g.target)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Cmd("FEAT"); err != nil || strings.Contains(r.Text, "MODE Z") {
		t.Errorf("FEAT: %q, %v", r.Text, err)
	}
	if _, err := c.Expect(504, "MODE Z"); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("plain"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, "", "lftp", "--norc", "-c", fmt.Sprintf(
		`set cmd:fail-exit true; set net:max-retries 1; set ftp:use-mode-z yes; set ftp:ssl-allow false; open -u %s,%q -p %d localhost; put %q`,
		user, password, g.target.Port, file))
	if err != nil {
		t.Errorf("lftp: %v\n%s", err, out)
	}
	w.wantObject(t, "f", []byte("plain"))
}
