package protocol_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/auth/guard"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// door is a listener over pipes, for many clients with addresses of their own in a bubble.
type door struct {
	t     *testing.T
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.done:
		return nil, net.ErrClosed
	}
}
func (d *door) Close() error   { d.once.Do(func() { close(d.done) }); return nil }
func (d *door) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 21} }

type visitor struct {
	net.Conn
	d      *door
	remote *net.TCPAddr
}

func (v visitor) RemoteAddr() net.Addr { return v.remote }
func (v visitor) LocalAddr() net.Addr  { return v.d.Addr() }

// guest is the client's end.
type guest struct {
	t  *testing.T
	c  net.Conn
	in *bufio.Reader
}

func (d *door) enter(from string) *guest {
	d.t.Helper()
	ours, theirs := net.Pipe()
	d.conns <- visitor{theirs, d, &net.TCPAddr{IP: net.ParseIP(from), Port: 40000}}
	d.t.Cleanup(func() { ours.Close() })
	return &guest{d.t, ours, bufio.NewReader(ours)}
}

// want reads a reply of one line.
func (g *guest) want(code string) {
	g.t.Helper()
	l, err := g.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(l, code+" ") {
		g.t.Fatalf("got %q, %v, want %s", l, err, code)
	}
}

func (g *guest) cmd(line, code string) {
	g.t.Helper()
	if _, err := g.c.Write([]byte(line + "\r\n")); err != nil {
		g.t.Fatalf("%s: %v", line, err)
	}
	g.want(code)
}

func (g *guest) login(user string) {
	g.t.Helper()
	g.cmd("USER "+user, "331")
	g.cmd("PASS right", "230")
}

// oneWord lets everybody in whose password is "right", names the users, and knows no "ghost".
type oneWord struct{ called func(user string) }

func (o oneWord) Authenticate(_ context.Context, r auth.Request) (*auth.Account, error) {
	if o.called != nil {
		o.called(r.User)
	}
	if r.User == "ghost" {
		return nil, auth.ErrUnknownUser
	}
	if r.Password != "right" {
		return nil, auth.ErrDenied
	}
	return &auth.Account{Name: r.User, Anonymous: r.User == "anonymous"}, nil
}

// inBubble runs a test against a server in a bubble.
func inBubble(t *testing.T, change func(*protocol.Server), test func(t *testing.T, d *door, s *protocol.Server)) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{t: t, conns: make(chan net.Conn), done: make(chan struct{})}
		s := &protocol.Server{Auth: oneWord{}, LoginDelay: -1, Log: slog.New(slog.DiscardHandler),
			OpenFS: func(context.Context, *auth.Account) (afero.Fs, error) { return afero.NewMemMapFs(), nil }}
		change(s)
		served := make(chan error)
		go func() { served <- s.Serve(protocol.Listener{Listener: d}) }()
		t.Cleanup(func() {
			s.Close()
			if err := <-served; err != protocol.ErrServerClosed {
				t.Errorf("Serve = %v", err)
			}
		})
		test(t, d, s)
	})
}

// One stranger cannot keep others out by holding all sessions: it takes places only from itself.
func TestStrangerTakesPlacesFromItself(t *testing.T) {
	inBubble(t, func(s *protocol.Server) { s.MaxSessions = 10 }, func(t *testing.T, d *door, s *protocol.Server) {
		var crowd []*guest
		for range 10 {
			g := d.enter("203.0.113.9")
			g.want("220")
			crowd = append(crowd, g)
		}
		d.enter("203.0.113.9").want("421")
		var users []*guest
		for i := range 8 {
			crowd[i].c.SetReadDeadline(time.Now().Add(time.Minute))
			go func() { // ends with the reply
				defer crowd[i].c.Close()
				crowd[i].in.ReadString('\n')
			}()
			g := d.enter(fmt.Sprintf("192.0.2.%d", i))
			g.want("220")
			g.login("joe")
			users = append(users, g)
		}
		synctest.Wait()
		for i := range 2 { // the youngest are still there
			crowd[8+i].cmd("NOOP", "200")
		}
		for _, g := range users { // who has logged in never makes room
			g.cmd("NOOP", "200")
		}
		if n := s.Sessions(); n != 10 {
			t.Errorf("%d sessions, want 10", n)
		}
	})
}

// Clients behind one address are not in the way of each other, until one has had its time and not logged in.
func TestOneAddressWaits(t *testing.T) {
	inBubble(t, func(s *protocol.Server) { s.MaxSessions = 2 }, func(t *testing.T, d *door, s *protocol.Server) {
		a, b := d.enter("192.0.2.7"), d.enter("192.0.2.7")
		a.want("220")
		b.want("220")
		d.enter("192.0.2.7").want("421")
		b.login("joe")
		time.Sleep(11 * time.Second)
		c := d.enter("192.0.2.7")
		a.want("421")
		c.want("220")
		c.login("joe")
		d.enter("192.0.2.8").want("421") // two who have logged in
	})
}

// A stranger's IPv6 network is one, however many addresses it has.
func TestIPv6IsCountedByNetwork(t *testing.T) {
	inBubble(t, func(s *protocol.Server) { s.MaxPerIP = 2 }, func(t *testing.T, d *door, s *protocol.Server) {
		d.enter("2001:db8::1").want("220")
		d.enter("2001:db8::2").want("220")
		d.enter("2001:db8::3").want("421")
		d.enter("2001:db8:0:1::1").want("220")
	})
}

func TestSessionsPerUser(t *testing.T) {
	inBubble(t, func(s *protocol.Server) { s.MaxPerUser = 1 }, func(t *testing.T, d *door, s *protocol.Server) {
		a := d.enter("192.0.2.7")
		a.want("220")
		a.login("joe")
		b := d.enter("192.0.2.8")
		b.want("220")
		b.cmd("USER joe", "331")
		b.cmd("PASS right", "421")
		for range 3 { // a name that is everybody's
			c := d.enter("192.0.2.9")
			c.want("220")
			c.login("anonymous")
		}
		a.cmd("REIN", "220") // gives the place back
		e := d.enter("192.0.2.10")
		e.want("220")
		e.login("joe")
		a.cmd("USER joe", "331")
		a.cmd("PASS right", "421")
		e.cmd("USER jim", "331") // so does another name
		f := d.enter("192.0.2.11")
		f.want("220")
		f.login("joe")
		f.cmd("QUIT", "221")
		synctest.Wait()
		g := d.enter("192.0.2.12")
		g.want("220")
		g.login("joe")
	})
}

// The guard's word counts before the password is looked at, behind it, and at the door.
func TestGuard(t *testing.T) {
	var mu sync.Mutex
	var asked, told []string
	note := func(list *[]string, s string) { mu.Lock(); defer mu.Unlock(); *list = append(*list, s) }
	inBubble(t, func(s *protocol.Server) {
		s.Auth = oneWord{func(user string) { note(&asked, user) }}
		s.Guard = guard.New(guard.Options{Failures: 3, UserFailures: 4, Window: time.Hour, Ban: time.Hour, Delay: time.Second, MaxDelay: 8 * time.Second})
		s.LoginAttempts = 10
		s.Hooks.LoginFailed = func(_ protocol.Client, reason string) { note(&told, reason) }
		s.Hooks.Refused = func(reason string) { note(&told, reason) }
	}, func(t *testing.T, d *door, s *protocol.Server) {
		early := d.enter("203.0.113.9")
		early.want("220")
		early.cmd("USER joe", "331")
		begun := time.Now()
		g := d.enter("203.0.113.9")
		g.want("220")
		for i, code := range []string{"530", "530", "421"} {
			g.cmd("USER joe", "331")
			g.cmd(fmt.Sprintf("PASS guess %d", i), code)
		}
		if took := time.Since(begun); took != 7*time.Second {
			t.Errorf("three wrong passwords took %v, want 1+2+4 s", took)
		}
		n := len(asked)
		early.cmd("PASS right", "421")
		if len(asked) != n {
			t.Error("the password of a banned address was looked at")
		}
		d.enter("203.0.113.9").want("421")

		// A fourth guess at joe from elsewhere: who is not known waits, and gets in.
		h := d.enter("198.51.100.1")
		h.want("220")
		h.cmd("USER joe", "331")
		h.cmd("PASS guess", "530")
		begun = time.Now()
		h.login("joe")
		if took := time.Since(begun); took != 8*time.Second {
			t.Errorf("the login took %v, want 8s", took)
		}
		begun = time.Now()
		h.login("joe")
		if took := time.Since(begun); took != 0 {
			t.Errorf("the next login from there took %v", took)
		}
		if want := []string{"denied", "denied", "denied", "banned", "banned", "denied"}; !slices.Equal(told, want) {
			t.Errorf("hooks were told %q, want %q", told, want)
		}
	})
}

// Many guesses that are begun at once are still judged one by one: a right one behind the ban does not get in.
func TestGuessesAtOnce(t *testing.T) {
	gate := make(chan bool)
	inBubble(t, func(s *protocol.Server) {
		gate = make(chan bool)
		s.Auth = oneWord{func(user string) {
			if user == "slow" {
				<-gate
			}
		}}
		s.Guard = guard.New(guard.Options{Failures: 2, Window: time.Hour, Ban: time.Hour})
	}, func(t *testing.T, d *door, s *protocol.Server) {
		slow := d.enter("203.0.113.9")
		slow.want("220")
		slow.cmd("USER slow", "331")
		slow.c.Write([]byte("PASS right\r\n"))
		synctest.Wait()
		g := d.enter("203.0.113.9")
		g.want("220")
		g.cmd("USER joe", "331")
		g.cmd("PASS a", "530")
		g.cmd("USER joe", "331")
		g.cmd("PASS b", "421")
		gate <- true
		slow.want("421")
	})
}

// A user that exists and one that does not get the same replies after the same time.
func TestUsersCannotBeGuessed(t *testing.T) {
	inBubble(t, func(s *protocol.Server) { s.LoginDelay = 3 * time.Second }, func(t *testing.T, d *door, s *protocol.Server) {
		talk := func(user string) (said string) {
			begun := time.Now()
			g := d.enter("192.0.2.7")
			g.want("220")
			for _, l := range []string{"USER " + user, "PASS wrong", "PASS wrong", "USER " + user, "ACCT x", "PASS "} {
				g.c.Write([]byte(l + "\r\n"))
				r, err := g.in.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				said += r
			}
			return said + time.Since(begun).String()
		}
		want := talk("joe")
		if got := talk("ghost"); got != want {
			t.Errorf("ghost:\n%s\njoe:\n%s", got, want)
		}
	})
}
