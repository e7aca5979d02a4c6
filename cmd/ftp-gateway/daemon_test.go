package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

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
