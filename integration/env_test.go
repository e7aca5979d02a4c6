package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/fault"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

// patience bounds how long a broken test waits; no test depends on its length.
const patience = 2 * time.Minute

// The kinds of back ends.
const (
	s3Kind     = "s3"
	gcsKind    = "gcs"
	radosKind  = "radosgw" // S3 again, by Ceph: see newWorld
	localKind  = "local"   // as a classic FTP server: written in place
	atomicKind = "atomic"  // local with atomic: true
)

const (
	bucket   = "bucket"
	user     = "cam7"
	password = "correct horse"
)

// world is a back end: a store server, the fault proxy before it, and the view of
// the store past the gateway.
type world struct {
	kind  string
	dir   string
	proxy *fault.Proxy // nil for local kinds
	store store.Store
	certs servers.Certificates
	addr  string   // host:port of versitygw, past the proxy
	yaml  string   // the back end in the gateway's configuration
	env   []string // of the gateway
}

// newWorld starts what the kind needs. Everything ends with the test.
func newWorld(t *testing.T, kind string) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{kind: kind, dir: t.TempDir()}
	var err error
	if w.certs, err = servers.MakeCertificates(w.dir); err != nil {
		t.Fatal(err)
	}
	switch kind {
	case localKind, atomicKind:
		dir := filepath.Join(w.dir, "disk")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		w.store = store.Dir(dir)
		w.yaml = fmt.Sprintf("{type: local, path: %q, atomic: %v}", dir, kind == atomicKind)
		return w
	}
	if w.proxy, err = fault.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.proxy.Close() })
	switch kind {
	case s3Kind:
		s, err := servers.StartS3(ctx, w.dir, bucket)
		if err != nil {
			t.Fatal(err)
		}
		watch(t, s.Process)
		w.addr = s.Addr
		w.proxy.SetTarget(s.Addr)
		w.store = store.NewS3(s.URL(), servers.S3Region, servers.S3Key, servers.S3Secret, bucket)
		w.yaml = fmt.Sprintf("{type: s3, bucket: %s, region: %s, endpoint: %q, path_style: true}", bucket, servers.S3Region, w.proxy.URL())
		w.env = servers.Environment("")
	case radosKind:
		// Fifteen seconds: for what versitygw cannot show.
		ready, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		s, err := servers.StartRadosGW(ready, w.dir)
		if err != nil {
			t.Fatal(err)
		}
		watch(t, s.Process)
		w.proxy.SetTarget(s.Addr)
		raw := store.NewS3(s.URL(), servers.S3Region, servers.S3Key, servers.S3Secret, bucket)
		if err := raw.Create(ctx); err != nil {
			t.Fatal(err)
		}
		w.store = raw
		w.yaml = fmt.Sprintf("{type: s3, profile: ceph, bucket: %s, region: %s, endpoint: %q, path_style: true}", bucket, servers.S3Region, w.proxy.URL())
		w.env = servers.Environment("")
	case gcsKind:
		g, err := servers.StartGCS(ctx, w.dir, w.proxy.Addr(), bucket)
		if err != nil {
			t.Fatal(err)
		}
		watch(t, g.Process)
		w.proxy.SetTarget(g.Addr)
		if w.store, err = store.NewGCS(context.WithoutCancel(ctx), g.URL(), bucket); err != nil {
			t.Fatal(err)
		}
		w.yaml = fmt.Sprintf("{type: gcs, bucket: %s}", bucket)
		w.env = servers.Environment(w.proxy.Addr())
	default:
		t.Fatalf("no kind %q", kind)
	}
	return w
}

// watch ends a process with the test and shows its log when the test has failed.
func watch(t *testing.T, p *servers.Process) {
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", p.Name, p.Tail(60))
		}
	})
}

// gateway is a running gateway before a world.
type gateway struct {
	*servers.Gateway
	target  clients.Target // plain; set TLS for explicit FTPS
	metrics string         // host:port
	options servers.GatewayOptions
}

// secure returns the target with or without TLS.
func (g *gateway) secure(tls bool) clients.Target {
	t := g.target
	t.TLS = tls
	return t
}

// newGateway starts a gateway before w. The lines of extra are top-level keys of the configuration.
func newGateway(t *testing.T, w *world, extra ...string) *gateway {
	t.Helper()
	g := prepareGateway(t, w, extra...)
	g.start(t, t)
	return g
}

// prepareGateway writes the configuration and starts nothing.
func prepareGateway(t *testing.T, w *world, extra ...string) *gateway {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{}
	if g.metrics, err = servers.FreeAddr(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	g.target = clients.Target{Host: "localhost", Port: port, User: user, Password: password, CA: w.certs.CA, Dir: dir}
	lines := []string{
		"listeners:",
		fmt.Sprintf("  - {address: %q, tls: {mode: explicit}}", fmt.Sprintf("127.0.0.1:%d", port)),
		fmt.Sprintf("tls: {certificates: [{cert: %q, key: %q}]}", w.certs.Cert, w.certs.Key),
		"backends:",
		"  store: " + w.yaml,
		"users:",
		fmt.Sprintf("  - {name: %s, password: %q, home: \"store:/\"}", user, "plain:"+password),
		"log: {level: debug, format: text}",
		fmt.Sprintf("metrics: {address: %q}", g.metrics),
	}
	conf := filepath.Join(dir, "ftp-gateway.yaml")
	text := strings.Join(append(lines, extra...), "\n") + "\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.options = servers.GatewayOptions{Bin: gatewayBin, Dir: dir, Args: []string{"serve", "--config", conf}, Env: w.env,
		Addr: fmt.Sprintf("127.0.0.1:%d", port)}
	return g
}

// start starts the gateway, again perhaps. It runs until the end of owner, which
// is t or the test above it.
func (g *gateway) start(t, owner *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := servers.StartGateway(ctx, g.options)
	if err != nil {
		t.Fatal(err)
	}
	watch(owner, p.Process)
	g.Gateway = p
	if i := slices.Index(g.options.Args, "--config"); i >= 0 { // accepted by the gateway, it should pass the schema too
		text, err := os.ReadFile(g.options.Args[i+1])
		if err != nil {
			t.Fatal(err)
		}
		if at := refusals(t, parseYAML(t, string(text))); len(at) > 0 {
			t.Errorf("the schema refuses %s in:\n%s", strings.Join(at, ", "), text)
		}
	}
}

// login opens a session.
func (g *gateway) login(t *testing.T, tls bool) *clients.Conn {
	t.Helper()
	c, err := clients.Login(t.Context(), g.secure(tls))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// mkdir makes a directory over FTP.
func (g *gateway) mkdir(t *testing.T, dir string) {
	t.Helper()
	c := g.login(t, false)
	if _, err := c.Expect(257, "MKD "+dir); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until what it asks says yes. An error beside that is what it tells when it gives up.
func eventually(t *testing.T, what string, ask func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := ask(ctx)
		if ok && ctx.Err() == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s (last error: %v)", what, patience, err)
		}
	}
}

// wantObject compares an object with what it should be; nil means that there must be none.
func (w *world) wantObject(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := w.store.Get(t.Context(), name)
	switch {
	case want == nil:
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: an object of %d bytes (%v); want none", name, len(got), err)
		}
	case err != nil:
		t.Errorf("%s: %v; want %d bytes", name, err, len(want))
	case !bytes.Equal(got, want):
		t.Errorf("%s: %d bytes that are not the %d expected ones", name, len(got), len(want))
	}
}

// files returns the names of all objects below prefix, directory markers left out.
func (w *world) files(t *testing.T, prefix string) []string {
	t.Helper()
	names, err := w.store.Names(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "/") })
}

// wantNoUploads wants no multipart upload to be open.
func (w *world) wantNoUploads(t *testing.T) {
	t.Helper()
	open, err := w.store.Uploads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(open) > 0 {
		t.Errorf("multipart uploads are still open: %q", open)
	}
}

// random returns n bytes that depend on seed only.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}
