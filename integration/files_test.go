package integration

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// list runs a listing command and returns its lines, sorted.
func list(t *testing.T, c *clients.Conn, cmd string) []string {
	t.Helper()
	d, err := c.Transfer(t.Context(), cmd)
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	d.SetReadDeadline(time.Now().Add(clients.Patience))
	text, err := io.ReadAll(d)
	d.Close()
	r, rerr := c.ReadReply()
	if err = errors.Join(err, rerr); err != nil || r.Code != 226 {
		t.Fatalf("%s: %q, %v; want 226", cmd, r.Text, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\r\n"), "\r\n")
	slices.Sort(lines)
	return lines
}

// TestFileCommands is about digests, copies, parts that are put together, and listings with patterns, on
// each back end.
func TestFileCommands(t *testing.T) {
	for _, kind := range []string{localKind, atomicKind, s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w, "hash: {max_read: 1MiB, concurrent: 2}", "owners: hidden")
			content := random(1, 300<<10)
			if kind == localKind || kind == atomicKind {
				g.mkdir(t, "dir")
				g.mkdir(t, "dir/sub")
			}
			for name, b := range map[string][]byte{
				"a.bin": content, "b.txt": []byte("b"), "c.txt": []byte("c"), "large": make([]byte, 1<<20+1),
				"dir/d.txt": []byte("d"), "dir/sub/e.txt": []byte("e"),
				"part 1": content[:100], "part2": content[100:200],
			} {
				if err := w.store.Put(t.Context(), name, b); err != nil {
					t.Fatal(err)
				}
			}
			c := g.login(t, false)
			expect := func(code int, line, in string) {
				t.Helper()
				if r, err := c.Expect(code, line); err != nil || !strings.Contains(r.Text, in) {
					t.Errorf("%s: %q, %v; want %d with %q", line, r.Text, err, code, in)
				}
			}
			expect(213, "HASH a.bin", fmt.Sprintf("SHA-256 0-%d %x a.bin", len(content)-1, sha256.Sum256(content)))
			expect(350, "RANG 1000 1999", "")
			expect(213, "HASH a.bin", fmt.Sprintf("SHA-256 1000-1999 %x a.bin", sha256.Sum256(content[1000:2000])))
			expect(250, "XSHA256 a.bin 1000 2000", strings.ToUpper(fmt.Sprintf("%x", sha256.Sum256(content[1000:2000]))))
			expect(556, "HASH large", "")
			expect(350, "RANG 1 1048576", "")
			expect(213, "HASH large", "SHA-256 1-1048576 ")
			expect(550, "HASH missing", "")
			expect(553, "HASH dir", "")

			expect(350, "SITE CPFR a.bin", "")
			expect(250, "SITE CPTO dir/copy of a.bin", "")
			w.wantObject(t, "dir/copy of a.bin", content)
			w.wantObject(t, "a.bin", content)
			expect(350, "SITE CPFR b.txt", "")
			expect(250, "SITE CPTO dir/copy of a.bin", "")
			w.wantObject(t, "dir/copy of a.bin", []byte("b"))

			expect(250, `COMB whole "part 1" part2`, "")
			w.wantObject(t, "whole", content[:200])
			w.wantObject(t, "part 1", nil)
			w.wantObject(t, "part2", nil)
			expect(250, "COMB whole c.txt", "")
			w.wantObject(t, "whole", append(bytes.Clone(content[:200]), 'c'))
			w.wantObject(t, "c.txt", nil)
			w.wantNoUploads(t)

			for cmd, want := range map[string]string{
				"NLST *.txt":       "b.txt",
				"NLST [a-b].*":     "a.bin b.txt",
				"NLST dir/*.txt":   "dir/d.txt",
				"NLST d*/*/?.txt":  "dir/sub/e.txt",
				"NLST *.zzz":       "",
				"NLST dir/d.txt":   "dir/d.txt",
				"NLST -R dir":      "dir/copy of a.bin dir/d.txt dir/sub dir/sub/e.txt",
				"NLST -1a dir/sub": "e.txt",
			} {
				if got := strings.Join(list(t, c, cmd), " "); got != want {
					t.Errorf("%s: %q, want %q", cmd, got, want)
				}
			}
			if got := list(t, c, "LIST -lR dir"); !slices.Contains(got, "dir:") || !slices.Contains(got, "dir/sub:") ||
				!slices.ContainsFunc(got, func(l string) bool { return strings.HasSuffix(l, " e.txt") && strings.Contains(l, " ftp      ftp ") }) {
				t.Errorf("LIST -lR dir: %q", got)
			}
			if _, err := c.Expect(229, "EPSV"); err != nil {
				t.Fatal(err)
			}
			expect(550, "NLST missing", "")
			switch kind {
			case localKind, atomicKind:
				expect(213, "AVBL dir", "213 ")
				expect(213, "MDTM 20020304050607 b.txt", "")
				expect(213, "MDTM b.txt", "20020304050607")
			default:
				expect(550, "AVBL dir", "")
			}
			if err := c.Quit(); err != nil {
				t.Error(err)
			}
		})
	}
}
