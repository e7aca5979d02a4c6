package integration

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// forbidden is a store that says no to everybody.
var forbidden = fault.Rule{Status: 403, Body: `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>`}

// TestBadInput sends what no client should: each line gets a clear answer, and the
// session goes on.
func TestBadInput(t *testing.T) {
	for _, kind := range []string{s3Kind, gcsKind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w)
			c := g.login(t, false)
			badName := []int{501, 553}
			type step struct {
				name, line string
				want       []int
				passive    bool // promise a data connection first
			}
			steps := []step{
				{"unknown command", "FROB x", []int{500, 502}, false},
				{"unknown command, unprintable", "\x01\x02\x03", []int{500, 502}, false},
				{"empty line", "", []int{500}, false},
				{"no argument", "RETR", []int{501}, false},
				{"bad type", "TYPE X", []int{501, 504}, false},
				{"bad PORT", "PORT 1,2,3", []int{501}, false},
				{"bad PORT, numbers", "PORT 1,2,3,4,999,1", []int{501}, false},
				{"bad EPRT", "EPRT |9|::|0|", []int{501, 522}, false},
				{"bad REST", "REST -1", []int{501}, false},
				{"huge REST", "REST 99999999999999999999999", []int{501}, false},
				{"RNTO without RNFR", "RNTO b", []int{503}, false},
				{"PBSZ without AUTH", "PBSZ 0", []int{503}, false},
				{"over-long line", "STOR " + strings.Repeat("a", 100_000), []int{500}, false},
				{"over-long garbage", strings.Repeat("\xff", 1<<20), []int{500}, false},
				{"name with NUL", "STOR a\x00b", badName, false},
				{"name with NUL, DELE", "DELE a\x00b", badName, false},
				{"name with CR", "MKD a\rb", badName, false},
				{"name with NUL, RNFR", "RNFR a\x00b", badName, false},
			}
			if kind != localKind {
				steps = append(steps,
					step{"invalid UTF-8, STOR", "STOR caf\xe9.jpg", []int{553}, true},
					step{"invalid UTF-8, MKD", "MKD caf\xe9", []int{553}, false})
			}
			for _, s := range steps {
				t.Run(s.name, func(t *testing.T) {
					if s.passive {
						if _, err := c.Expect(229, "EPSV"); err != nil {
							t.Fatal(err)
						}
					}
					r, err := c.Cmd(s.line)
					if err != nil || !slices.Contains(s.want, r.Code) {
						t.Fatalf("%.40q: %q, %v; want one of %v", s.line, r.Text, err, s.want)
					}
					// Exactly one answer, and the session works.
					if r, err := c.Cmd("NOOP"); err != nil || r.Code != 200 {
						t.Fatalf("NOOP behind it: %q, %v; want 200", r.Text, err)
					}
				})
			}
			if r, err := c.Store(t.Context(), "fine.txt", []byte("fine")); err != nil || r.Code != 226 {
				t.Errorf("an upload behind all that: %q, %v; want 226", r.Text, err)
			}
			if got := w.files(t, ""); !slices.Equal(got, []string{"fine.txt"}) {
				t.Errorf("files: %q; want only the proper one", got)
			}
		})
	}
}

// TestGarbage lets strangers send noise, before and after the login, and looks
// whether the process is still there.
func TestGarbage(t *testing.T) {
	w := newWorld(t, localKind)
	g := newGateway(t, w, "limits: {login_delay: 0s}", "guard: {failures: 0}") // some of the noise is a wrong password
	rnd := rand.New(rand.NewChaCha8([32]byte{42}))
	verbs := []string{"USER", "PASS", "STOR", "RETR", "LIST", "MLSD", "PORT", "EPRT", "REST", "SITE", "OPTS", "MKD", "CWD", "RNFR", "RNTO", "AUTH TLS", "PASV", "ABOR"}
	for i := range 60 {
		var c *clients.Conn
		var err error
		if i%2 == 0 {
			c, err = clients.Dial(t.Context(), g.Addr)
		} else {
			c, err = clients.Login(t.Context(), g.target)
		}
		if err != nil {
			t.Fatal(err)
		}
		// The other side may hang up whenever it likes: errors are no news here.
		drained := make(chan struct{})
		go func() { // ends when the connection does
			io.Copy(io.Discard, c.Raw)
			close(drained)
		}()
		for range 40 {
			b := make([]byte, rnd.IntN(300))
			for j := range b {
				b[j] = byte(rnd.Uint32())
			}
			line := append([]byte(nil), b...)
			if rnd.IntN(2) == 0 {
				line = append([]byte(verbs[rnd.IntN(len(verbs))]+" "), b...)
			}
			if c.SendRaw(append(line, '\r', '\n')) != nil {
				break
			}
		}
		c.Raw.CloseWrite()
		c.Raw.SetReadDeadline(time.Now().Add(clients.Patience))
		<-drained
		c.Close()
	}
	if !g.Running() {
		t.Fatal("the gateway is gone")
	}
	c := g.login(t, false)
	if r, err := c.Store(t.Context(), "alive.txt", []byte("alive")); err != nil || r.Code != 226 {
		t.Errorf("an upload after the noise: %q, %v; want 226", r.Text, err)
	}
	if n, err := g.metric(t.Context(), "ftp_gateway_panics_total"); err != nil || n != 0 {
		t.Errorf("%v sessions ended with a programming error (%v)", n, err)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	g.waitNoSessions(t)
}

// TestStoreErrorsStayInside lets the store fail with texts of its own: a client sees none of them.
func TestStoreErrorsStayInside(t *testing.T) {
	w := newWorld(t, s3Kind)
	g := newGateway(t, w)
	c := g.login(t, false)
	secret := "arn:aws:iam::123456789012:role/very-secret"
	w.proxy.Add(fault.Rule{Status: 403, Body: fmt.Sprintf(`<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>%s&#10;250 fake</Message></Error>`, secret)})
	var seen strings.Builder
	for _, line := range []string{"SIZE a", "DELE a", "MKD d", "RMD d", "RNFR a", "MDTM a", "CWD d"} {
		r, err := c.Cmd(line)
		if err != nil {
			t.Fatal(err)
		}
		if r.Code < 400 {
			t.Errorf("%s: %q although the store refused", line, r.Text)
		}
		seen.WriteString(r.Text)
	}
	r, err := c.Store(context.WithoutCancel(t.Context()), "a", []byte("x"))
	if err == nil && r.Code < 400 {
		t.Errorf("STOR: %q although the store refused", r.Text)
	}
	seen.WriteString(r.Text)
	for _, bad := range []string{secret, "AccessDenied", bucket, "fake"} {
		if strings.Contains(seen.String(), bad) {
			t.Errorf("the client was told %q:\n%s", bad, seen.String())
		}
	}
	if !strings.Contains(g.Log(), "AccessDenied") {
		t.Error("the log does not tell what the store said")
	}
}
