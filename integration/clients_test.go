package integration

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// TestClients is the promise of the product: whatever client, whatever store,
// plain or TLS, a file goes in, is seen in the store by the vendor's own SDK byte for
// byte, is listed, comes out again, is renamed and deleted.
func TestClients(t *testing.T) {
	t.Parallel()
	for _, c := range clients.All() {
		if err := c.Installed(t.Context()); err != nil {
			t.Fatalf("%s is missing, and no client is left out: %v", c.Name(), err)
		}
	}
	sizes := []int{0, 10 << 10, 50 << 20}
	dir := t.TempDir()
	bodies := map[int][]byte{}
	for _, n := range sizes {
		bodies[n] = random(byte(n>>10), n)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), bodies[n], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{s3Kind, gcsKind, localKind} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			g := newGateway(t, w)
			g.mkdir(t, "/in")
			for _, c := range clients.All() {
				for _, tls := range []bool{false, true} {
					if tls && !c.TLS() {
						continue
					}
					for _, n := range sizes {
						t.Run(fmt.Sprintf("%s/tls=%v/%d", c.Name(), tls, n), func(t *testing.T) {
							oneClient(t, w, g.secure(tls), c, filepath.Join(dir, fmt.Sprint(n)), bodies[n])
						})
					}
				}
			}
		})
	}
}

func oneClient(t *testing.T, w *world, target clients.Target, c clients.Client, local string, body []byte) {
	ctx := t.Context()
	target.Dir = t.TempDir()
	if c.ReadOnly() {
		if err := w.store.Put(ctx, "in/photo 1.jpg", body); err != nil {
			t.Fatal(err)
		}
	} else if err := c.Upload(ctx, target, local, "/in/photo 1.jpg"); err != nil {
		t.Fatal("upload: ", err)
	}
	w.wantObject(t, "in/photo 1.jpg", body)
	w.wantNoUploads(t)

	list, err := c.List(ctx, target, "/in")
	if err != nil || !slices.Equal(list, []string{"photo 1.jpg"}) {
		t.Errorf("list = %q, %v; want the one file", list, err)
	}

	back := filepath.Join(target.Dir, "back")
	if err := c.Download(ctx, target, "/in/photo 1.jpg", back); err != nil {
		t.Fatal("download: ", err)
	}
	got, err := os.ReadFile(back)
	if err != nil || sha256.Sum256(got) != sha256.Sum256(body) {
		t.Errorf("downloaded %d bytes (%v), which are not the %d that were sent", len(got), err, len(body))
	}

	last := "in/photo 1.jpg"
	if c.ReadOnly() {
		conn, err := clients.Login(ctx, target)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Expect(250, "DELE /"+last); err != nil {
			t.Fatal(err)
		}
		if err := conn.Quit(); err != nil {
			t.Error(err)
		}
	} else {
		last = "in/photo 2.jpg"
		if err := c.Rename(ctx, target, "/in/photo 1.jpg", "/in/photo 2.jpg"); err != nil {
			t.Fatal("rename: ", err)
		}
		w.wantObject(t, "in/photo 1.jpg", nil)
		w.wantObject(t, last, body)
		if err := c.Delete(ctx, target, "/"+last); err != nil {
			t.Fatal("delete: ", err)
		}
	}
	w.wantObject(t, last, nil)
	if left := w.files(t, "in/"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
