package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// gated is a tree whose files never come to an end of being read, unless their command is called off.
type gated struct {
	afero.Fs
	ctx     context.Context
	reading chan struct{} // one for each file that is read
	ended   chan error    // the cause of each reading's end
}

func (g *gated) WithContext(ctx context.Context) afero.Fs {
	return &gated{g.Fs, ctx, g.reading, g.ended}
}

func (g *gated) Open(name string) (afero.File, error) {
	f, err := g.Fs.Open(name)
	return &gatedFile{f, g}, err
}

func (g *gated) Replace(name string) (afero.File, error) { return vfs.Replace(g.Fs, name) }

type gatedFile struct {
	afero.File
	g *gated
}

func (f *gatedFile) Read([]byte) (int, error) {
	f.g.reading <- struct{}{}
	<-f.g.ctx.Done()
	err := context.Cause(f.g.ctx)
	f.g.ended <- err
	return 0, err
}

// gate starts a server with a gated tree that has a file f.
func gate(t *testing.T, change func(*protocol.Server)) (*server, *gated) {
	g := &gated{ctx: t.Context(), reading: make(chan struct{}, 10), ended: make(chan error, 10)}
	s := start(t, protocol.TLSExplicit, func(s *server) {
		g.Fs = s.tree
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) { return g, nil }
		if change != nil {
			change(s.Server)
		}
	})
	if err := os.WriteFile(s.path("f"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, g
}

// A command that reads a file for a digest leaves the session free to talk, and ABOR ends it.
func TestHashAborted(t *testing.T) {
	s, g := gate(t, nil)
	for _, verb := range []string{"HASH f", "XCRC f", "MD5 f", "COMB new f"} {
		c := dial(t, s.addr).login()
		c.send(verb)
		<-g.reading
		c.cmd(200, "NOOP")
		c.cmd(211, "STAT")
		c.send("PWD") // waits
		c.send("ABOR")
		c.want(426)
		c.want(226)
		c.want(257)
		if err := <-g.ended; err == nil {
			t.Errorf("%s: the reading was not called off", verb)
		}
		c.cmd(221, "QUIT")
	}
	if _, err := os.Stat(s.path("new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("COMB that was aborted left its target: %v", err)
	}
}

// Nobody reads on for a client that is gone, or for a server that ends.
func TestHashForNobody(t *testing.T) {
	s, g := gate(t, nil)
	c := dial(t, s.addr).login()
	c.send("HASH f")
	<-g.reading
	reset(c.raw)
	<-g.ended

	c = dial(t, s.addr).login()
	c.send("HASH f")
	<-g.reading
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Shutdown(ctx)
	<-g.ended
}

// Only so many commands read at a time; the next begins when one has ended.
func TestHashesAtATime(t *testing.T) {
	s, g := gate(t, func(s *protocol.Server) { s.MaxHashes = 1 })
	first, second := dial(t, s.addr).login(), dial(t, s.addr).login()
	first.send("HASH f")
	<-g.reading
	second.send("HASH f")
	second.cmd(200, "NOOP") // it has been read, so the HASH before it has begun to wait, or soon will
	select {
	case <-g.reading:
		t.Error("two commands read at a time")
	case <-time.After(50 * time.Millisecond): // can only make the test miss a fault
	}
	first.send("ABOR")
	first.want(426)
	first.want(226)
	<-g.reading
	second.send("ABOR")
	second.want(426)
	second.want(226)
}

// knowing is a tree that knows digests and cannot be read.
type knowing struct{ afero.Fs }

func (k knowing) Hash(_, algo string) ([]byte, error) {
	if algo != "MD5" {
		return nil, errors.ErrUnsupported
	}
	return []byte{0xab, 0xcd}, nil
}

func (k knowing) Open(string) (afero.File, error) { return nil, errors.New("read") }

// A digest that the tree knows costs no reading, whatever the size.
func TestHashKnown(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) {
		tree := s.tree
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) { return knowing{tree}, nil }
		s.MaxHash = 1
	})
	if err := os.WriteFile(s.path("f"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s.addr).login()
	c.cmd(200, "OPTS HASH MD5")
	if got := c.cmd(213, "HASH f"); got != "MD5 0-3 abcd f" {
		t.Errorf("HASH: %q", got)
	}
	if got := c.cmd(250, "XMD5 f"); got != "ABCD" {
		t.Errorf("XMD5: %q", got)
	}
	c.cmd(350, "RANG 0 1") // of a part it knows nothing
	c.cmd(450, "HASH f")
	c.cmd(450, "XSHA256 f")
}

// bottomless is a tree whose directories have no end, bound to a context as trees are.
type bottomless struct {
	*recorder
	ctx context.Context
}

func (b bottomless) WithContext(ctx context.Context) afero.Fs { return bottomless{b.recorder, ctx} }

func (b bottomless) Open(name string) (afero.File, error) {
	f, err := endless{b.recorder}.Open(name)
	return bottomlessDir{f, b.ctx}, err
}

type bottomlessDir struct {
	afero.File
	ctx context.Context
}

func (d bottomlessDir) Readdir(n int) ([]os.FileInfo, error) {
	if d.ctx.Err() != nil {
		return nil, context.Cause(d.ctx)
	}
	return d.File.Readdir(n)
}

// ABOR ends a search that finds nothing, in a directory that has no end.
func TestGlobAborted(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) {
		tree := s.tree
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) {
			return bottomless{tree, context.Background()}, nil
		}
	})
	c := dial(t, s.addr).login()
	for _, cmd := range []string{"NLST *nothing*", "LIST *a*a*a*a*a*a*a*a*a*a*a*b", "LIST -R", "LIST"} {
		d, _ := c.transfer(cmd)
		c.send("ABOR")
		d.Close()
		c.want(426)
		c.want(226)
	}
}

// STAT of a directory without an end has one.
func TestStatBounded(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) {
		tree := s.tree
		s.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) {
			return bottomless{tree, context.Background()}, nil
		}
	})
	c := dial(t, s.addr).login()
	c.send("STAT /")
	var all bytes.Buffer
	lines := 0
	for {
		l, err := c.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		lines++
		all.WriteString(l)
		if strings.HasPrefix(l, "213 ") {
			break
		}
	}
	if lines > 10_010 || !strings.Contains(all.String(), " (incomplete)\r\n") {
		t.Errorf("%d lines; want at most 10,003 and a word that there is more", lines)
	}
}
