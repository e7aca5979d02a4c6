package protocol_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// What can be seen of a session follows it, and costs it nothing.
func TestList(t *testing.T) {
	inBubble(t, func(s *protocol.Server) { s.Hosts = []protocol.Host{{Names: []string{"ftp.example.com"}}} },
		func(t *testing.T, d *door, s *protocol.Server) {
			g := d.enter("192.0.2.7")
			g.want("220")
			one := func() protocol.SessionInfo {
				t.Helper()
				synctest.Wait()
				list := s.List()
				if len(list) != 1 {
					t.Fatalf("%d sessions, want 1", len(list))
				}
				return list[0]
			}
			time.Sleep(3 * time.Second)
			if i := one(); i.Idle != 3*time.Second || i.User != "" || i.Claimed != "" || i.Remote.String() != "192.0.2.7:40000" || i.Verb != "" {
				t.Errorf("before USER: %+v", i)
			}
			g.cmd("HOST ftp.example.com", "220")
			g.cmd("CLNT cam", "200")
			g.cmd("USER "+strings.Repeat("é", 300), "331")
			if i := one(); len(i.Claimed) > 256 || !strings.HasPrefix(i.Claimed, "éé") || i.Host != "ftp.example.com" || i.Software != "cam" {
				t.Errorf("behind USER: %+v", i)
			}
			g.login("joe")
			if i := one(); i.User != "joe" || i.Claimed != "joe" || i.Anonymous || i.Idle != 0 {
				t.Errorf("behind the login: %+v", i)
			}
			time.Sleep(time.Minute)
			g.cmd("NOOP", "200")
			time.Sleep(5 * time.Second)
			if i := one(); i.Idle != 5*time.Second || time.Since(i.Start) != 68*time.Second {
				t.Errorf("behind NOOP: %+v", i)
			}
			g.cmd("REIN", "220")
			if i := one(); i.User != "" || i.Claimed != "" {
				t.Errorf("behind REIN: %+v", i)
			}
			g.login("anonymous")
			if i := one(); !i.Anonymous {
				t.Errorf("anonymous: %+v", i)
			}
			g.cmd("QUIT", "221")
			g.c.Close()
			synctest.Wait()
			if list := s.List(); len(list) != 0 {
				t.Errorf("behind the end: %+v", list)
			}
		})
}

// End ends an upload like a cut, and nobody else's.
func TestEnd(t *testing.T) {
	s := start(t, protocol.TLSNone, nil)
	other := dial(t, s.addr).login()
	c := dial(t, s.addr).login()
	data, _ := c.transfer("STOR a.bin")
	if _, err := data.Write(bytes.Repeat([]byte("x"), 100_000)); err != nil {
		t.Fatal(err)
	}
	var id uint64
	for deadline := time.Now().Add(30 * time.Second); id == 0; time.Sleep(time.Millisecond) {
		for _, i := range s.List() {
			if i.Transfer && i.Upload && i.Verb == "STOR" && i.Path == "/a.bin" && i.User == "joe" && i.Bytes == 100_000 {
				id = i.ID
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the upload is not seen: %+v", s.List())
		}
	}
	if s.End(id + 100) {
		t.Error("a session that does not exist was ended")
	}
	if !s.End(id) {
		t.Error("the session is not found")
	}
	c.want(426)
	c.want(421)
	if r := s.results(1); r[0] != protocol.Cut {
		t.Errorf("the transfer ended as %q, want cut", r[0])
	}
	if ends := s.tree.seen(); !slices.Equal(ends, []string{"abort"}) {
		t.Errorf("the file's end: %q, want abort", ends)
	}
	if !strings.Contains(s.log.String(), "result=cut") {
		t.Error("the log does not tell of the cut")
	}
	other.cmd(200, "NOOP")
}

// Idle sessions are told why they end.
func TestEndIdle(t *testing.T) {
	inBubble(t, func(*protocol.Server) {}, func(t *testing.T, d *door, s *protocol.Server) {
		g := d.enter("192.0.2.7")
		g.want("220")
		g.login("joe")
		synctest.Wait()
		if !s.End(s.List()[0].ID) {
			t.Error("the session is not found")
		}
		g.want("421")
	})
}

// switched is a handler that can be switched on, and asks for the client.
type switched struct {
	slog.Handler
	clients *[]protocol.Client
	client  protocol.Client
	on      func(protocol.Client) bool
}

func (h switched) Enabled(_ context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.on(h.client)
}
func (h switched) WithClient(c *protocol.Client) slog.Handler {
	*h.clients = append(*h.clients, *c)
	h.client = *c
	return h
}

// A handler that wants to know the client gets to know it; commands appear as soon as it wants them, and never a password.
func TestLogHandler(t *testing.T) {
	var out bytes.Buffer
	var clients []protocol.Client
	on := false
	inBubble(t, func(s *protocol.Server) {
		s.Log = slog.New(switched{Handler: slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), clients: &clients,
			on: func(c protocol.Client) bool { return on && c.Claimed == "joe" }})
	}, func(t *testing.T, d *door, s *protocol.Server) {
		g := d.enter("192.0.2.7")
		g.want("220")
		g.cmd("USER joe", "331")
		g.cmd("NOOP", "200")
		synctest.Wait()
		if strings.Contains(out.String(), "NOOP") {
			t.Errorf("commands are logged: %s", out.String())
		}
		on = true
		g.cmd("NOOP", "200")
		for _, l := range []string{"PASS s3cret-1", "pAsS s3cret-2", " PASS s3cret-3", "PASS\ts3cret-4", "PASSWORD s3cret-5", "PASSs3cret-6", "ACCT s3cret-7",
			"SITE PSWD s3cret-8 s3cret-9", "site  pass s3cret-10", "SITE PASSWD s3cret-11", "XPASS s3cret-12", "\x01PASS s3cret-13", "QUOTE PASS s3cret-14", "literal acct s3cret-15", "PAS s3cret-16", "PASD s3cret-17", "LOGIN joe s3cret-18", "P\x00ASS s3cret-19",
			"SITE CHPWD s3cret-20", "NOOP PASS s3cret-21", "HELP xpass s3cret-22"} {
			if _, err := g.c.Write([]byte(l + "\r\n")); err != nil {
				t.Fatal(err)
			}
			if reply, err := g.in.ReadString('\n'); err != nil {
				t.Fatal(err)
			} else if strings.HasPrefix(reply, "421") {
				t.Fatalf("%s: %s", l, reply)
			}
			if l == "pAsS s3cret-2" || l == "PASS s3cret-1" {
				g.cmd("USER joe", "331")
			}
		}
		g.cmd("PASS right", "230")
		synctest.Wait()
		got := out.String()
		if !strings.Contains(got, "<- NOOP") || !strings.Contains(got, "<- PASS ******") || !strings.Contains(got, "<- SITE PSW ******") {
			t.Errorf("the commands are not logged: %s", got)
		}
		if strings.Contains(strings.ToLower(got), "s3cret") || strings.Contains(got, "right") {
			t.Errorf("a password is in the log: %s", got)
		}
		if last := clients[len(clients)-1]; last.User != "joe" || last.ID == 0 {
			t.Errorf("the handler knows %+v", last)
		}
	})
}
