package clients

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Conn is a control connection over which a test says exactly what it wants.
type Conn struct {
	Raw *net.TCPConn // under TLS, if there is any
	TLS *tls.Conn    // nil in clear text
	// Greeting is what the server said first.
	Greeting Reply

	cfg  *tls.Config
	r    *bufio.Reader
	w    io.Writer
	data *net.TCPConn // the last: the garbage collector closes a connection that nobody names any more
}

// Reply is an answer of the server.
type Reply struct {
	Code int
	Text string // all lines, with their codes
}

// Patience is how long a reply may take. It only bounds how long a broken test hangs.
const Patience = 2 * time.Minute

// Dial connects and reads the greeting, which has to be a 220.
func Dial(ctx context.Context, addr string) (*Conn, error) { return DialFrom(ctx, "", addr) }

// DialFrom is Dial from one of the addresses of this machine; an empty one means any.
func DialFrom(ctx context.Context, from, addr string) (*Conn, error) {
	conn, err := Knock(ctx, from, addr)
	if err != nil {
		return nil, err
	}
	c := conn.Raw
	conn.Greeting, err = conn.ReadReply()
	if err == nil && conn.Greeting.Code != 220 {
		err = fmt.Errorf("got %q, want 220", conn.Greeting.Text)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("the greeting: %w", err)
	}
	return conn, nil
}

// Knock is DialFrom without reading a greeting.
func Knock(ctx context.Context, from, addr string) (*Conn, error) {
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{Raw: c.(*net.TCPConn), r: bufio.NewReader(c), w: c}, nil
}

// Login connects, switches to TLS when t asks for it, logs in and sets TYPE I.
func Login(ctx context.Context, t Target) (*Conn, error) {
	c, err := Dial(ctx, fmt.Sprintf("%s:%d", t.Host, t.Port))
	if err != nil {
		return nil, err
	}
	if err := c.login(ctx, t); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) login(ctx context.Context, t Target) error {
	if t.TLS {
		cfg, err := TLSConfig(t.CA)
		if err != nil {
			return err
		}
		if err := c.StartTLS(ctx, cfg); err != nil {
			return err
		}
	}
	if _, err := c.Expect(331, "USER "+t.User); err != nil {
		return err
	}
	if _, err := c.Expect(230, "PASS "+t.Password); err != nil {
		return err
	}
	_, err := c.Expect(200, "TYPE I")
	return err
}

// TLSConfig trusts the authority in the file ca and keeps sessions, so that data
// connections can resume the one of the control connection.
func TLSConfig(ca string) (*tls.Config, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it", ca)
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(8)}, nil
}

// StartTLS sends AUTH TLS, shakes hands and protects the data connections.
func (c *Conn) StartTLS(ctx context.Context, cfg *tls.Config) error {
	if _, err := c.Expect(234, "AUTH TLS"); err != nil {
		return err
	}
	if err := c.Handshake(ctx, cfg); err != nil {
		return err
	}
	if _, err := c.Expect(200, "PBSZ 0"); err != nil {
		return err
	}
	_, err := c.Expect(200, "PROT P")
	return err
}

// Handshake puts TLS over the control connection, and says nothing of data connections.
func (c *Conn) Handshake(ctx context.Context, cfg *tls.Config) error {
	t := tls.Client(c.Raw, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	c.TLS, c.cfg, c.r, c.w = t, cfg, bufio.NewReader(t), t
	return nil
}

// Clear takes TLS off the control connection again, as both sides do behind CCC: each sends a close_notify.
func (c *Conn) Clear() error {
	if err := c.TLS.CloseWrite(); err != nil {
		return err
	}
	c.Raw.SetReadDeadline(time.Now().Add(Patience))
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		return fmt.Errorf("%q and %v behind CCC, want a close_notify alone", rest, err)
	}
	c.TLS, c.r, c.w = nil, bufio.NewReader(c.Raw), c.Raw
	return nil
}

// WaitEnd wants the server to end the connection without another word.
func (c *Conn) WaitEnd() error {
	c.Raw.SetReadDeadline(time.Now().Add(Patience))
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		return fmt.Errorf("%q and %v, want the end of the connection", rest, err)
	}
	return nil
}

// Urgent writes bytes of which the last is TCP urgent data (RFC 854's Synch). Without TLS only.
func (c *Conn) Urgent(b []byte) error {
	raw, err := c.Raw.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := raw.Write(func(fd uintptr) bool {
		serr = syscall.Sendto(int(fd), b, syscall.MSG_OOB, nil)
		return serr != syscall.EAGAIN
	}); err != nil {
		return err
	}
	return serr
}

// Send writes a line without waiting for its answer.
func (c *Conn) Send(line string) error { return c.SendRaw([]byte(line + "\r\n")) }

// SendRaw writes bytes as they are.
func (c *Conn) SendRaw(b []byte) error {
	c.Raw.SetWriteDeadline(time.Now().Add(Patience))
	_, err := c.w.Write(b)
	return err
}

var first = regexp.MustCompile(`^(\d\d\d)([ -])`)

// ReadReply reads one answer, several lines included.
func (c *Conn) ReadReply() (Reply, error) {
	c.Raw.SetReadDeadline(time.Now().Add(Patience))
	var text strings.Builder
	code := ""
	for {
		line, err := c.r.ReadString('\n')
		text.WriteString(line)
		if err != nil {
			return Reply{Text: text.String()}, fmt.Errorf("after %q: %w", text.String(), err)
		}
		m := first.FindStringSubmatch(line)
		if code == "" {
			if m == nil {
				return Reply{Text: line}, fmt.Errorf("%q is no reply", line)
			}
			code = m[1]
		}
		if m != nil && m[1] == code && m[2] == " " {
			n, err := strconv.Atoi(code)
			return Reply{n, text.String()}, err
		}
	}
}

// Cmd sends a line and reads its answer.
func (c *Conn) Cmd(line string) (Reply, error) {
	if err := c.Send(line); err != nil {
		return Reply{}, err
	}
	return c.ReadReply()
}

// Expect is Cmd with an error for every other code.
func (c *Conn) Expect(code int, line string) (Reply, error) {
	if err := c.Send(line); err != nil {
		return Reply{}, err
	}
	r, err := c.ReadReply()
	if err == nil && r.Code != code {
		err = fmt.Errorf("got %q, want %d", r.Text, code)
	}
	if err != nil {
		verb, _, _ := strings.Cut(line, " ")
		return r, fmt.Errorf("%s: %w", verb, err)
	}
	return r, nil
}

func (c *Conn) want(code int, what string) error {
	r, err := c.ReadReply()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if r.Code != code {
		return fmt.Errorf("%s: got %q, want %d", what, r.Text, code)
	}
	return nil
}

// Quit leaves in order.
func (c *Conn) Quit() error {
	_, err := c.Expect(221, "QUIT")
	return errors.Join(err, c.Close())
}

// Close ends the connection with a FIN and says nothing.
func (c *Conn) Close() error { return c.Raw.Close() }

// Reset ends the connection with a TCP reset.
func (c *Conn) Reset() error {
	c.Raw.SetLinger(0)
	return c.Raw.Close()
}

// Data is an open data connection.
type Data struct {
	net.Conn              // TLS where the session has PROT P
	Raw      *net.TCPConn // under TLS
}

// Reset ends the connection with a TCP reset, without close_notify.
func (d *Data) Reset() error {
	d.Raw.SetLinger(0)
	return d.Raw.Close()
}

// FIN ends the connection as a kernel does for a process that died: without close_notify.
func (d *Data) FIN() error { return d.Raw.Close() }

var epsv = regexp.MustCompile(`\(\|\|\|(\d+)\|\)`)

// Refused is the error of a transfer that did not begin.
type Refused struct{ Reply }

// Error tells the reply.
func (r *Refused) Error() string { return fmt.Sprintf("got %q, want 150", r.Text) }

// Promise opens a passive data connection for a command that is still to be sent. It has no TLS.
func (c *Conn) Promise(ctx context.Context) (*Data, error) {
	r, err := c.Expect(229, "EPSV")
	if err != nil {
		return nil, err
	}
	m := epsv.FindStringSubmatch(r.Text)
	if m == nil {
		return nil, fmt.Errorf("EPSV: no port in %q", r.Text)
	}
	host, _, err := net.SplitHostPort(c.Raw.RemoteAddr().String())
	if err != nil {
		return nil, err
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, m[1]))
	if err != nil {
		return nil, fmt.Errorf("data connection: %w", err)
	}
	c.data = raw.(*net.TCPConn)
	return &Data{raw, c.data}, nil
}

// Transfer opens a passive data connection, sends the command and returns after
// its 150 and, with PROT P, the handshake. The caller closes the data connection and
// reads the last reply.
func (c *Conn) Transfer(ctx context.Context, line string) (*Data, error) {
	d, err := c.Promise(ctx)
	if err != nil {
		return nil, err
	}
	r, err := c.Cmd(line)
	if err == nil && r.Code != 150 && r.Code != 125 {
		err = &Refused{r}
	}
	if err == nil && c.TLS != nil {
		t := tls.Client(d.Raw, c.cfg)
		d.Conn, err = t, t.HandshakeContext(ctx)
	}
	if err != nil {
		d.Raw.Close()
		return nil, fmt.Errorf("%s: %w", line, err)
	}
	return d, nil
}

// Store uploads and returns the last reply.
func (c *Conn) Store(ctx context.Context, remote string, body []byte) (Reply, error) {
	d, err := c.Transfer(ctx, "STOR "+remote)
	if err != nil {
		return Reply{}, err
	}
	_, err = d.Write(body)
	if err := errors.Join(err, d.Close()); err != nil {
		return Reply{}, err
	}
	return c.ReadReply()
}

// Retrieve downloads and wants a 226.
func (c *Conn) Retrieve(ctx context.Context, remote string) ([]byte, error) {
	return c.receive(ctx, "RETR "+remote)
}

// List returns what a listing command sends.
func (c *Conn) List(ctx context.Context, line string) (string, error) {
	b, err := c.receive(ctx, line)
	return string(b), err
}

func (c *Conn) receive(ctx context.Context, line string) ([]byte, error) {
	d, err := c.Transfer(ctx, line)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(d)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	return body, c.want(226, line)
}
