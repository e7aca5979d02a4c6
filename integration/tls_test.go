package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// tlsGateway starts a gateway before w with a listener for each of the given TLS settings, and returns
// their ports. The lines of tls go below the key of that name, those of user into the only user.
func tlsGateway(t *testing.T, w *world, listeners []string, tls, user string, extra ...string) (*gateway, []int) {
	t.Helper()
	g := &gateway{}
	lines := []string{"listeners:"}
	var ports []int
	for _, l := range listeners {
		port, err := servers.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
		lines = append(lines, fmt.Sprintf("  - {address: '127.0.0.1:%d', tls: {%s}}", port, l))
	}
	lines = append(lines,
		fmt.Sprintf("tls: {certificates: [{cert: %q, key: %q}], %s}", w.certs.Cert, w.certs.Key, tls),
		"backends: {store: "+w.yaml+"}",
		fmt.Sprintf("users: [{name: cam7, home: 'store:/', %s}]", user),
		"log: {level: debug}")
	dir := t.TempDir()
	conf := filepath.Join(dir, "ftp-gateway.yaml")
	if err := os.WriteFile(conf, []byte(strings.Join(append(lines, extra...), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.target = clients.Target{Host: "localhost", Port: ports[0], User: "cam7", Password: password, CA: w.certs.CA, TLS: true, Dir: dir}
	g.options = servers.GatewayOptions{Bin: gatewayBin, Dir: dir, Args: []string{"serve", "--config", conf}, Env: w.env,
		Addr: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	g.start(t, t)
	return g, ports
}

// withPassword is a user that logs in by password.
var withPassword = fmt.Sprintf("password: %q", "plain:"+password)

// command runs a program and returns all of its output.
func command(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// curl stores a file of the text with the options and returns curl's output.
func curl(t *testing.T, w *world, port int, name, text string, options ...string) (string, error) {
	t.Helper()
	args := append([]string{"--silent", "--show-error", "--verbose", "--ssl-reqd", "--cacert", w.certs.CA, "--user", "cam7:" + password,
		"--upload-file", "-", fmt.Sprintf("ftp://localhost:%d/%s", port, name)}, options...)
	return command(t, text, "curl", args...)
}

// Old versions and ciphers are for the listeners that allow them, and no others.
func TestTLSVersions(t *testing.T) {
	w := newWorld(t, localKind)
	g, ports := tlsGateway(t, w, []string{"", `min: "1.0"`, `min: "1.1"`, `min: "1.3"`,
		"ciphers: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"}, "", withPassword)
	const weak = "DEFAULT@SECLEVEL=0"
	versions := []string{"1.0", "1.1", "1.2", "1.3"}
	for i, oldest := range []string{"1.2", "1.0", "1.1", "1.3"} {
		for _, v := range versions {
			name := fmt.Sprintf("%s-from-%s", v, oldest)
			out, err := curl(t, w, ports[i], name, name, "--tlsv"+v, "--tls-max", v, "--ciphers", weak)
			if (err == nil) != (v >= oldest) {
				t.Errorf("curl with TLS %s on a listener from %s on: %v\n%s", v, oldest, err, out)
			}
			var want []byte
			if v >= oldest {
				want = []byte(name)
			}
			w.wantObject(t, name, want)
		}
	}
	for flag, works := range map[string]bool{"-tls1": true, "-tls1_1": true, "-tls1_2": true} {
		out, err := command(t, "QUIT\r\n", "openssl", "s_client", "-connect", fmt.Sprintf("127.0.0.1:%d", ports[1]), "-starttls", "ftp", flag,
			"-cipher", weak, "-CAfile", w.certs.CA, "-verify_return_error", "-crlf")
		if (err == nil && strings.Contains(out, "Verify return code: 0")) != works {
			t.Errorf("openssl s_client %s: %v\n%s", flag, err, out)
		}
	}
	for cipher, works := range map[string]bool{"ECDHE-ECDSA-AES256-GCM-SHA384": true, "ECDHE-ECDSA-AES128-GCM-SHA256": false} {
		if out, err := curl(t, w, ports[4], "c", "c", "--tls-max", "1.2", "--ciphers", cipher); (err == nil) != works {
			t.Errorf("curl with %s: %v\n%s", cipher, err, out)
		}
	}
	for _, want := range []string{"TLS below 1.2 is broken", "the client offers at most TLS 1.1: a listener with a lower tls.min would take it",
		"with TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"} {
		if !strings.Contains(g.Log(), want) {
			t.Errorf("the log does not tell %q", want)
		}
	}
}

// A scanner of the nineties: TLS 1.0, no key exchange but RSA's, no cipher but 3DES. OpenSSL as it is built today has
// none of that, crypto/tls still has.
func TestTripleDES(t *testing.T) {
	w := newWorld(t, localKind)
	rsa, err := servers.MakeRSACertificate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.certs = rsa
	g, _ := tlsGateway(t, w, []string{`min: "1.0", ciphers: [TLS_RSA_WITH_3DES_EDE_CBC_SHA]`}, "", withPassword)
	cfg, err := clients.TLSConfig(rsa.CA)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MinVersion, cfg.MaxVersion, cfg.CipherSuites = tls.VersionTLS10, tls.VersionTLS10, []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
	c, err := clients.Dial(t.Context(), g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		code int
		line string
	}{{331, "USER cam7"}, {230, "PASS " + password}, {200, "TYPE I"}} {
		if _, err := c.Expect(step.code, step.line); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := c.Store(t.Context(), "scan.pdf", []byte("page")); err != nil || r.Code != 226 {
		t.Errorf("STOR: %v, %v", r, err)
	}
	w.wantObject(t, "scan.pdf", []byte("page"))
}

// Nobody renegotiates: the connection ends instead.
func TestRenegotiation(t *testing.T) {
	w := newWorld(t, localKind)
	g, ports := tlsGateway(t, w, []string{""}, "", withPassword)
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", "s_client", "-connect", fmt.Sprintf("127.0.0.1:%d", ports[0]), "-starttls", "ftp", "-tls1_2", "-CAfile", w.certs.CA)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	fmt.Fprint(feed, "R\n") // asks for another handshake; standard input stays open
	err = cmd.Wait()
	if text := out.String(); err == nil || !strings.Contains(text, "RENEGOTIATING") || !strings.Contains(text, "alert") {
		t.Errorf("openssl s_client: %v\n%s", err, text)
	}
	if out, err := curl(t, w, ports[0], "a", "a"); err != nil {
		t.Errorf("afterwards: %v\n%s", err, out)
	}
	_ = g
}

// Client certificates: required on a listener, as a second factor, as a login of their own; and SIGHUP changes whom
// to trust.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localKind)
	dir := t.TempDir()
	ours, err := servers.MakeClientCertificates(filepath.Join(dir, "ours"), "cam7", "cam8")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := servers.MakeClientCertificates(filepath.Join(dir, "theirs"), "cam7")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, "clients.pem")
	trust := func(files ...string) {
		t.Helper()
		var all []byte
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		if err := os.WriteFile(ca, all, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust(ours.CA)
	settings := fmt.Sprintf("client_ca: %q, client_auth: request", ca)
	cert := func(c servers.ClientCertificates, name string) []string {
		return []string{"--cert", c.Cert(name), "--key", c.Key(name)}
	}

	for name, user := range map[string]string{"second factor": withPassword + ", certificate: cam7", "login": "certificate: cam7"} {
		t.Run(name, func(t *testing.T) {
			g, ports := tlsGateway(t, w, []string{"", "client_auth: require", "client_auth: none"}, settings, user)
			for _, port := range ports[:2] {
				out, err := curl(t, w, port, "good", "good", cert(ours, "cam7")...)
				if err != nil {
					t.Errorf("with the certificate: %v\n%s", err, out)
				}
				if byItself := strings.Contains(out, "< 232 "); byItself != (name == "login") {
					t.Errorf("232 in the dialogue: %v\n%s", byItself, out)
				}
				for what, args := range map[string][]string{"another's certificate": cert(ours, "cam8"), "a stranger's": cert(theirs, "cam7"), "none": nil} {
					if out, err := curl(t, w, port, "bad", "bad", args...); err == nil {
						t.Errorf("port %d, %s: stored\n%s", port, what, out)
					}
				}
			}
			if out, err := curl(t, w, ports[2], "bad", "bad", cert(ours, "cam7")...); err == nil {
				t.Errorf("a listener that does not ask: stored\n%s", out)
			}
			// lftp has one setting for both connections.
			out, err := command(t, "", "lftp", "--norc", "-c", fmt.Sprintf(
				`set cmd:fail-exit true; set net:max-retries 1; set ftp:ssl-force true; set ssl:ca-file %q; set ssl:cert-file %q; set ssl:key-file %q; open -u cam7,%q -p %d localhost; cls -1`,
				w.certs.CA, ours.Cert("cam7"), ours.Key("cam7"), password, ports[1]))
			if err != nil || !strings.Contains(out, "good") {
				t.Errorf("lftp: %v\n%s", err, out)
			}
			w.wantObject(t, "bad", nil)

			trust(theirs.CA)
			defer trust(ours.CA)
			if err := g.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the other authority is trusted", func(context.Context) (bool, error) {
				_, err := curl(t, w, ports[1], "good", "good", cert(theirs, "cam7")...)
				return err == nil, err
			})
			if out, err := curl(t, w, ports[1], "bad", "bad", cert(ours, "cam7")...); err == nil {
				t.Errorf("the old authority is still trusted\n%s", out)
			}
			if !strings.Contains(g.Log(), "certificate signed by unknown authority") {
				t.Error("the log does not tell why a certificate was refused")
			}
		})
	}
}

// CCC with clients that have it, both ways to begin the end of TLS; data stays private.
func TestCCC(t *testing.T) {
	w := newWorld(t, localKind)
	g, ports := tlsGateway(t, w, []string{"require: [control, data]"}, "ccc: true", withPassword)
	for _, mode := range []string{"passive", "active"} {
		name := "curl-" + mode
		out, err := curl(t, w, ports[0], name, "private", "--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", mode)
		if err != nil || !strings.Contains(out, "> CCC") {
			t.Errorf("curl, %s: %v\n%s", mode, err, out)
		}
		w.wantObject(t, name, []byte("private"))
	}
	const script = `
import ftplib, io, ssl, sys
ctx = ssl.create_default_context(cafile=sys.argv[2])
f = ftplib.FTP_TLS(context=ctx)
f.connect("localhost", int(sys.argv[1]))
f.login("cam7", sys.argv[3])
f.prot_p()
f.ccc()
assert f.sock.version() is None
f.storbinary("STOR ftplib", io.BytesIO(b"private"))
got = []
f.retrbinary("RETR ftplib", got.append)
assert b"".join(got) == b"private"
for line in ("PROT C", "USER cam7"):
    try:
        f.sendcmd(line)
    except ftplib.error_perm as e:
        print(e)
    else:
        raise SystemExit(line + " was accepted in clear text")
f.quit()
`
	if out, err := command(t, "", "python3", "-c", script, fmt.Sprint(ports[0]), w.certs.CA, password); err != nil {
		t.Errorf("ftplib: %v\n%s", err, out)
	}
	w.wantObject(t, "ftplib", []byte("private"))
	if n := strings.Count(g.Log(), "the control connection is clear text again"); n != 3 {
		t.Errorf("%d times clear text in the log, want 3", n)
	}

	_, ports = tlsGateway(t, w, []string{""}, "", withPassword)
	if out, err := command(t, "", "python3", "-c", script, fmt.Sprint(ports[0]), w.certs.CA, password); err == nil || !strings.Contains(out, "534 ") {
		t.Errorf("CCC that is not allowed: %v\n%s", err, out)
	}
}
