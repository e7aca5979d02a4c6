package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// TestTimeLimits makes each limit of time the only short one, and waits for what it ends. (That of the login has
// TestLoginDeadline.)
func TestTimeLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		kind string
		op   string // which the store does not answer
		run  func(t *testing.T, c *clients.Conn) error
	}{
		"idle": {kind: localKind, run: func(_ *testing.T, c *clients.Conn) error {
			if err := wantReplies(c, 421); err != nil {
				return err
			}
			return c.WaitEnd()
		}},
		"stall": {kind: localKind, run: func(t *testing.T, c *clients.Conn) error {
			d, err := c.Transfer(t.Context(), "STOR f")
			if err != nil {
				return err
			}
			defer d.Close()
			if _, err := d.Write([]byte("half")); err != nil {
				return err
			}
			if err := wantReplies(c, 426); err != nil {
				return err
			}
			_, err = c.Expect(200, "NOOP") // the session goes on
			return err
		}},
		"connect": {kind: localKind, run: func(_ *testing.T, c *clients.Conn) error {
			if _, err := c.Expect(229, "EPSV"); err != nil {
				return err
			}
			if _, err := c.Expect(150, "STOR f"); err != nil {
				return err
			}
			return wantReplies(c, 425)
		}},
		"command": {kind: s3Kind, op: "HeadObject", run: func(_ *testing.T, c *clients.Conn) error {
			_, err := c.Expect(450, "SIZE f")
			return err
		}},
		"commit": {kind: s3Kind, op: "PutObject", run: func(t *testing.T, c *clients.Conn) error {
			r, err := c.Store(t.Context(), "f", []byte("text"))
			if err == nil && r.Code != 451 {
				err = fmt.Errorf("%q, want 451", r.Text)
			}
			return err
		}},
		"rename": {kind: s3Kind, op: "CopyObject", run: func(_ *testing.T, c *clients.Conn) error {
			if _, err := c.Expect(350, "RNFR old"); err != nil {
				return err
			}
			_, err := c.Expect(450, "RNTO new")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.kind)
			if err := w.store.Put(t.Context(), "old", []byte("text")); err != nil {
				t.Fatal(err)
			}
			limits := "login: 1h, idle: 1h, stall: 1h, connect: 1h, command: 1h, commit: 1h, rename: 1h"
			g := newGateway(t, w, "limits: {"+strings.Replace(limits, name+": 1h", name+": 2s", 1)+"}")
			c := g.login(t, false)
			if tt.op != "" {
				w.proxy.Add(fault.Rule{Match: fault.Op(tt.op), Hang: true})
			}
			if err := tt.run(t, c); err != nil {
				t.Error(err)
			}
			w.wantObject(t, "old", []byte("text"))
		})
	}
}

// TestConnectionsInAll fills the server with users that are logged in: nobody makes room, and one more is refused until one leaves.
func TestConnectionsInAll(t *testing.T) {
	g := newGateway(t, newWorld(t, localKind), "limits: {connections: 2}")
	a, b := g.login(t, false), g.login(t, false)
	if code, err := g.knock(t.Context(), ""); err != nil || code != 421 {
		t.Errorf("a third is greeted with %d, %v; want 421", code, err)
	}
	if _, err := b.Expect(200, "NOOP"); err != nil {
		t.Error(err)
	}
	if err := a.Quit(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the place of the session that has ended", func(ctx context.Context) (bool, error) {
		code, err := g.knock(ctx, "")
		return code == 220, err
	})
}

// TestLoginAttempts ends a session at the last wrong password that it is allowed, whatever the guard says.
func TestLoginAttempts(t *testing.T) {
	g := newGateway(t, newWorld(t, localKind), "limits: {login_attempts: 2, login_delay: 0s}", calm[0])
	c := g.from(t, "")
	try(t, c, user, "wrong", 530)
	try(t, c, user, "wrong", 421)
	if err := c.WaitEnd(); err != nil {
		t.Error(err)
	}
	g.wantLogin(t, user, password, 230)
}

// TestEndBeforeAHangingStore asks the program to end while a commit waits for a store that does not answer: it ends when the
// limit of a commit has passed, the client is not told that its file is there, and nothing of it is.
func TestEndBeforeAHangingStore(t *testing.T) {
	t.Parallel()
	for kind, op := range map[string]string{s3Kind: "PutObject", gcsKind: "objects.insert"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w, "shutdown_grace: 100ms", "limits: {commit: 2s}")
			c := g.login(t, false)
			w.proxy.Add(fault.Rule{Match: fault.Op(op), Hang: true})
			d, err := c.Transfer(t.Context(), "STOR f")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Write([]byte("text")); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if err := w.proxy.WaitCount(t.Context(), op, 1); err != nil {
				t.Fatal(err)
			}
			if err := g.Stop(patience); err != nil { // within patience, or it is killed and that is an error
				t.Fatal(err)
			}
			for {
				r, err := c.ReadReply()
				if err != nil {
					break
				}
				if r.Code < 400 {
					t.Errorf("the client is told %q", r.Text)
				}
			}
			if files := w.files(t, ""); len(files) > 0 {
				t.Errorf("the bucket has %v", files)
			}
		})
	}
}
