package protocol_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// anybody logs everybody in with all permissions.
type anybody struct{}

func (anybody) Authenticate(_ context.Context, r auth.Request) (*auth.Account, error) {
	return &auth.Account{Name: r.User, Permissions: auth.Permissions{Base: auth.PermAll}}, nil
}

// certificate is made once: keys take their time under the race detector.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// server is a server on loopback with a directory of its own.
type server struct {
	*protocol.Server
	t    *testing.T
	addr string
	root string
	tree *recorder
	log  *logBuffer

	mu        sync.Mutex
	transfers []protocol.Transfer
}

// start starts a server; change may alter it before it serves.
func start(t *testing.T, mode protocol.TLSMode, change func(*server)) *server {
	t.Helper()
	s := &server{t: t, root: t.TempDir(), log: &logBuffer{}}
	fsys, err := local.New(local.Options{Root: s.root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fsys.Close() })
	s.tree = &recorder{FS: fsys}
	s.Server = &protocol.Server{
		Auth:       anybody{},
		OpenFS:     func(context.Context, *auth.Account) (afero.Fs, error) { return s.tree, nil },
		Log:        slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		TLSConfig:  &tls.Config{Certificates: []tls.Certificate{certificate()}},
		LoginDelay: -1,
		Hooks: protocol.Hooks{Transfer: func(_ protocol.Client, tr protocol.Transfer) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.transfers = append(s.transfers, tr)
		}},
	}
	if change != nil {
		change(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(protocol.Listener{Listener: l, TLS: mode}) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != protocol.ErrServerClosed {
			t.Errorf("Serve = %v, want ErrServerClosed", err)
		}
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

// results waits until n transfers have ended and returns their results.
func (s *server) results(n int) []protocol.Result {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		if len(s.transfers) >= n {
			var r []protocol.Result
			for _, t := range s.transfers {
				r = append(r, t.Result)
			}
			s.mu.Unlock()
			return r
		}
		s.mu.Unlock()
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %d transfers to end", n)
		}
	}
}

// recorder remembers how each upload ended: whether its file was closed or given up.
type recorder struct {
	*local.FS
	mu    sync.Mutex
	ends  []string
	hook  func(op string) // called before Close and Abort of an upload and each Write
	plain bool            // hide the system's file, so that no bytes go through the kernel
}

func (r *recorder) WithContext(context.Context) afero.Fs { return r }

func (r *recorder) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := r.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &recorded{File: f, r: r}, nil
}

func (r *recorder) end(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, what)
}

func (r *recorder) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.ends...)
}

type recorded struct {
	afero.File
	r    *recorder
	once sync.Once
}

func (f *recorded) OSFile() *os.File {
	if f.r.plain {
		return nil
	}
	return vfs.OSFile(f.File)
}
func (f *recorded) OSError(op string, err error) error { return vfs.OSError(f.File, op, err) }

func (f *recorded) Write(b []byte) (int, error) {
	if f.r.hook != nil {
		f.r.hook("write")
	}
	return f.File.Write(b)
}

func (f *recorded) Close() error {
	if f.r.hook != nil {
		f.r.hook("close")
	}
	err := f.File.Close()
	f.once.Do(func() { f.r.end("close") })
	return err
}

func (f *recorded) Abort(cause error) error {
	if f.r.hook != nil {
		f.r.hook("abort")
	}
	f.once.Do(func() { f.r.end("abort") })
	return vfs.Abort(f.File, cause)
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// client is a small FTP client whose every step a test can see.
type client struct {
	t    testing.TB
	raw  *net.TCPConn
	conn net.Conn
	in   *bufio.Reader
	tls  *tls.Config // for data connections, nil in clear
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	cl := &client{t: t, raw: c.(*net.TCPConn), conn: c, in: bufio.NewReader(c)}
	cl.want(220)
	return cl
}

func (c *client) login() *client {
	c.t.Helper()
	c.cmd(331, "USER joe")
	c.cmd(230, "PASS secret")
	c.cmd(200, "TYPE I")
	return c
}

// secure goes to TLS on both connections.
func (c *client) secure(cfg *tls.Config) *client {
	c.t.Helper()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.InsecureSkipVerify, cfg.ServerName = true, "localhost"
	c.cmd(234, "AUTH TLS")
	tc := tls.Client(c.raw, cfg)
	if err := tc.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.in, c.tls = tc, bufio.NewReader(tc), cfg
	c.cmd(200, "PBSZ 0")
	c.cmd(200, "PROT P")
	return c
}

// over goes on over another connection.
func (c *client) over(conn net.Conn) { c.conn, c.in = conn, bufio.NewReader(conn) }

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
}

// reply reads one reply and returns its last line.
func (c *client) reply() (int, string, error) {
	c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		l, err := c.in.ReadString('\n')
		if err != nil {
			return 0, "", err
		}
		if code, err := strconv.Atoi(l[:3]); err == nil && l[3] == ' ' {
			return code, strings.TrimSpace(l[4:]), nil
		}
	}
}

func (c *client) want(code int) string {
	c.t.Helper()
	got, text, err := c.reply()
	if err != nil || got != code {
		c.t.Fatalf("reply %d %q, %v, want %d", got, text, err, code)
	}
	return text
}

func (c *client) cmd(code int, line string) string {
	c.t.Helper()
	c.send(line)
	got, text, err := c.reply()
	if err != nil || got != code {
		c.t.Fatalf("%s: reply %d %q, %v, want %d", line, got, text, err, code)
	}
	return text
}

var port = regexp.MustCompile(`\(\|\|\|(\d+)\|\)`)

// data sends EPSV and opens the data connection, without TLS yet.
func (c *client) data() *net.TCPConn {
	c.t.Helper()
	m := port.FindStringSubmatch(c.cmd(229, "EPSV"))
	if m == nil {
		c.t.Fatal("no port in the reply to EPSV")
	}
	d, err := net.Dial("tcp", "127.0.0.1:"+m[1])
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { d.Close() }) // or the garbage collector does, as soon as the test does not name it any more
	return d.(*net.TCPConn)
}

// transfer begins a transfer and returns its data connection, under TLS where that is in use.
func (c *client) transfer(line string) (net.Conn, *net.TCPConn) {
	c.t.Helper()
	raw := c.data()
	c.cmd(150, line)
	if c.tls == nil {
		return raw, raw
	}
	tc := tls.Client(raw, c.tls)
	if err := tc.Handshake(); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return tc, raw
}

// put stores a file and returns the last reply's code.
func (c *client) put(name string, content []byte) int {
	c.t.Helper()
	d, _ := c.transfer("STOR " + name)
	if _, err := d.Write(content); err != nil {
		c.t.Fatal(err)
	}
	d.Close()
	code, _, err := c.reply()
	if err != nil {
		c.t.Fatal(err)
	}
	return code
}

// get retrieves what a command sends and returns the last reply's code.
func (c *client) get(line string) ([]byte, int) {
	c.t.Helper()
	d, _ := c.transfer(line)
	b, err := io.ReadAll(d)
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	d.Close()
	code, _, err := c.reply()
	if err != nil {
		c.t.Fatal(err)
	}
	return b, code
}

// reset ends a TCP connection with RST.
func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

func (s *server) path(name string) string { return fmt.Sprintf("%s/%s", s.root, name) }
