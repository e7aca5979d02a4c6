package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// TestAppend appends to and restarts in objects of all sizes, through the built binary.
func TestAppend(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w)
			c := g.login(t, false)
			send := func(line string, body []byte) {
				t.Helper()
				d, err := c.Transfer(t.Context(), line)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := d.Write(body); err != nil {
					t.Fatal(err)
				}
				d.Close()
				if r, err := c.ReadReply(); err != nil || r.Code != 226 {
					t.Fatalf("%s: %q, %v; want 226", line, r.Text, err)
				}
			}
			const part = 5 << 20
			for _, size := range []int{-1, 0, 100, part - 1, part, part + 1, 9<<20 + 7} {
				t.Run(fmt.Sprint("34 APPE to ", size), func(t *testing.T) {
					var have []byte
					if size >= 0 {
						have = random(1, size)
						if err := w.store.Put(t.Context(), "f", have); err != nil {
							t.Fatal(err)
						}
					}
					for i, more := range []int{1, 0, part + 3} {
						tail := random(byte(2+i), more)
						send("APPE f", tail)
						have = append(have[:len(have):len(have)], tail...)
						w.wantObject(t, "f", have)
					}
					for _, n := range []int{len(have), part + 1, 77} {
						if n > len(have) {
							continue
						}
						if _, err := c.Expect(350, fmt.Sprint("REST ", n)); err != nil {
							t.Fatal(err)
						}
						send("STOR f", []byte("behind"))
						have = append(have[:n:n], "behind"...)
						w.wantObject(t, "f", have)
					}
					if _, err := c.Expect(250, "DELE f"); err != nil {
						t.Fatal(err)
					}
					w.wantNoUploads(t)
					if left := w.files(t, ""); len(left) > 0 {
						t.Errorf("left in the bucket: %q", left)
					}
				})
			}
			// Programs that go on where the object ends.
			body := random(7, 12<<20+5)
			local := filepath.Join(g.target.Dir, "body")
			if err := os.WriteFile(local, body, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, have := range []int{1000, 7 << 20} {
				t.Run(fmt.Sprint("programs behind ", have), func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					for name, resume := range map[string]func(context.Context, clients.Target, string, string) error{
						"curl": clients.CurlResume, "lftp": clients.LftpResume,
					} {
						if err := w.store.Put(ctx, name, body[:have]); err != nil {
							t.Fatal(err)
						}
						if err := resume(ctx, g.target, local, "/"+name); err != nil {
							t.Errorf("%s: %v", name, err)
						}
						w.wantObject(t, name, body)
					}
				})
			}
		})
	}
}
