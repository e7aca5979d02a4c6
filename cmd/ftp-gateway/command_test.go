package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ftp-gateway-test")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "ftp-gateway")
		if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// call runs the binary to its end.
func call(t *testing.T, stdin string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string // in the error output
	}{
		{"--no-such-option", "unknown flag: --no-such-option"},
		{"sevre", `unknown command "sevre"`},
		{"serve", "give --config FILE or set FTP_GATEWAY_CONFIG"},
		{"check", "give --config FILE or set FTP_GATEWAY_CONFIG"},
		{"check --config x y", "unknown command"},
		{"config", `"config defaults"`},
		{"config", `"config schema"`},
		{"-p 70000", "--port 70000 is no port"},
		{"-p x", "invalid argument"},
		{"-u cam7", "--username needs --password"},
		{"-P secret", "--password needs --username"},
		{"-r 9000-8000", "--range: the range of ports 9000-8000 ends before it begins"},
		{"--concurrency threads", "is not one of async, pre-fork, multi-thread, multi-proc"},
		{"--tls", "--tls needs --certfile"},
		{"--certfile x.pem", "need --tls"},
		{"--timeout soon", `--timeout: "soon" is neither`},
		{"-d ftp://host/dir", "is neither a directory nor s3:// nor gs://"},
		{"-d s3:///prefix", "is not s3://bucket/prefix"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			code, out, errs := call(t, "", []string{"FTP_GATEWAY_CONFIG=", "FTP_GATEWAY_PASSWORD="}, strings.Fields(tt.args)...)
			if code != exitUsage || !strings.Contains(errs, tt.want) || out != "" {
				t.Errorf("exit %d, output %q, errors %q; want exit 2 and %q", code, out, errs, tt.want)
			}
		})
	}
}

// Mistakes that are no matter of usage are told in the words of the options.
func TestQuickRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	for _, tt := range []struct{ args, want string }{
		{"-d /no/such/directory", "--directory: /no/such/directory: cannot stat: no such file or directory"},
		{"--tls --certfile /no/such.pem", "--certfile: /no/such.pem: cannot open: no such file or directory"},
		{"--encoding klingon", `--encoding: unknown encoding "klingon"`},
		{"-n not/a/host", `--nat-address: "not/a/host" is neither an IPv4 address nor a host name`},
		{"-u ../x -P y", `--username: user name "../x" holds a slash`},
		{"-i 127.0.0.1 -p " + port, "--interface, --port: the address 127.0.0.1:" + port + " is in use"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			code, _, errs := call(t, "", nil, strings.Fields(tt.args)...)
			if code != exitRefused || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, errors %q; want exit 1 and %q", code, errs, tt.want)
			}
		})
	}
}

// A certificate without a key is told in the words of the options, too.
func TestQuickCertificateWithoutKey(t *testing.T) {
	block, _ := pem.Decode(selfSigned(t, 1))
	file := write(t, "cert.pem", string(pem.EncodeToMemory(block)))
	code, _, errs := call(t, "", nil, "--tls", "--certfile", file)
	if want := "(hint: the file has to hold the key too, or name it with --keyfile)"; code != exitRefused || !strings.Contains(errs, "--certfile: ") || !strings.Contains(errs, want) {
		t.Errorf("exit %d, errors %q; want exit 1 and %q", code, errs, want)
	}
}

// What a user's certificate is said to be is checked with the rest.
func TestCheckCertificate(t *testing.T) {
	file := write(t, "both.pem", string(selfSigned(t, 1)))
	conf := func(certificate string) string {
		return write(t, "c.yaml", fmt.Sprintf(`listeners: [{address: ":2121", tls: {client_auth: require, min: "1.0"}}]
tls: {certificates: [{cert: %q}], client_ca: %q}
backends: {disk: {type: local, path: .}}
users: [{name: a, certificate: %q, home: "disk:/"}]
`, file, file, certificate))
	}
	if code, _, errs := call(t, "", nil, "check", "-c", conf("sha256:abcd")); code != exitRefused || !strings.Contains(errs, `users[0].certificate: "sha256:abcd" is no SHA-256 fingerprint`) {
		t.Errorf("exit %d, errors %q", code, errs)
	}
	code, out, errs := call(t, "", nil, "check", "-c", conf("a.example.com"))
	if code != exitOK || !strings.Contains(out+errs, "listeners[0].tls.min: warning: TLS below 1.2") {
		t.Errorf("exit %d, output %q, errors %q; want exit 0 and a warning of TLS 1.0", code, out, errs)
	}
}

// Where a client certificate is required, a login in clear text is none without one.
func TestRequiredCertificatesRequireTLS(t *testing.T) {
	file := write(t, "both.pem", string(selfSigned(t, 1)))
	cfg, report := config.Load(write(t, "c.yaml", fmt.Sprintf(`listeners:
- {address: "127.0.0.1:0", tls: {client_auth: require}}
- {address: "127.0.0.1:0", tls: {client_auth: request}}
- {address: "127.0.0.1:0", tls: {mode: none}}
tls: {certificates: [{cert: %q}], client_ca: %q, client_auth: require}
backends: {disk: {type: local, path: .}}
anonymous: {home: "disk:/"}
`, file, file)))
	if report.Failed() {
		t.Fatal(report)
	}
	certs, err := newTLS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listeners, err := listen(cfg, certs)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(listeners)
	for i, want := range []bool{true, false, false} {
		if got := listeners[i].RequireTLSControl; got != want {
			t.Errorf("listeners[%d]: TLS is required: %v, want %v", i, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	bad := write(t, "bad.yaml", `lisseners: []
backends: {disk: {type: local, path: .}}
users:
- {name: a/b, password: "$argon2id$broken", home: "disk:/"}
- {name: c, password: "plain:x", home: "dick:/"}
`)
	code, out, errs := call(t, "", nil, "check", "--config", bad)
	want := bad + `:1: lisseners: unknown key "lisseners" (hint: did you mean "listeners"?)
` + bad + `:4: users[0].name: user name "a/b" holds a slash
` + bad + `:4: users[0].password: not a usable password hash (argon2, bcrypt, scrypt, yescrypt, pbkdf2, sha256-crypt and sha512-crypt are) (hint: make one with "ftp-gateway hash-password"; plain text of that form begins with "plain:")
` + bad + `:5: users[1].home: unknown back end "dick" (hint: did you mean "disk"?)
` + bad + `:5: users[1].password: warning: the password is plain text, and weak (hint: make a hash with "ftp-gateway hash-password")
`
	if code != exitRefused || out != "" || errs != want {
		t.Errorf("exit %d, output %q, errors:\n%s\nwant exit 1 and:\n%s", code, out, errs, want)
	}
	if code, _, errs := call(t, "", nil, "serve", "--config", bad); code != exitRefused || errs != want {
		t.Errorf("serve: exit %d, errors:\n%s\nwant exit 1 and:\n%s", code, errs, want)
	}

	good := write(t, "good.yaml", "backends: {disk: {type: local, path: .}}\nanonymous: {home: 'disk:/'}\n")
	if code, out, errs := call(t, "", []string{"FTP_GATEWAY_CONFIG=" + good}, "check"); code != exitOK || out != good+": good\n" || errs != "" {
		t.Errorf("exit %d, output %q, errors %q; want exit 0", code, out, errs)
	}
}

// What only the packages behind the keys know, and refuse the start for, is told by check, in the same report as the rest, and once.
func TestCheckParts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	conf := fmt.Sprintf(`backends: {disk: {type: local, path: .}, homes: {type: unix}}
unix_users: {home: "homes:{home}", pam_service: ftp}
ldap_users:
  urls: [ldap://localhost]
  base: o=x
  filter: uid={user}
  account: {home: "disk:/"}
events:
  outbox: events.db
  commands:
  - {name: a, command: [./missing]}
  - {name: b, command: [%q]}
  - {name: c, command: [./missing], parallel: 0}
limits: {login_attempts: 0}
`, binary)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	want := file + `:2: unix_users: this binary was built without PAM
` + file + `:3: ldap_users: the filter "uid={user}": filter does not start with an '('
` + file + `:11: events.commands[0].command: "` + filepath.Join(dir, "missing") + `": stat ` + filepath.Join(dir, "missing") + `: no such file or directory (hint: correct the name, or install the program)
` + file + `:13: events.commands[2].parallel: has to be from 1 to 256
` + file + `:14: limits.login_attempts: at least one attempt is needed
`
	for _, command := range []string{"check", "serve"} {
		if code, _, errs := call(t, "", nil, command, "-c", file); code != exitRefused || errs != want {
			t.Errorf("%s: exit %d, errors:\n%s\nwant exit 1 and:\n%s", command, code, errs, want)
		}
	}
}

func TestDefaultsPassTheCheck(t *testing.T) {
	code, out, _ := call(t, "", nil, "config", "defaults")
	if code != exitOK || out != config.Defaults() {
		t.Fatalf("exit %d and %d bytes", code, len(out))
	}
	if code, _, errs := call(t, "", nil, "check", "-c", write(t, "defaults.yaml", out)); code != exitOK {
		t.Errorf("the defaults are refused: %s", errs)
	}
}

func TestSchema(t *testing.T) {
	code, out, _ := call(t, "", nil, "config", "schema")
	if code != exitOK || out != config.Schema() || !json.Valid([]byte(out)) {
		t.Errorf("exit %d and %d bytes", code, len(out))
	}
}

func TestHashPassword(t *testing.T) {
	code, out, errs := call(t, "gehe im\r\n", nil, "hash-password")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	p, err := auth.ParsePassword(strings.TrimSpace(out))
	if err != nil || p.Plain() {
		t.Fatalf("%q: plain %v, %v", out, p.Plain(), err)
	}
	if ok, err := p.Check(t.Context(), "gehe im"); !ok || err != nil {
		t.Errorf("the hash does not fit its password: %v", err)
	}
	for _, in := range []string{"", "\n", "two\nlines\n", strings.Repeat("x", 5000)} {
		if code, out, errs := call(t, in, nil, "hash-password"); code != exitRefused || out != "" || strings.Contains(errs, "auth:") {
			t.Errorf("%.10q: exit %d, output %q, errors %q, want exit 1", in, code, out, errs)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "--version", "-V"} {
		if code, out, _ := call(t, "", nil, arg); code != exitOK || !strings.HasPrefix(out, "ftp-gateway ") {
			t.Errorf("%s: exit %d, output %q", arg, code, out)
		}
	}
}

// daemon is a running server.
type daemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	logs chan string // lines, as they come
	seen strings.Builder
}

func start(t *testing.T, env []string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, cmd: exec.Command(binary, args...), logs: make(chan string, 1000)}
	d.cmd.Env = append(os.Environ(), env...)
	pipe, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.cmd.Process.Kill(); d.cmd.Wait() })
	go func() { // ends with the process
		defer close(d.logs)
		for s := bufio.NewScanner(pipe); s.Scan(); {
			d.logs <- s.Text()
		}
	}()
	return d
}

// wait returns the groups of the first line that fits.
func (d *daemon) wait(pattern string) []string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.After(30 * time.Second)
	for {
		select {
		case l, ok := <-d.logs:
			if !ok {
				d.t.Fatalf("the server ended before it wrote %q:\n%s", pattern, &d.seen)
			}
			fmt.Fprintln(&d.seen, l)
			if m := re.FindStringSubmatch(l); m != nil {
				return m
			}
		case <-deadline:
			d.t.Fatalf("the server did not write %q:\n%s", pattern, &d.seen)
		}
	}
}

// end sends a signal and returns the exit code.
func (d *daemon) end(s os.Signal) int {
	d.t.Helper()
	d.cmd.Process.Signal(s)
	for l := range d.logs {
		fmt.Fprintln(&d.seen, l)
	}
	d.cmd.Wait()
	return d.cmd.ProcessState.ExitCode()
}

// dial opens a control connection and logs in.
func dial(t *testing.T, address, user, password string) *textproto.Conn {
	t.Helper()
	c, err := textproto.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	say(t, c, "", 220)
	say(t, c, "USER "+user, 331)
	say(t, c, "PASS "+password, 230)
	return c
}

func say(t *testing.T, c *textproto.Conn, line string, code int) string {
	t.Helper()
	if line != "" {
		if err := c.PrintfLine("%s", line); err != nil {
			t.Fatal(err)
		}
	}
	_, msg, err := c.ReadResponse(code)
	if err != nil {
		t.Fatalf("%s: %v, want %d", line, err, code)
	}
	return msg
}

func TestQuickServes(t *testing.T) {
	dir := t.TempDir()
	d := start(t, []string{"FTP_GATEWAY_PASSWORD=geh$im"}, "-i", "127.0.0.1", "-p", "0", "-d", dir, "-w", "-u", "cam7", "-r", "31000-31010",
		"-n", "203.0.113.7", "--banner", "hello", "--concurrency", "async", "-D")
	d.wait(`--concurrency has no meaning`)
	address := d.wait(`listening address=(\S+)`)[1]
	d.wait(`started .*pid=\d+ masquerade=203.0.113.7 passive_ports=31000-31010`)
	d.wait(`back end name=share what="directory ` + regexp.QuoteMeta(dir))
	d.wait(`limits connections=512`)
	d.wait(`settings banner=hello sendfile=true`)
	c := dial(t, address, "cam7", "geh$im")
	say(t, c, "MKD pictures", 257)
	if fi, err := os.Stat(filepath.Join(dir, "pictures")); err != nil || !fi.IsDir() {
		t.Errorf("after MKD: %v", err)
	}
	if msg := say(t, c, "PASV", 227); !strings.Contains(msg, "203,0,113,7,121,") {
		t.Errorf("PASV: %s, want the masquerade address and a port from 31000", msg)
	}
	if code := d.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("exit %d after SIGTERM", code)
	}
	if strings.Contains(d.seen.String(), "geh$im") {
		t.Errorf("the password is in the log:\n%s", &d.seen)
	}
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"files", "files/pub"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writePair := func(serial int64) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "server.pem"), selfSigned(t, serial), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writePair(1)
	hash, err := auth.Hash("geheim")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ftp-gateway.yaml")
	doc := `
listeners: [{address: "127.0.0.1:0"}]
tls: {certificates: [{cert: server.pem}]}
backends:
  disk: {type: local, path: files}
  fixed: {type: local, path: files, create_home: false}
users:
- {name: cam7, password: "` + hash + `", home: "disk:/homes/{user}", mounts: {/public: "disk:/pub"}}
- {name: cam8, password: "` + hash + `", home: "fixed:/homes/{user}"}
metrics: {address: "127.0.0.1:0"}
log: {format: json}
`
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, nil, "serve", "--config", file)
	address := d.wait(`"listening","address":"([^"]+)","tls":"explicit"`)[1]
	probes := "http://" + d.wait(`"msg":"metrics","address":"([^"]+)"`)[1]
	d.wait(`"msg":"started"`)

	c := dial(t, address, "cam7", "geheim")
	if fi, err := os.Stat(filepath.Join(dir, "files/homes/cam7")); err != nil || !fi.IsDir() {
		t.Errorf("the home was not made: %v", err)
	}
	say(t, c, "CWD /public", 250)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ok\n"} {
		if got := fetch(t, probes+path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	text := fetch(t, probes+"/metrics")
	for _, want := range []string{"ftp_gateway_sessions 1\n", `ftp_gateway_logins_total{result="ok"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the metrics", want)
		}
	}

	// A login whose home is missing where homes are not made is refused, with the reason in the log.
	c2, err := textproto.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c2.Close()
	say(t, c2, "", 220)
	say(t, c2, "USER cam8", 331)
	c2.PrintfLine("PASS geheim")
	if code, msg, _ := c2.ReadResponse(0); code < 400 {
		t.Errorf("login without a home: %d %s", code, msg)
	}
	d.wait(`home directory: .*cam8.*no such file`)

	if n := serial(t, address); n != 1 {
		t.Errorf("serial number %d, want 1", n)
	}
	writePair(2)
	d.cmd.Process.Signal(syscall.SIGHUP)
	d.wait(`"msg":"reloaded"`)
	if n := serial(t, address); n != 2 {
		t.Errorf("serial number %d after SIGHUP, want 2", n)
	}
	if code := d.end(os.Interrupt); code != exitOK {
		t.Errorf("exit %d after SIGINT", code)
	}
	say(t, c, "", 421)
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// serial is that of the certificate which AUTH TLS shows.
func serial(t *testing.T, address string) int64 {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := textproto.NewConn(nc)
	say(t, c, "", 220)
	say(t, c, "AUTH TLS", 234)
	tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	return tc.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// selfSigned is a certificate and its key in one file.
func selfSigned(t *testing.T, serial int64) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kb})...)
}

// Of what a store can say at the start, only that there is no such bucket refuses it.
func TestStoresAtTheStart(t *testing.T) {
	type reply struct {
		code int
		body string
	}
	var says atomic.Pointer[reply]
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := says.Load()
		w.WriteHeader(now.code)
		if r.Method != http.MethodHead {
			io.WriteString(w, now.body)
		}
	}))
	defer store.Close()
	doc := func(backend string) string {
		return write(t, "ftp-gateway.yaml", `
listeners: [{address: "127.0.0.1:0"}]
metrics: {address: "127.0.0.1:0"}
anonymous: {home: "cams:/"}
backends:
  cams:
    `+backend+`
    bucket: pictures
    endpoint: `+store.URL+"\n")
	}
	const gcs = `{"error":{"code":%d,"message":"x","errors":[{"reason":"notFound","message":"The specified bucket does not exist."}]}}`
	files := map[string]string{
		"s3":  doc("type: s3\n    access_key: a\n    secret_key: b\n    path_style: true"),
		"gcs": doc("type: gcs\n    anonymous: true"),
	}
	says.Store(&reply{404, fmt.Sprintf(gcs, 404)})
	for kind, file := range files {
		rc, _, errs := call(t, "", nil, "serve", "--config", file)
		line := map[string]int{"s3": 11, "gcs": 9}[kind]
		want := fmt.Sprintf("%s:%d: backends.cams.bucket: there is no %s bucket pictures (hint: create it", file, line, kind)
		if rc != exitRefused || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, errors %q; want exit 1 and %q", kind, rc, errs, want)
		}
	}
	says.Store(&reply{403, strings.ReplaceAll(fmt.Sprintf(gcs, 403), "notFound", "forbidden")})
	for kind, file := range files {
		d := start(t, nil, "serve", "--config", file)
		d.wait("level=WARN msg=.*may not be looked at.* backend=cams")
		probes := "http://" + d.wait(`msg=metrics address=(\S+)`)[1]
		d.wait("msg=started")
		if got := fetch(t, probes+"/readyz"); got != "ok\ndegraded: backend cams\n" {
			t.Errorf("%s: /readyz %q", kind, got)
		}
		if text := fetch(t, probes+"/metrics"); !strings.Contains(text, `ftp_gateway_store_requests_total{backend="cams",operation="`+map[string]string{"s3": "HeadBucket", "gcs": "list"}[kind]+`",result="denied"}`) {
			t.Errorf("%s: no count of the refused requests in the metrics", kind)
		}
		if rc := d.end(syscall.SIGTERM); rc != exitOK {
			t.Errorf("%s: exit %d", kind, rc)
		}
	}
}

// A bucket that is shared for reading is not swept: others may be uploading into it for days.
func TestQuickSweepsOnlyWhereItWrites(t *testing.T) {
	for _, write := range []bool{false, true} {
		q := &quick{directory: "s3://bucket/prefix", write: write}
		b, err := q.share(func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		if got := b.S3.AbandonAfter; (got > 0) != write {
			t.Errorf("with write %v, uploads of others are removed after %v", write, got)
		}
	}
}
