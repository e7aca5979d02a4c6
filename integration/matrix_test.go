package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// TestMatrix drives each client over the ways a data connection can come about: who opens it, over
// which family of addresses, in clear text or under TLS. TestClients has the sizes; here a small file has to do.
func TestMatrix(t *testing.T) {
	t.Parallel()
	body := random(5, 10<<10)
	local := filepath.Join(t.TempDir(), "local")
	if err := writeFile(local, body); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{localKind, s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			g := dualGateway(t, w)
			g.mkdir(t, "/in")
			for _, c := range clients.All() {
				for _, m := range modes(c, kind) {
					t.Run(fmt.Sprintf("%s/%s", c.Name(), m.name), func(t *testing.T) {
						target := m.point(g.target)
						target.Dir = t.TempDir()
						if m.active && m.tls && clearTextCurl(t, c) {
							wantRefusal(t, w, target, c, local)
							return
						}
						oneMode(t, w, target, c, local, body)
					})
				}
			}
		})
	}
}

// clearTextCurl tells whether c is curl 7.88, which sends an upload over an active data connection in clear text
// though it has asked for PROT P.
func clearTextCurl(t *testing.T, c clients.Client) bool {
	t.Helper()
	if c.Name() != "curl" {
		return false
	}
	out, err := exec.CommandContext(t.Context(), "curl", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.HasPrefix(out, []byte("curl 7.88."))
}

// wantRefusal wants an upload to fail, and nothing of it to be stored. A disk that is written in place may
// have an empty file, as with other servers.
func wantRefusal(t *testing.T, w *world, target clients.Target, c clients.Client, local string) {
	t.Helper()
	if err := c.Upload(t.Context(), target, local, "/in/refused.bin"); err == nil {
		t.Error("an upload that had to be refused was not")
	}
	if b, err := w.store.Get(t.Context(), "in/refused.bin"); len(b) > 0 || err == nil && w.kind != localKind {
		t.Errorf("in/refused.bin: %d bytes (%v), want none", len(b), err)
	}
	if w.kind == localKind {
		if err := os.Remove(filepath.Join(w.dir, "disk", "in", "refused.bin")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// mode is one way to reach the server.
type mode struct {
	name              string
	ipv6, active, tls bool
}

// modes returns those that a client knows. How a data connection comes about does not concern a bucket, so
// two of them must do there.
func modes(c clients.Client, kind string) []mode {
	var list []mode
	for _, ipv6 := range []bool{false, true} {
		for _, active := range []bool{false, true} {
			for _, tls := range []bool{false, true} {
				if ipv6 && !c.IPv6() || tls && !c.TLS() {
					continue
				}
				if kind != localKind && (ipv6 == active || tls != ipv6 && c.TLS()) {
					continue
				}
				list = append(list, mode{fmt.Sprintf("ipv6=%v,active=%v,tls=%v", ipv6, active, tls), ipv6, active, tls})
			}
		}
	}
	return list
}

// point returns the target that a client has to be given for the mode.
func (m mode) point(t clients.Target) clients.Target {
	t.TLS, t.Active = m.tls, m.active
	if m.ipv6 {
		t.Host = "::1"
	}
	return t
}

func oneMode(t *testing.T, w *world, target clients.Target, c clients.Client, local string, body []byte) {
	ctx := t.Context()
	if c.ReadOnly() {
		if err := w.store.Put(ctx, "in/a.bin", body); err != nil {
			t.Fatal(err)
		}
	} else if err := c.Upload(ctx, target, local, "/in/a.bin"); err != nil {
		t.Fatal("upload: ", err)
	}
	w.wantObject(t, "in/a.bin", body)
	if list, err := c.List(ctx, target, "/in"); err != nil || !slices.Equal(list, []string{"a.bin"}) {
		t.Errorf("list = %q, %v; want the one file", list, err)
	}
	back := filepath.Join(target.Dir, "back")
	if err := c.Download(ctx, target, "/in/a.bin", back); err != nil {
		t.Fatal("download: ", err)
	}
	wantFile(t, back, body)
	if c.ReadOnly() {
		return
	}
	if err := c.Delete(ctx, target, "/in/a.bin"); err != nil {
		t.Fatal("delete: ", err)
	}
	w.wantObject(t, "in/a.bin", nil)
}

// wantFile compares a file of this machine.
func wantFile(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes (%v), which are not the %d expected", filepath.Base(name), len(got), err, len(want))
	}
}

// dualGateway starts a gateway that listens on 127.0.0.1 and ::1, at the same port.
func dualGateway(t *testing.T, w *world, extra ...string) *gateway {
	t.Helper()
	g := prepareGateway(t, w, extra...)
	g.edit(t, func(conf string) string { return addIPv6(conf, g.target.Port) })
	g.start(t, t)
	return g
}

// TestResume stops in the middle of a file on purpose, and lets each client that can do it go on.
func TestResume(t *testing.T) {
	t.Parallel()
	body := random(6, 300_000)
	half := body[:123_456]
	local := filepath.Join(t.TempDir(), "local")
	if err := writeFile(local, body); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{localKind, s3Kind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w)
			g.mkdir(t, "/in")
			for _, c := range clients.All() {
				r, ok := c.(clients.Resumer)
				if !ok {
					t.Fatalf("%s cannot resume", c.Name())
				}
				for _, tls := range []bool{false, true} {
					if tls && !c.TLS() {
						continue
					}
					t.Run(fmt.Sprintf("%s/tls=%v", c.Name(), tls), func(t *testing.T) {
						target := g.secure(tls)
						target.Dir = t.TempDir()
						oneResume(t, w, target, r, local, half, body)
					})
				}
			}
		})
	}
}

func oneResume(t *testing.T, w *world, target clients.Target, r clients.Resumer, local string, half, body []byte) {
	ctx := t.Context()
	if err := w.store.Put(ctx, "in/down.bin", body); err != nil {
		t.Fatal(err)
	}
	back := filepath.Join(target.Dir, "back")
	if err := writeFile(back, half); err != nil {
		t.Fatal(err)
	}
	// A download that begins anew would leave the proof of resuming out: the head of what is there differs.
	marked := append([]byte("mark"), half[4:]...)
	if err := writeFile(back, marked); err != nil {
		t.Fatal(err)
	}
	if err := r.ResumeDownload(ctx, target, "/in/down.bin", back); err != nil {
		t.Error("download: ", err)
	}
	wantFile(t, back, append([]byte("mark"), body[4:]...))

	if err := w.store.Put(ctx, "in/up.bin", marked); err != nil {
		t.Fatal(err)
	}
	err := r.ResumeUpload(ctx, target, local, "/in/up.bin")
	if errors.Is(err, errors.ErrUnsupported) {
		return // the program has no such thing; nothing of the server is left out
	}
	if err != nil {
		t.Error("upload: ", err)
	}
	w.wantObject(t, "in/up.bin", append([]byte("mark"), body[4:]...))
	w.wantNoUploads(t)
}

// TestMirror sends a thousand files up with lftp's mirror, eight at a time, brings them back, and
// compares all of them on both sides.
func TestMirror(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	want := map[string][]byte{}
	for i := range 1000 {
		name := fmt.Sprintf("d%02d/e%d/file %d.bin", i%20, i%3, i)
		want[name] = random(byte(i), i%50*37)
		path := filepath.Join(src, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := writeFile(path, want[name]); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{localKind, s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w)
			g.target.Dir = t.TempDir()
			if err := clients.Mirror(t.Context(), g.target, true, src, "/tree", 8); err != nil {
				t.Fatal("up: ", err)
			}
			if n := len(w.files(t, "tree/")); n != len(want) {
				t.Errorf("the store has %d files, want %d", n, len(want))
			}
			for name, body := range want {
				w.wantObject(t, "tree/"+name, body)
			}
			back := filepath.Join(g.target.Dir, "back")
			if err := clients.Mirror(t.Context(), g.target, false, "/tree", back, 8); err != nil {
				t.Fatal("down: ", err)
			}
			for name, body := range want {
				wantFile(t, filepath.Join(back, filepath.FromSlash(name)), body)
			}
			w.wantNoUploads(t)
		})
	}
}

// TestSessionReuse asks data connections to resume the TLS session of their control connection. Clients
// that do it work; the others are refused under require, and work under prefer (the default, which all other tests have).
func TestSessionReuse(t *testing.T) {
	t.Parallel()
	body := random(7, 10<<10)
	local := filepath.Join(t.TempDir(), "local")
	if err := writeFile(local, body); err != nil {
		t.Fatal(err)
	}
	// Net::FTP only where it does not connect itself.
	resumes := func(c clients.Client, active bool) bool {
		return slices.Contains([]string{"curl", "lftp", "wget"}, c.Name()) && !(active && clearTextCurl(t, c)) || c.Name() == "Net::FTP" && active
	}
	for _, kind := range []string{localKind, s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := prepareGateway(t, w)
			g.edit(t, requireReuse)
			g.start(t, t)
			g.mkdir(t, "/in")
			for _, c := range clients.All() {
				if !c.TLS() {
					continue
				}
				for _, active := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/active=%v", c.Name(), active), func(t *testing.T) {
						target := mode{active: active, tls: true}.point(g.target)
						target.Dir = t.TempDir()
						if resumes(c, active) {
							oneMode(t, w, target, c, local, body)
						} else {
							wantRefusal(t, w, target, c, local)
						}
					})
				}
			}
		})
	}
}

// requireReuse sets tls.session_reuse.
func requireReuse(conf string) string {
	return strings.Replace(conf, "tls: {certificates:", "tls: {session_reuse: require, certificates:", 1)
}

// TestNetFTPUploads is about Perl's Net::FTP, which closes uploads under TLS 1.3 without having read
// anything: were it sent a session ticket, its kernel would send a reset and the end of the file were lost. All
// of fifty uploads arrive whole.
func TestNetFTPUploads(t *testing.T) {
	const count = 50
	body := random(8, 1<<20)
	local := filepath.Join(t.TempDir(), "local")
	if err := writeFile(local, body); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{localKind, s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w)
			g.mkdir(t, "/in")
			target := g.secure(true)
			version, err := clients.PutMany(t.Context(), target, local, "/in", count)
			if err != nil {
				t.Fatal(err)
			}
			if version != "TLSv1_3" {
				t.Errorf("spoke %q, want TLS 1.3", version)
			}
			for i := range count {
				w.wantObject(t, fmt.Sprintf("in/%d", i+1), body)
			}
		})
	}
}
