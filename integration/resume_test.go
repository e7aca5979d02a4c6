package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/gcs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/s3"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// sizeOf asks for the SIZE of a file, -1 for none.
func sizeOf(t *testing.T, c *clients.Conn, name string) int {
	t.Helper()
	r, err := c.Cmd("SIZE " + name)
	if err != nil {
		t.Fatal(err)
	}
	var code, n int
	if fmt.Sscanf(r.Text, "%d %d", &code, &n); code != 213 {
		return -1
	}
	return n
}

// TestResumeOfCuts cuts uploads with cut: resume, and goes on with them, through the built binary.
func TestResumeOfCuts(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			owner := t
			w := newWorld(t, kind)
			w.yaml = strings.Replace(w.yaml, "{", "{cut: resume, ", 1)
			g := newGateway(t, w)
			body := random(3, 26<<20+77)
			local := filepath.Join(g.target.Dir, "body")
			if err := os.WriteFile(local, body, 0o600); err != nil {
				t.Fatal(err)
			}
			// cut sends n bytes and dies, as a device does that loses its power supply.
			cut := func(t *testing.T, name string, n int) {
				t.Helper()
				c := g.login(t, false)
				d, err := c.Transfer(t.Context(), "STOR "+name)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := d.Write(body[:n]); err != nil {
					t.Fatal(err)
				}
				c.Close()
				d.FIN()
				ask := g.login(t, false)
				eventually(t, "the upload is parked", func(context.Context) (bool, error) { return sizeOf(t, ask, name) == n, nil })
				if got := listedSizes(t, ask, "/")[name]; got != n { // also in the place of an older object
					t.Errorf("MLSD tells %d bytes of %s, want %d", got, name, n)
				}
				ask.Quit()
				g.waitNoSessions(t) // it tells the size a moment before it lets go of the name
			}
			clean := func(t *testing.T, name string) {
				t.Helper()
				w.wantObject(t, name, body)
				w.wantNoUploads(t)
				for _, key := range w.files(t, "") {
					if strings.HasPrefix(key, ".ftpgw/") {
						t.Errorf("left: %q", key)
					}
				}
			}
			goOn := func(t *testing.T, c *clients.Conn, name string, at int) {
				t.Helper()
				if _, err := c.Expect(350, fmt.Sprint("REST ", at)); err != nil {
					t.Fatal(err)
				}
				d, err := c.Transfer(t.Context(), "STOR "+name)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := d.Write(body[at:]); err != nil {
					t.Fatal(err)
				}
				d.Close()
				if r, err := c.ReadReply(); err != nil || r.Code != 226 {
					t.Fatalf("%q, %v; want 226", r.Text, err)
				}
			}
			for _, n := range []int{1, 5 << 20, 8<<20 + 1, 25 << 20} {
				t.Run(fmt.Sprint("28 cut at ", n), func(t *testing.T) {
					cut(t, "cut", n)
					w.wantObject(t, "cut", nil)
					c := g.login(t, false)
					goOn(t, c, "cut", n)
					clean(t, "cut")
					if _, err := c.Expect(250, "DELE cut"); err != nil {
						t.Error(err)
					}
				})
			}
			for name, resume := range map[string]func(context.Context, clients.Target, string, string) error{
				"curl": clients.CurlResume, "lftp": clients.LftpResume,
			} {
				t.Run("28 "+name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					cut(t, name, 11<<20+3)
					if err := resume(ctx, g.target, local, "/"+name); err != nil {
						t.Error(err)
					}
					clean(t, name)
				})
			}
			t.Run("29 kill -9", func(t *testing.T) {
				c := g.login(t, false)
				d, err := c.Transfer(t.Context(), "STOR killed")
				if err != nil {
					t.Fatal(err)
				}
				const sent = 25 << 20
				if _, err := d.Write(body[:sent]); err != nil {
					t.Fatal(err)
				}
				ask := g.login(t, false)
				eventually(t, "parts are durable", func(context.Context) (bool, error) { return sizeOf(t, ask, "killed") >= 10<<20, nil })
				g.Kill()
				g.start(t, owner)
				again := g.login(t, false)
				n := sizeOf(t, again, "killed")
				if n < 10<<20 || n > sent {
					t.Fatalf("SIZE %d of %d sent", n, sent)
				}
				t.Logf("%d of %d bytes are durable behind kill -9", n, sent)
				w.wantObject(t, "killed", nil)
				goOn(t, again, "killed", n)
				clean(t, "killed")
			})
			t.Run("30 and 31 wrong offsets", func(t *testing.T) {
				old := random(9, 100)
				if err := w.store.Put(t.Context(), "old", old); err != nil {
					t.Fatal(err)
				}
				cut(t, "old", 12<<20)
				c := g.login(t, false)
				for _, n := range []int{100, 12<<20 - 1, 12<<20 + 1} {
					if _, err := c.Expect(350, fmt.Sprint("REST ", n)); err != nil {
						t.Fatal(err)
					}
					if _, err := c.Expect(229, "EPSV"); err != nil {
						t.Fatal(err)
					}
					if _, err := c.Expect(554, "STOR old"); err != nil {
						t.Error(err)
					}
				}
				w.wantObject(t, "old", old)
				goOn(t, c, "old", 12<<20)
				clean(t, "old")
			})
			t.Run("32 two sessions", func(t *testing.T) {
				cut(t, "two", 12<<20)
				first, second := g.login(t, false), g.login(t, false)
				if _, err := first.Expect(350, fmt.Sprint("REST ", 12<<20)); err != nil {
					t.Fatal(err)
				}
				d, err := first.Transfer(t.Context(), "STOR two")
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range []string{fmt.Sprint("REST ", 12<<20), "EPSV"} {
					if _, err := second.Cmd(line); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := second.Expect(450, "STOR two"); err != nil {
					t.Error(err)
				}
				if _, err := d.Write(body[12<<20:]); err != nil {
					t.Fatal(err)
				}
				d.Close()
				if r, err := first.ReadReply(); err != nil || r.Code != 226 {
					t.Fatalf("%q, %v; want 226", r.Text, err)
				}
				clean(t, "two")
			})
		})
	}
}

// TestParkS3 and TestParkGCS run the suite of resumed uploads on real store servers.
func TestParkS3(t *testing.T) {
	t.Parallel()
	s, err := servers.StartS3(t.Context(), t.TempDir(), "parks")
	if err != nil {
		t.Fatal(err)
	}
	watch(t, s.Process)
	ctx := context.WithoutCancel(t.Context())
	raw := store.NewS3(s.URL(), servers.S3Region, servers.S3Key, servers.S3Secret, "parks")
	parkSuite(t, 5<<20, raw, func() (object.Store, error) {
		return s3.New(ctx, s3.Options{Bucket: "parks", Region: servers.S3Region, Endpoint: s.URL(), PathStyle: true,
			Profile: "versitygw", AccessKey: servers.S3Key, SecretKey: servers.S3Secret, Budget: object.NewBudget(budget)})
	})
}

func TestParkGCS(t *testing.T) {
	t.Parallel()
	g, err := servers.StartGCS(t.Context(), t.TempDir(), "", "parks")
	if err != nil {
		t.Fatal(err)
	}
	watch(t, g.Process)
	ctx := context.WithoutCancel(t.Context())
	raw, err := store.NewGCS(ctx, g.URL(), "parks")
	if err != nil {
		t.Fatal(err)
	}
	parkSuite(t, 1<<20, raw, func() (object.Store, error) {
		return gcs.New(ctx, gcs.Options{Bucket: "parks", Endpoint: g.URL(), Anonymous: true, Budget: object.NewBudget(budget), PartSize: 1 << 20})
	}, vfs.ErrUnavailable) // fake-gcs-server answers 500 where a part to join is missing; the service 404
}

func parkSuite(t *testing.T, part int64, raw store.Emptier, open func() (object.Store, error), loser ...error) {
	vfstest.RunPark(t, part, func(t *testing.T) (afero.Fs, func() afero.Fs) {
		if err := raw.Empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx := context.WithoutCancel(t.Context())
			if up, err := raw.Uploads(ctx); err != nil || len(up) > 0 {
				t.Errorf("uploads are left open: %q, %v", up, err)
			}
			names, err := raw.Names(ctx, ".ftpgw/")
			for _, name := range names {
				if err != nil || !strings.HasSuffix(name, "/") {
					t.Errorf("left: %q, %v", name, err)
				}
			}
		})
		another := func() afero.Fs {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			p, err := object.NewParks(s, ".ftpgw/")
			if err != nil {
				t.Fatal(err)
			}
			tree, err := object.New(s, object.Options{Parks: p})
			if err != nil {
				t.Fatal(err)
			}
			return tree
		}
		return another(), another
	}, loser...)
}
