package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
