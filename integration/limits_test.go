package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// TestThrottle measures a limited transfer against one without a limit: a ratio, as the machine may be as slow as it
// likes. How accurate limits are is shown on a fake clock, in package protocol.
func TestThrottle(t *testing.T) {
	for _, c := range []struct {
		name, limits string
	}{
		{"connection", "limits: {upload: 512KiB/s, download: 512KiB/s}"},
		{"total", "limits: {total_upload: 512KiB/s, total_download: 512KiB/s}"},
		{"user", ""},
	} {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,tls=%v", c.name, tls), func(t *testing.T) {
				t.Parallel()
				const size = 1 << 20
				body := random(7, size)
				w := newWorld(t, localKind)
				g := prepareGateway(t, w, c.limits)
				name := user
				if c.name == "user" {
					name = "slow"
					g.addUser(t, `  - {name: slow, password: "plain:`+password+`", home: "store:/", limits: {upload: 512KiB/s, download: 512KiB/s}}`)
				}
				g.start(t, t)
				target := g.secure(tls)
				target.User = name
				conn, err := clients.Login(t.Context(), target)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				begin := time.Now()
				if r, err := conn.Store(t.Context(), "f", body); err != nil || r.Code != 226 {
					t.Fatalf("%q, %v", r.Text, err)
				}
				up := time.Since(begin)
				w.wantObject(t, "f", body)
				begin = time.Now()
				if got, err := conn.Retrieve(t.Context(), "f"); err != nil || len(got) != size {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
				down := time.Since(begin)
				// Never faster than it may be; how much slower is the machine's affair.
				for what, took := range map[string]time.Duration{"upload": up, "download": down} {
					if least := 1900 * time.Millisecond; took < least {
						t.Errorf("%s of 1 MiB at 512 KiB/s took %v, want %v or more", what, took, least)
					}
				}
			})
		}
	}
}

// addUser adds a user to a configuration that has not been started.
func (g *gateway) addUser(t *testing.T, line string) {
	t.Helper()
	g.edit(t, func(text string) string { return strings.Replace(text, "users:\n", "users:\n"+line+"\n", 1) })
}

// storeCode stores a file and returns the last reply's code; the server may end the data early.
func storeCode(t *testing.T, c *clients.Conn, name string, body []byte) int {
	t.Helper()
	r, err := c.Store(t.Context(), name, body)
	var refused *clients.Refused
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err != nil && r.Code == 0 {
		if r, err = c.ReadReply(); err != nil {
			t.Fatal(err)
		}
	}
	return r.Code
}

// TestFileSize stores what fits and what does not, on each kind of back end.
func TestFileSize(t *testing.T) {
	for _, kind := range []string{localKind, atomicKind, s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			g := prepareGateway(t, w, "limits: {file_size: 1MiB}")
			g.addUser(t, `  - {name: small, password: "plain:`+password+`", home: "store:/", limits: {file_size: 1KiB}}`)
			g.start(t, t)
			c := g.login(t, false)
			body := random(1, 1<<20)
			if code := storeCode(t, c, "fits", body); code != 226 {
				t.Errorf("what fits: %d, want 226", code)
			}
			w.wantObject(t, "fits", body)
			if _, err := c.Expect(552, fmt.Sprintf("ALLO %d", 1<<20+1)); err != nil {
				t.Error(err)
			}
			large := random(2, 1<<20+1)
			if code := storeCode(t, c, "large", large); code != 552 {
				t.Errorf("a byte too many: %d, want 552", code)
			}
			w.wantObject(t, "large", nil)
			if kind != localKind { // which writes in place
				if code := storeCode(t, c, "fits", large); code != 552 {
					t.Errorf("in place of another: %d, want 552", code)
				}
				w.wantObject(t, "fits", body)
			}
			if kind == s3Kind {
				w.wantNoUploads(t)
			}
			target := g.target
			target.User = "small"
			s, err := clients.Login(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if code := storeCode(t, s, "own", random(3, 1025)); code != 552 {
				t.Errorf("beyond the user's own limit: %d, want 552", code)
			}
			w.wantObject(t, "own", nil)
		})
	}
}

// TestFreeSpace asks for more free space than the disk has, and for less.
func TestFreeSpace(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "limits: {free_space: 4000TiB}")
	c := g.login(t, false)
	if code := storeCode(t, c, "f", []byte("x")); code != 452 {
		t.Errorf("STOR: %d, want 452", code)
	}
	w.wantObject(t, "f", nil)

	w = newWorld(t, localKind)
	g = newGateway(t, w, "limits: {free_space: 1}")
	c = g.login(t, false)
	data := random(1, 9<<20) // it is looked at again in the middle
	if code := storeCode(t, c, "f", data); code != 226 {
		t.Errorf("STOR: %d, want 226", code)
	}
	w.wantObject(t, "f", data)
}

// TestQuota fills homes, and restarts the server in between.
func TestQuota(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w)
	g.addUser(t, `  - {name: joe, password: "plain:`+password+`", home: "store:/joe", limits: {quota: {bytes: 1MiB, files: 3}}}`)
	g.start(t, t)
	target := g.target
	target.User = "joe"
	login := func() *clients.Conn {
		t.Helper()
		c, err := clients.Login(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := login()
	if code := storeCode(t, c, "a", random(1, 600<<10)); code != 226 {
		t.Fatalf("STOR: %d, want 226", code)
	}
	if _, err := c.Expect(552, "ALLO 500000"); err != nil {
		t.Error(err)
	}
	if _, err := c.Expect(200, "ALLO 400000"); err != nil {
		t.Error(err)
	}
	if code := storeCode(t, c, "b", random(2, 500<<10)); code != 552 {
		t.Errorf("beyond the quota: %d, want 552", code)
	}
	w.wantObject(t, "joe/b", nil)
	c.Close()
	if err := g.Stop(patience); err != nil {
		t.Fatal(err)
	}
	g.start(t, t)
	c = login()
	if code := storeCode(t, c, "b", random(2, 500<<10)); code != 552 {
		t.Errorf("after a restart: %d, want 552", code)
	}
	if _, err := c.Expect(250, "DELE a"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "c", "d"} {
		if code := storeCode(t, c, name, []byte("x")); code != 226 {
			t.Errorf("%s: %d, want 226", name, code)
		}
	}
	if code := storeCode(t, c, "e", []byte("x")); code != 552 {
		t.Errorf("a fourth file: %d, want 552", code)
	}
	if _, err := os.Lstat(filepath.Join(w.dir, "disk", "joe", "e")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the fourth file is there (%v)", err)
	}
}
