package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A port can be listened on once, however its addresses are written.
func TestSamePort(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems have other rules")
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{":21", "10.0.0.1:21", true},
		{":21", "[::1]:21", true},
		{"[::]:21", "0.0.0.0:21", true},
		{"0.0.0.0:21", "127.0.0.1:21", true},
		{"0.0.0.0:21", "[::1]:21", false},
		{"127.0.0.1:21", "[::ffff:127.0.0.1]:21", true},
		{"127.0.0.1:21", "127.0.0.2:21", false},
		{"127.0.0.1:21", "localhost:21", false},
		{":21", "localhost:21", true},
		{":21", "10.0.0.1:2121", false},
		{":0", "127.0.0.1:0", false},
		{":21", "nonsense", false},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got := samePort(pair[0], pair[1]); got != c.want {
				t.Errorf("samePort(%q, %q) = %v, want %v", pair[0], pair[1], got, c.want)
			}
		}
	}
	c, report := Parse("c.yaml", []byte("listeners:\n- {address: ':21'}\n- {address: '10.0.0.1:21'}\nmetrics: {address: '127.0.0.1:21'}\n"), os.LookupEnv)
	want := `c.yaml:3: listeners[1].address: listeners[0] (:21) has the port on this address already (hint: choose another port, or name an address in each)
c.yaml:4: metrics.address: :21 is a listener for FTP as well
`
	if report = append(report, c.Check()...); !strings.HasSuffix(report.String(), want) {
		t.Errorf("got\n%s\nwant\n%s", report, want)
	}
}

// Programs are files like others: their names are relative to the document.
func TestProgramsAreRelativeToTheDocument(t *testing.T) {
	for file, want := range map[string]string{"c.yaml": "./bin/a", "etc/c.yaml": "etc/bin/a", "/etc/c.yaml": "/etc/bin/a"} {
		c, report := Parse(file, []byte(`events: {commands: [{name: a, command: [./bin/a, ./b]}, {name: b, command: [a]}, {name: c, command: [/bin/a]}]}`), os.LookupEnv)
		if report.Failed() {
			t.Fatal(report)
		}
		for i, want := range []string{want, "a", "/bin/a"} {
			if got := c.Events.Commands[i].Command[0]; got != filepath.FromSlash(want) {
				t.Errorf("%s: program %d is %q, want %q", file, i, got, want)
			}
		}
		if got := c.Events.Commands[0].Command[1]; got != "./b" {
			t.Errorf("%s: an argument became %q", file, got)
		}
	}
}

func selfSigned(t *testing.T, until time.Time) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ftp.example.com"},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kb})
}

func TestMissingFile(t *testing.T) {
	c, report := Load(filepath.Join(t.TempDir(), "gone.yaml"))
	if c == nil || !report.Failed() || !strings.Contains(report.String(), "gone.yaml: cannot open: no such file or directory") {
		t.Errorf("Load of a missing file: %v, %q", c, report)
	}
}

func TestValues(t *testing.T) {
	env := map[string]string{"PW": `a"b: ${PW} #c`, "PORT": "2100"}
	c, report := Parse("/etc/ftp/gw.yaml", []byte(`
listeners: [{address: ":${PORT}"}]
passive:
  address: {10.0.0.1: 203.0.113.7, "::1": ftp.example.com}
  ports: 30000-30099
limits: {idle: 1h30m, login_delay: 0}
memory: {upload_budget: 1.5GiB}
common: &c {password: 0123}
users:
- {name: 007, password: "$argon2id$v=19$m=1,t=1,p=1$abc$def", home: "d:/{user}"}
- {name: no, password: "${PW}", home: "d:/$${x}"}
- {<<: {permissions: elr, home: "x:/"}, name: m, home: "d:/"}
tls: {certificates: [{cert: a.pem, key: /k.pem}]}
backends: {d: {type: local, path: srv}}
anonymous: {home: "d:/"}
`), func(n string) (string, bool) { v, ok := env[n]; return v, ok })
	if len(report) != 1 || report[0].Path != "common" {
		t.Fatalf("report: %v, want only the unknown key common", report)
	}
	for _, tt := range []struct{ what, got, want string }{
		{"address", c.Listeners[0].Address, ":2100"},
		{"by local", c.Passive.Address.ByLocal[netip.MustParseAddr("10.0.0.1")], "203.0.113.7"},
		{"by local", c.Passive.Address.ByLocal[netip.MustParseAddr("::1")], "ftp.example.com"},
		{"ports", c.Passive.Ports.String(), "30000-30099"},
		{"idle", c.Limits.Idle.String(), "1h30m0s"},
		{"login_delay", c.Limits.LoginDelay.String(), "0s"},
		{"budget", c.Memory.UploadBudget.String(), "1536MiB"},
		{"name", c.Users[0].Name, "007"},
		{"hash", string(c.Users[0].Password), "$argon2id$v=19$m=1,t=1,p=1$abc$def"},
		{"default permissions", c.Users[0].Permissions, "elradfmwMT"},
		{"name", c.Users[1].Name, "no"},
		{"variable", string(c.Users[1].Password), `a"b: ${PW} #c`},
		{"escape", c.Users[1].Home, "d:/${x}"},
		{"merged", c.Users[2].Permissions, "elr"},
		{"not merged", c.Users[2].Home, "d:/"},
		{"cert", string(c.TLS.Certificates[0].Cert), "/etc/ftp/a.pem"},
		{"key", string(c.TLS.Certificates[0].Key), "/k.pem"},
		{"path", string(c.Backends["d"].Local.Path), "/etc/ftp/srv"},
		{"cut", c.Backends["d"].Local.Cut, "keep"},
		{"anonymous permissions", c.Anonymous.Permissions, "elr"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := Default()
	c.Users = []User{{Name: "a", Password: "geheim"}}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "user", c.Users[0], "password", c.Users[0].Password)
	for how, out := range map[string]string{"%v": fmt.Sprintf("%v", c.Users), "%+v": fmt.Sprintf("%+v", c.Users), "%#v": fmt.Sprintf("%#v", c.Users),
		"json": string(j), "slog": log.String()} {
		if strings.Contains(out, "geheim") {
			t.Errorf("%s shows the password: %s", how, out)
		}
	}
}

func TestProblemPlace(t *testing.T) {
	c, _ := Parse("f.yaml", []byte("backends:\n  b:\n    type: s3\n    bucket: x\n"), noEnv)
	for path, line := range map[string]int{"backends.b.bucket": 4, "backends.b.region": 2, "backends.z": 1, "users[3].home": 0, "": 0} {
		if p := c.Problem(path, "text", ""); p.Line != line || p.File != "f.yaml" {
			t.Errorf("Problem(%q) is at %s:%d, want line %d", path, p.File, p.Line, line)
		}
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "4096": 4096, "256MiB": 256 << 20, "2MB": 2e6, "1.5 KiB": 1536, "10B": 10, "1TiB": 1 << 40, "3kB": 3000} {
		if got, err := ParseSize(in); err != nil || int64(got) != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "-1", "MiB", "1e3", "0x10", "Inf", "NaN", "99999999999TiB", "9.9e99GiB", "1.2.3", "5Mib"} {
		if got, err := ParseSize(bad); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", bad, got)
		}
	}
}

// An alias of aliases of aliases ends with a message, not with all memory.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: 1}\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {<<: [%s]}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	b.WriteString("<<: *a39\n")
	if _, report := Parse("bomb.yaml", []byte(b.String()), noEnv); !report.Failed() {
		t.Error("the document was accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Defaults()))
	f.Add([]byte("users: [{name: a, password: '${X}', home: 'b:/'}]\nbackends: {b: {type: s3, bucket: x}}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("<<: &x {<<: *x}\n"))
	f.Add([]byte("passive: {address: {1.2.3.4: a}}\nbackends: {x: {type: ~}}\nlisteners: [~]\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, report := Parse("f.yaml", doc, func(string) (string, bool) { return "v", true })
		for _, p := range report {
			if p.Text == "" || p.Line < 0 {
				t.Errorf("empty problem %+v", p)
			}
		}
		for _, u := range c.Users { // reading files is not for the fuzzer
			if u.PasswordFile != "" {
				return
			}
		}
		_, _ = c.Check().Failed(), report.String()
	})
}
