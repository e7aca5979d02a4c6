package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// hanging is a tree that answers when it is let, or when the command is called off.
type hanging struct {
	afero.Fs
	ctx   context.Context
	asked chan string   // the name of each call that waits
	let   chan struct{} // one for each that may go on
	panic bool          // it ends in a panic then
	deaf  bool          // it goes on behind being called off
}

func (h *hanging) WithContext(ctx context.Context) afero.Fs {
	return &hanging{h.Fs, ctx, h.asked, h.let, h.panic, h.deaf}
}

func (h *hanging) wait(name string) error {
	h.asked <- name
	if h.deaf {
		<-h.ctx.Done()
		<-h.let
		return nil
	}
	select {
	case <-h.let:
		if h.panic {
			panic("on purpose")
		}
		return nil
	case <-h.ctx.Done():
		return h.ctx.Err()
	}
}

func (h *hanging) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if err := h.wait("open"); err != nil {
		return nil, err
	}
	return h.Fs.OpenFile(name, flag, perm)
}

func (h *hanging) Open(name string) (afero.File, error) {
	if err := h.wait("open"); err != nil {
		return nil, err
	}
	return h.Fs.Open(name)
}

func (h *hanging) Rename(from, to string) error {
	if err := h.wait("rename"); err != nil {
		return &fs.PathError{Op: "rename", Path: from, Err: err}
	}
	return h.Fs.Rename(from, to)
}

// hang starts a server with a tree that has a file f and answers slowly.
func hang(t *testing.T, change func(*server, *hanging)) (*server, *hanging) {
	t.Helper()
	h := &hanging{ctx: t.Context(), asked: make(chan string, 16), let: make(chan struct{}, 16)}
	s := start(t, protocol.TLSExplicit, func(s *server) {
		h.Fs = s.tree.FS
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) { return h, nil }
		if change != nil {
			change(s, h)
		}
	})
	if err := os.WriteFile(s.path("f"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, h
}

// TestSlowTreesLetThemselvesBeAsked has commands wait for the tree before their 150: NOOP and STAT are
// answered meanwhile, other commands wait their turn, and ABOR ends it.
func TestSlowTreesLetThemselvesBeAsked(t *testing.T) {
	s, h := hang(t, nil)
	c := dial(t, s.addr).login()
	for _, verb := range []string{"STOR new", "APPE f", "STOU", "RETR f", "LIST", "MLSD"} {
		d := c.data()
		c.send(verb)
		<-h.asked
		c.cmd(200, "NOOP")
		c.cmd(211, "STAT")
		c.send("PWD")
		c.send("ABOR")
		c.want(426)
		c.want(226)
		c.want(257)
		d.Close()
		if _, err := os.Stat(s.path("new")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was stored (%v)", verb, err)
		}
		h.let <- struct{}{} // the next one goes on by itself
		h.let <- struct{}{}
		if strings.HasPrefix(verb, "RETR") || verb == "LIST" || verb == "MLSD" {
			if b, code := c.get(verb); code != 226 || len(b) == 0 {
				t.Errorf("%s: %d bytes, %d", verb, len(b), code)
			}
		} else if code := c.put("again", []byte("x")); code != 226 {
			t.Errorf("behind %s: %d", verb, code)
		}
		for len(h.asked) > 0 {
			<-h.asked
		}
		for len(h.let) > 0 {
			<-h.let
		}
	}
}

// TestSlowRename is asked and broken off, and goes on when its client is gone.
func TestSlowRename(t *testing.T) {
	s, h := hang(t, nil)
	c := dial(t, s.addr).login()
	c.cmd(350, "RNFR f")
	c.send("RNTO g")
	<-h.asked
	c.cmd(200, "NOOP")
	c.send("ABOR")
	c.want(426)
	c.want(226)
	if _, err := os.Stat(s.path("f")); err != nil {
		t.Errorf("broken off: %v", err)
	}
	c.cmd(350, "RNFR f")
	c.send("RNTO g")
	<-h.asked
	c.raw.Close()
	s.waitLog("control connection ended during a transfer")
	h.let <- struct{}{}
	s.waitLog("msg=RNTO session", "path=/g code=250")
	if _, err := os.Stat(s.path("g")); err != nil {
		t.Errorf("whose client was gone: %v", err)
	}
}

// TestGoneWhileTheTreeIsAsked loses the control connection before the 150: a download is called off, an
// upload that was sent whole is a cut as always.
func TestGoneWhileTheTreeIsAsked(t *testing.T) {
	s, h := hang(t, nil)
	c := dial(t, s.addr).login()
	c.data()
	c.send("RETR f")
	<-h.asked
	c.raw.Close()
	s.waitLog("session ended") // without h.let

	c = dial(t, s.addr).login()
	d := c.data()
	c.send("STOR new")
	<-h.asked
	if _, err := d.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	c.raw.Close()
	d.Close()
	h.let <- struct{}{}
	if r := s.results(1); r[0] != protocol.Cut {
		t.Errorf("the upload is %q, want a cut", r[0])
	}
}

// TestPanicBeforeTheTransfer ends its session and no other.
func TestPanicBeforeTheTransfer(t *testing.T) {
	s, h := hang(t, func(_ *server, h *hanging) { h.panic = true })
	c := dial(t, s.addr).login()
	d := c.data()
	defer d.Close()
	c.send("STOR new")
	<-h.asked
	h.let <- struct{}{}
	c.want(450)
	if _, _, err := c.reply(); err == nil {
		t.Error("the session goes on")
	}
	dial(t, s.addr).login()
	s.waitLog("msg=panic")
}

// TestEndedWhileTheTreeIsAsked ends the session, or the server, before the 150: one refusal, told once. Where the tree does not hear of
// it and opens the file all the same, that is given up.
func TestEndedWhileTheTreeIsAsked(t *testing.T) {
	ends := map[string]func(s *server){
		"kick": func(s *server) { s.End(s.List()[0].ID) },
		"shutdown": func(s *server) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			s.Shutdown(ctx)
		},
	}
	for name, end := range ends {
		for _, deaf := range []bool{false, true} {
			for _, line := range []string{"STOR new", "RETR f", "MLSD"} {
				t.Run(fmt.Sprintf("%s/%v/%s", name, deaf, line), func(t *testing.T) {
					told := make(chan protocol.Command, 16)
					s, h := hang(t, func(s *server, h *hanging) {
						h.deaf, h.Fs = deaf, s.tree
						s.Hooks.Command = func(c protocol.Command) {
							if strings.HasPrefix(line, c.Verb) {
								told <- c
							}
						}
					})
					c := dial(t, s.addr).login()
					d := c.data()
					defer d.Close()
					c.send(line)
					<-h.asked
					c.cmd(200, "NOOP")
					done := make(chan bool)
					go func() { end(s); close(done) }()
					if deaf {
						h.let <- struct{}{}
					}
					c.want(426)
					c.want(421)
					if _, _, err := c.reply(); err == nil {
						t.Error("the session goes on")
					}
					<-done
					s.waitLog("session ended")
					if len(told) != 1 || (<-told).Code != 426 {
						t.Errorf("the command was told otherwise than once, as 426")
					}
					s.mu.Lock()
					if n := len(s.transfers); n != 0 {
						t.Errorf("%d transfers are told", n)
					}
					s.mu.Unlock()
					if ends := s.tree.seen(); line == "STOR new" && deaf && !slices.Equal(ends, []string{"abort"}) || !deaf && len(ends) != 0 {
						t.Errorf("the file's end: %q", ends)
					}
				})
			}
		}
	}
}

// TestQuitWhileTheTreeIsAsked has QUIT sent ahead: what was asked for comes first.
func TestQuitWhileTheTreeIsAsked(t *testing.T) {
	s, h := hang(t, nil)
	c := dial(t, s.addr).login()
	d := c.data()
	c.send("STOR new")
	<-h.asked
	c.send("RNFR new\r\nRNTO newer\r\nQUIT")
	if _, err := d.Write([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	d.Close()
	c.raw.CloseWrite()
	h.let <- struct{}{}
	h.let <- struct{}{} // for the rename
	for _, code := range []int{150, 226, 350, 250, 221} {
		c.want(code)
	}
	if b, err := os.ReadFile(s.path("newer")); err != nil || string(b) != "whole" {
		t.Errorf("%q, %v", b, err)
	}
}

var _ vfs.Contexter = (*hanging)(nil)
