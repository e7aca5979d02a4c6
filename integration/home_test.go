package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// No symbolic link leads out of a home into what is beside it in the same back end.
func TestLinksOutOfHome(t *testing.T) {
	for _, kind := range []string{localKind, atomicKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			disk := filepath.Join(w.dir, "disk")
			for _, d := range []string{"pub/own", "other"} {
				if err := os.MkdirAll(filepath.Join(disk, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range []string{"other/secret", "pub/own/file"} {
				if err := os.WriteFile(filepath.Join(disk, f), []byte("text"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for name, to := range map[string]string{"file": "../other/secret", "dir": "../other", "up": "..", "inside": "own"} {
				if err := os.Symlink(to, filepath.Join(disk, "pub", name)); err != nil {
					t.Fatal(err)
				}
			}
			g := newGateway(t, w, `anonymous: {home: "store:/pub", permissions: elradfmwMT}`)
			target := g.secure(false)
			target.User = "anonymous"
			c, err := clients.Login(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, cmd := range []string{"SIZE /file", "SIZE /dir/secret", "SIZE /up/other/secret", "CWD /dir", "CWD /up",
				"MKD /dir/made", "RMD /up/other", "DELE /dir/secret", "RNFR /dir/secret", "MDTM /file", "HASH /file",
				"STAT /dir", "SITE CPFR /file", "SITE CHMOD 600 /file", "MFMT 20010101000000 /file", "MLST /dir/secret"} {
				if _, err := c.Expect(550, cmd); err != nil {
					t.Error(err)
				}
			}
			if b, err := c.Retrieve(t.Context(), "/file"); err == nil {
				t.Errorf("read %q beside the home", b)
			}
			if r, err := c.Store(t.Context(), "/dir/new", []byte("x")); err == nil && r.Code == 226 {
				t.Error("wrote beside the home")
			}
			if b, err := c.Retrieve(t.Context(), "/inside/file"); err != nil || string(b) != "text" {
				t.Errorf("a link inside of the home: %q, %v", b, err)
			}
			if _, err := os.Stat(filepath.Join(disk, "other", "new")); err == nil {
				t.Error("a file was made beside the home")
			}
		})
	}
}
