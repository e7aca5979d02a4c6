package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

// A cut is one way in which an upload ends too early. It is called when the
// bytes have been sent; after it returned, the client is done or gone.
type cut struct {
	name string
	// only restricts the cut to plain or TLS sessions.
	only string
	// end breaks the upload off. It may read replies, and must not leave the session open.
	end func(t *testing.T, g *gateway, c *clients.Conn, d *clients.Data)
	// restarts tells that the gateway is gone afterwards, killed that it had no time to clean up.
	restarts, killed bool
}

// refusedReply wants the answer to a broken upload: not 226, and one that makes a
// client try again.
func refusedReply(t *testing.T, c *clients.Conn, codes ...int) {
	t.Helper()
	r, err := c.ReadReply()
	if err != nil {
		t.Errorf("no reply to the cut: %v", err)
	} else if !slices.Contains(codes, r.Code) {
		t.Errorf("reply to the cut: %q, want one of %v", r.Text, codes)
	}
}

var cuts = []cut{
	{name: "reset of the data connection", end: func(t *testing.T, _ *gateway, c *clients.Conn, d *clients.Data) {
		d.Reset()
		refusedReply(t, c, 426, 451)
		if err := c.Quit(); err != nil {
			t.Errorf("the session did not survive: %v", err)
		}
	}},
	{name: "reset of both", end: func(_ *testing.T, _ *gateway, c *clients.Conn, d *clients.Data) {
		c.Reset()
		d.Reset()
	}},
	{name: "FIN of both, control first", end: func(_ *testing.T, _ *gateway, c *clients.Conn, d *clients.Data) {
		c.Close()
		d.FIN()
	}},
	{name: "no close_notify", only: "tls", end: func(t *testing.T, _ *gateway, c *clients.Conn, d *clients.Data) {
		d.FIN()
		refusedReply(t, c, 426, 451)
		if err := c.Quit(); err != nil {
			t.Errorf("the session did not survive: %v", err)
		}
	}},
	{name: "ABOR", end: func(t *testing.T, _ *gateway, c *clients.Conn, d *clients.Data) {
		if err := c.Send("ABOR"); err != nil {
			t.Fatal(err)
		}
		refusedReply(t, c, 426)
		refusedReply(t, c, 225, 226) // the answer to ABOR itself
		d.FIN()
		if err := c.Quit(); err != nil {
			t.Errorf("the session did not survive: %v", err)
		}
	}},
	{name: "stall", end: func(t *testing.T, _ *gateway, c *clients.Conn, d *clients.Data) {
		refusedReply(t, c, 426, 451)
		d.FIN()
		if err := c.Quit(); err != nil {
			t.Errorf("the session did not survive: %v", err)
		}
	}},
	{name: "SIGTERM of the gateway", restarts: true, end: func(t *testing.T, g *gateway, c *clients.Conn, d *clients.Data) {
		if err := g.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		code, err := g.Wait(ctx)
		if err != nil || code != 0 {
			t.Errorf("the gateway ended with %d, %v; want 0", code, err)
		}
		d.FIN()
		c.Close()
	}},
	{name: "kill -9 of the gateway", restarts: true, killed: true, end: func(_ *testing.T, g *gateway, c *clients.Conn, d *clients.Data) {
		g.Kill()
		d.FIN()
		c.Close()
	}},
}

// TestCuts breaks uploads off in every way, on every back end, small and large,
// plain and under TLS, over nothing and over an older object. Nothing
// of the broken upload may be seen, and the older object stays as it was.
// Only a local disk in its default mode keeps the part, as its documentation says.
func TestCuts(t *testing.T) {
	for _, kind := range []string{s3Kind, gcsKind, localKind, atomicKind} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			owner := t
			w := newWorld(t, kind)
			if kind == s3Kind {
				w.yaml = strings.TrimSuffix(w.yaml, "}") + ", abandon_after: 1s}"
			}
			// Killed clients die slowly where other tests keep the processors busy: doc/decisions/0001 has what the default is worth there.
			g := newGateway(t, w, "limits: {stall: 2s}", "shutdown_grace: 200ms", "cut: {grace: 1s, settle: 50ms}")
			n := 0
			for _, size := range []int{100 << 10, 12 << 20} {
				for _, tls := range []bool{false, true} {
					for _, over := range []bool{false, true} {
						for _, cut := range cuts {
							if cut.only == "tls" && !tls {
								continue
							}
							n++
							a := attempt{dir: fmt.Sprintf("case-%d", n), size: size, tls: tls, over: over}
							t.Run(fmt.Sprintf("%s/size=%d/tls=%v/over=%v", cut.name, size, tls, over), func(t *testing.T) {
								a.prepare(t, w, g)
								c := g.login(t, tls)
								d, err := c.Transfer(t.Context(), "STOR "+a.name())
								if err != nil {
									t.Fatal(err)
								}
								defer d.FIN()
								if _, err := d.Write(a.body()); err != nil {
									t.Fatal(err)
								}
								a.underWay(t, w)
								cut.end(t, g, c, d)
								if cut.restarts {
									g.start(t, owner)
								}
								if cut.killed {
									a.janitor(t, owner, w, g)
								}
								a.check(t, w, g)
							})
						}
						n++
						a := attempt{dir: fmt.Sprintf("case-%d", n), size: size, tls: tls, over: over}
						t.Run(fmt.Sprintf("SIGKILL of the client/size=%d/tls=%v/over=%v", size, tls, over), func(t *testing.T) {
							a.prepare(t, w, g)
							cmd := startVictim(t, victimArgs{g.secure(tls), a.name(), a.seed(), size})
							a.underWay(t, w)
							cmd.Process.Kill()
							cmd.Wait()
							a.check(t, w, g)
						})
					}
				}
			}
		})
	}
}

// attempt is an upload that is going to be broken off.
type attempt struct {
	dir  string
	size int
	tls  bool
	over bool // there is an older object
}

func (a attempt) name() string { return "/" + a.dir + "/f.bin" }
func (a attempt) seed() byte   { return byte(len(a.dir)) + a.dir[len(a.dir)-1] }
func (a attempt) body() []byte { return random(a.seed(), a.size) }

// old returns what was there before.
func (a attempt) old() []byte {
	if !a.over {
		return nil
	}
	return []byte("the older object of " + a.dir)
}

func (a attempt) prepare(t *testing.T, w *world, g *gateway) {
	t.Helper()
	g.mkdir(t, "/"+a.dir)
	if a.over {
		if err := w.store.Put(t.Context(), strings.TrimPrefix(a.name(), "/"), a.old()); err != nil {
			t.Fatal(err)
		}
	}
	if w.proxy != nil {
		w.proxy.Clear()
	}
}

// underWay waits until the gateway has begun with what a large upload leaves in a store.
func (a attempt) underWay(t *testing.T, w *world) {
	t.Helper()
	if a.size < 8<<20 {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	op := map[string]string{s3Kind: "UploadPart", gcsKind: "resumable.start"}[w.kind]
	if op == "" {
		return
	}
	if err := w.proxy.WaitCount(ctx, op, 1); err != nil {
		t.Fatal(err)
	}
}

func (a attempt) check(t *testing.T, w *world, g *gateway) {
	t.Helper()
	g.waitNoSessions(t)
	w.wantNoUploads(t)
	name := strings.TrimPrefix(a.name(), "/")
	if w.kind == localKind {
		// The classic way: what has arrived is there, in place of the older file.
		got, err := w.store.Get(t.Context(), name)
		if err != nil || !bytes.HasPrefix(a.body(), got) {
			t.Errorf("%d bytes (%v) that are no beginning of the upload", len(got), err)
		}
		return
	}
	w.wantObject(t, name, a.old())
	var want []string
	if a.over {
		want = []string{name}
	}
	if got := w.files(t, a.dir+"/"); !slices.Equal(got, want) {
		t.Errorf("files in %s: %q, want %q", a.dir, got, want)
	}
}

// janitor lets the gateway start until it has removed what the killed one left. It
// only takes what has been left for some time.
func (a attempt) janitor(t, owner *testing.T, w *world, g *gateway) {
	t.Helper()
	if w.kind == atomicKind {
		// A temporary file has to be an hour old. Nobody may see it until then.
		var parts []string
		for _, name := range w.files(t, a.dir+"/") {
			if strings.HasSuffix(name, ".part") {
				parts = append(parts, name)
				old := time.Now().Add(-2 * time.Hour)
				if err := os.Chtimes(filepath.Join(string(w.store.(store.Dir)), name), old, old); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(parts) == 0 {
			return
		}
		c := g.login(t, false)
		list, err := c.List(t.Context(), "LIST /"+a.dir)
		if err != nil || strings.Contains(list, ".part") {
			t.Errorf("a client sees the temporary file: %q, %v", list, err)
		}
		if err := c.Quit(); err != nil {
			t.Error(err)
		}
		g.again(t, owner)
		eventually(t, "the temporary file is removed", func(context.Context) (bool, error) {
			return !slices.ContainsFunc(w.files(t, a.dir+"/"), func(n string) bool { return strings.HasSuffix(n, ".part") }), nil
		})
		return
	}
	// Uploads have to be a second old, and are looked for at each start.
	eventually(t, "no open upload", func(ctx context.Context) (bool, error) {
		open, err := w.store.Uploads(ctx)
		if err != nil || len(open) == 0 {
			return err == nil, err
		}
		g.again(t, owner)
		time.Sleep(200 * time.Millisecond) // between two starts; how long does not matter
		return false, nil
	})
}

// again ends the gateway in order and starts it.
func (g *gateway) again(t, owner *testing.T) {
	t.Helper()
	if err := g.Stop(patience); err != nil {
		t.Fatal(err)
	}
	g.start(t, owner)
}

// TestNoFalseCuts uploads in order, a thousand times and in ways that come near a
// cut: none may be taken for one.
func TestNoFalseCuts(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{s3Kind, gcsKind, localKind, atomicKind} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			g := newGateway(t, w)
			for _, tls := range []bool{false, true} {
				t.Run(fmt.Sprintf("QUIT behind the last byte/tls=%v", tls), func(t *testing.T) {
					for i := range 20 {
						name := fmt.Sprintf("quit-%v-%d.bin", tls, i)
						body := random(byte(i), 50_000)
						c := g.login(t, tls)
						d, err := c.Transfer(t.Context(), "STOR "+name)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := d.Write(body); err != nil {
							t.Fatal(err)
						}
						// Odd rounds say QUIT before the data ends, and hang up their side behind it.
						if i%2 == 1 {
							if err := c.Send("QUIT"); err != nil {
								t.Fatal(err)
							}
							if !tls {
								c.Raw.CloseWrite()
							}
							d.Close()
						} else {
							d.Close()
							if err := c.Send("QUIT"); err != nil {
								t.Fatal(err)
							}
						}
						for _, want := range []int{226, 221} {
							if r, err := c.ReadReply(); err != nil || r.Code != want {
								t.Fatalf("round %d: %q, %v; want %d", i, r.Text, err, want)
							}
						}
						c.Close()
						w.wantObject(t, name, body)
					}
				})
				t.Run(fmt.Sprintf("1000 in a row/tls=%v", tls), func(t *testing.T) {
					c := g.login(t, tls)
					body := random(9, 3000)
					for i := range 1000 {
						// Ten names: what is written over must stay whole as well.
						r, err := c.Store(t.Context(), fmt.Sprintf("row-%d.bin", i%10), body)
						if err != nil || r.Code != 226 {
							t.Fatalf("upload %d: %q, %v; want 226", i, r.Text, err)
						}
					}
					for i := range 10 {
						w.wantObject(t, fmt.Sprintf("row-%d.bin", i), body)
					}
				})
			}
			// Programs that end right behind their last transfer, each a session of its own.
			t.Run("curl", func(t *testing.T) {
				curl := clients.All()[0]
				local := path.Join(g.target.Dir, "small")
				if err := writeFile(local, random(5, 1000)); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				for i := range 50 {
					if err := curl.Upload(ctx, g.target, local, fmt.Sprintf("/curl-%d.bin", i)); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}
