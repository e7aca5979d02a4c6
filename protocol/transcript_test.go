package protocol

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// Transcripts are dialogues in testdata/*.txt. They run in a bubble of
// testing/synctest over net.Pipe, so that time-outs take no time. A line is one of
//
//	# …          a comment
//	OPT k=v      a setting of the server, before anything else
//	C: line      the client sends the line and CR LF (\r, \n, \x00 … as in Go)
//	C:: bytes    the client sends exactly these bytes
//	S: pattern   the server sends one line that matches the whole pattern
//	S= text      the server sends exactly the text (escapes as in Go)
//	S... code    the server sends lines up to the last one of a reply with that code
//	S+ code p    as S..., and one of the lines matches the pattern
//	S- code p    as S..., and none of the lines matches the pattern
//	DATA         the client opens a data connection to the port of the last 227 or 229
//	D> bytes     the client sends bytes over it
//	D< pattern   the client reads the data connection to its end; (?s) all of it matches
//	D= bytes     the client reads the data connection to its end and gets exactly these bytes
//	D.           the client ends the data connection in order
//	ACCEPT       the client takes the data connection that the server opens (PORT, EPRT)
//	REPEAT n …   the step n times
//	WAIT 5m      time passes
//	BEFORE 6m    no more than that has passed since the beginning
//	AFTER 6m     no less than that has passed since the beginning
//	CUT          the client ends the control connection
//	EOF          the server has ended the control connection
//	FILE p text  the file p holds exactly the text
//	MAKE p text  makes the file p
//	SHUTDOWN     the server begins to shut down
//	CLOSE        the server ends at once
//	MKDIR p      makes the directory p
//	LINK p to    makes p a symbolic link
//	DIR p        the directory p exists
//	NONE p       p does not exist
//
// In p a space is \x20.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { runTranscript(t, f, string(text)) })
		})
	}
}

// fakeAddr makes net.Pipe look like TCP.
func fakeAddr(s string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		panic(err)
	}
	return a
}

type addrConn struct {
	net.Conn
	local, remote net.Addr
}

func (c addrConn) LocalAddr() net.Addr  { return c.local }
func (c addrConn) RemoteAddr() net.Addr { return c.remote }

// pipeListener is a listener whose connections are pipes.
type pipeListener struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener(addr string) *pipeListener {
	return &pipeListener{addr: fakeAddr(addr), conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return l.addr }

func (l *pipeListener) dial(from string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- addrConn{theirs, l.addr, fakeAddr(from)}:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// passwords lets anybody in whose password is "secret", with the permissions of the test.
type passwords struct {
	perm  auth.Perm
	rules []auth.Rule
}

func (p passwords) Authenticate(_ context.Context, r auth.Request) (*auth.Account, error) {
	switch r.Password {
	case "secret":
		return &auth.Account{Name: r.User, Permissions: auth.Permissions{Base: p.perm, Rules: p.rules}}, nil
	case "panic":
		panic("authenticator")
	case "broken":
		return nil, errors.New("directory does not answer")
	}
	return nil, auth.ErrDenied
}

// hostPassword lets in who knows the password of a virtual host.
type hostPassword string

func (p hostPassword) Authenticate(_ context.Context, r auth.Request) (*auth.Account, error) {
	if r.Password != string(p) {
		return nil, auth.ErrDenied
	}
	return &auth.Account{Name: r.User, Permissions: auth.Permissions{Base: auth.PermAll}}, nil
}

type transcript struct {
	t     *testing.T
	where string
	root  string
	srv   *Server

	mu     sync.Mutex
	ports  map[uint16]*pipeListener
	dialed chan net.Conn
	begun  time.Time
	taken  int // so many attempts to listen fail

	control net.Conn
	in      *bufio.Reader
	port    uint16
	data    net.Conn
}

func runTranscript(t *testing.T, file, text string) {
	tr := &transcript{t: t, begun: time.Now(), root: t.TempDir(), ports: map[uint16]*pipeListener{}, dialed: make(chan net.Conn, 1)}
	tree, err := local.New(local.Options{Root: tr.root})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	tr.srv = &Server{
		Auth:       passwords{perm: auth.PermAll},
		OpenFS:     func(context.Context, *auth.Account) (afero.Fs, error) { return tree, nil },
		Log:        slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		LoginDelay: 3 * time.Second,
		ListenData: tr.listen, DialData: tr.dial,
	}
	front := newPipeListener("192.0.2.1:21")
	served := make(chan error, 1)
	started := false
	defer func() {
		if started {
			if tr.control != nil {
				tr.control.Close()
			}
			if tr.data != nil {
				tr.data.Close()
			}
			tr.srv.Close()
			if err := <-served; err != ErrServerClosed {
				t.Errorf("Serve = %v, want ErrServerClosed", err)
			}
		}
	}()
	for i, l := range strings.Split(text, "\n") {
		tr.where = fmt.Sprintf("%s:%d", file, i+1)
		if strings.HasPrefix(l, "#") || strings.TrimSpace(l) == "" {
			continue
		}
		if !started && !strings.HasPrefix(l, "OPT ") {
			go func() { served <- tr.srv.Serve(Listener{Listener: front}) }()
			started = true
			if tr.control, err = front.dial("192.0.2.7:40000"); err != nil {
				t.Fatal(err)
			}
			tr.in = bufio.NewReader(tr.control)
		}
		tr.step(l)
	}
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

func (tr *transcript) listen(_ context.Context, _, address string) (net.Listener, error) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, _ := strconv.Atoi(p)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.taken > 0 {
		tr.taken--
		return nil, syscall.EMFILE
	}
	if port == 0 {
		port = 50000 + len(tr.ports)
	}
	if host == "" {
		host = "192.0.2.1"
	}
	l := newPipeListener(net.JoinHostPort(host, strconv.Itoa(port)))
	tr.ports[uint16(port)] = l
	return l, nil
}

func (tr *transcript) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case tr.dialed <- ours:
		return addrConn{theirs, fakeAddr("192.0.2.1:20"), fakeAddr(address)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (tr *transcript) fatalf(format string, args ...any) {
	tr.t.Helper()
	tr.t.Fatalf("%s: %s", tr.where, fmt.Sprintf(format, args...))
}

func (tr *transcript) unquote(s string) string {
	u, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		tr.fatalf("%q: %v", s, err)
	}
	return u
}

func (tr *transcript) step(l string) {
	tr.t.Helper()
	op, arg, _ := strings.Cut(l, " ")
	switch op {
	case "OPT":
		tr.option(arg)
	case "C:":
		tr.send(tr.control, tr.unquote(arg)+"\r\n")
	case "C::":
		tr.send(tr.control, tr.unquote(arg))
	case "S:":
		tr.expect(arg)
	case "S=":
		if got := tr.line(); got != tr.unquote(arg) {
			tr.fatalf("server sent %q, want %q", got, tr.unquote(arg))
		}
	case "S...":
		for !strings.HasPrefix(tr.line(), arg+" ") {
		}
	case "S+", "S-":
		code, pattern, _ := strings.Cut(arg, " ")
		re, found, last := regexp.MustCompile(`\A(?:`+pattern+`)\z`), false, ""
		for !strings.HasPrefix(last, code+" ") {
			last = tr.line()
			found = found || re.MatchString(last)
		}
		if found != (op == "S+") {
			tr.fatalf("a line that matches %s: %v, want %v", pattern, found, op == "S+")
		}
	case "DATA":
		tr.openData()
	case "D>":
		tr.send(tr.data, tr.unquote(arg))
	case "D<":
		got, err := io.ReadAll(tr.data)
		if err != nil {
			tr.fatalf("data connection: %v", err)
		}
		if !regexp.MustCompile(`(?s)\A(?:` + arg + `)\z`).Match(got) {
			tr.fatalf("data %q, want %s", got, arg)
		}
		tr.data = nil
	case "D=":
		got, err := io.ReadAll(tr.data)
		if err != nil || string(got) != tr.unquote(arg) {
			tr.fatalf("data %q (%v), want %q", got, err, tr.unquote(arg))
		}
		tr.data = nil
	case "D.":
		tr.data.Close()
		tr.data = nil
	case "ACCEPT":
		tr.data = <-tr.dialed
	case "WAIT":
		d, err := time.ParseDuration(arg)
		if err != nil {
			tr.fatalf("%v", err)
		}
		time.Sleep(d)
		synctest.Wait()
	case "CUT":
		tr.control.Close()
		synctest.Wait()
	case "EOF":
		if b, err := tr.in.ReadByte(); err != io.EOF {
			tr.fatalf("read %q, %v from the control connection, want its end", b, err)
		}
	case "REPEAT":
		count, rest, _ := strings.Cut(arg, " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			tr.fatalf("%v", err)
		}
		for range n {
			tr.step(rest)
		}
	case "BEFORE":
		if d, err := time.ParseDuration(arg); err != nil || time.Since(tr.begun) > d {
			tr.fatalf("%v have passed (%v)", time.Since(tr.begun), err)
		}
	case "AFTER":
		if d, err := time.ParseDuration(arg); err != nil || time.Since(tr.begun) < d {
			tr.fatalf("only %v have passed (%v)", time.Since(tr.begun), err)
		}
	case "SHUTDOWN":
		go tr.srv.Shutdown(context.Background()) // ends with the session
		synctest.Wait()
	case "CLOSE":
		go tr.srv.Close() // ends with the session
		synctest.Wait()
	default:
		tr.file(op, arg)
	}
}

func (tr *transcript) file(op, arg string) {
	tr.t.Helper()
	name, text, _ := strings.Cut(arg, " ")
	p := filepath.Join(tr.root, filepath.FromSlash(tr.unquote(name)))
	switch op {
	case "FILE":
		got, err := os.ReadFile(p)
		if err != nil || string(got) != tr.unquote(text) {
			tr.fatalf("file %s holds %q (%v), want %q", name, got, err, tr.unquote(text))
		}
	case "MAKE":
		if err := os.WriteFile(p, []byte(tr.unquote(text)), 0o644); err != nil {
			tr.fatalf("%v", err)
		}
		if err := os.Chtimes(p, time.Unix(981173106, 0), time.Unix(981173106, 0)); err != nil { // 2001-02-03 04:05:06 UTC
			tr.fatalf("%v", err)
		}
	case "MKDIR":
		if err := os.MkdirAll(p, 0o755); err != nil {
			tr.fatalf("%v", err)
		}
	case "LINK":
		if err := os.Symlink(tr.unquote(text), p); err != nil {
			tr.fatalf("%v", err)
		}
	case "DIR":
		if fi, err := os.Stat(p); err != nil || !fi.IsDir() {
			tr.fatalf("%s is no directory: %v", name, err)
		}
	case "NONE":
		if _, err := os.Lstat(p); !errors.Is(err, os.ErrNotExist) {
			tr.fatalf("%s exists (%v)", name, err)
		}
	default:
		tr.fatalf("unknown step %q", op)
	}
}

func (tr *transcript) option(arg string) {
	k, v, _ := strings.Cut(arg, "=")
	d, _ := time.ParseDuration(v)
	n, _ := strconv.Atoi(v)
	switch k {
	case "perm":
		p, err := auth.ParsePerm(v)
		if err != nil {
			tr.fatalf("%v", err)
		}
		tr.srv.Auth = passwords{perm: p}
	case "rule": // for a directory and all that is below it, such as /in:elr
		dir, letters, _ := strings.Cut(v, ":")
		p, err := auth.ParsePerm(letters)
		if err != nil {
			tr.fatalf("%v", err)
		}
		tr.srv.Auth = passwords{auth.PermAll, []auth.Rule{{Dir: dir, Perm: p, Recursive: true}}}
	case "idle":
		tr.srv.IdleTimeout = d
	case "stall":
		tr.srv.StallTimeout = d
	case "connect":
		tr.srv.ConnectTimeout = d
	case "login":
		tr.srv.LoginTimeout = d
	case "attempts":
		tr.srv.LoginAttempts = n
	case "banner":
		tr.srv.Banner = tr.unquote(v)
	case "ascii":
		tr.srv.Profile.ASCII = ASCII(v)
	case "ports":
		tr.srv.PassivePorts = PortRange{uint16(n), uint16(n)}
	case "taken":
		tr.taken = n
	case "owners":
		tr.srv.Owners = Owners(v)
	case "maxhash":
		tr.srv.MaxHash = int64(n)
	case "upload":
		tr.srv.Upload = int64(n)
	case "download":
		tr.srv.Download = int64(n)
	case "filesize":
		tr.srv.MaxFileSize = int64(n)
	case "minfree":
		tr.srv.MinFree = int64(n)
	case "settle":
		tr.srv.CutSettle = d
	case "atomic":
		tree, err := local.New(local.Options{Root: tr.root, Atomic: true})
		if err != nil {
			tr.fatalf("%v", err)
		}
		tr.t.Cleanup(func() { tree.Close() })
		tr.srv.OpenFS = func(context.Context, *auth.Account) (afero.Fs, error) { return tree, nil }
	case "profile": // fields of Profile that are true
		for name := range strings.SplitSeq(v, ",") {
			f := reflect.ValueOf(&tr.srv.Profile).Elem().FieldByName(name)
			if f.Kind() != reflect.Bool {
				tr.fatalf("Profile has no %q", name)
			}
			f.SetBool(true)
		}
	case "encoding":
		e, err := ianaindex.IANA.Encoding(v)
		if err != nil || e == nil {
			tr.fatalf("encoding %q: %v", v, err)
		}
		tr.srv.Profile.Encoding = e
	case "host": // name, banner, password of everybody
		f := strings.SplitN(v, ",", 3)
		tr.srv.Hosts = append(tr.srv.Hosts, Host{Names: []string{f[0]}, Banner: tr.unquote(f[1]), Profile: &Profile{NoExtended: true},
			Auth: hostPassword(f[2])})
	case "version":
		tr.srv.Version = v
	case "nodeflate":
		tr.srv.NoDeflate = true
	default:
		tr.fatalf("unknown option %q", k)
	}
}

func (tr *transcript) send(c net.Conn, s string) {
	tr.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		tr.fatalf("send: %v", err)
	}
}

func (tr *transcript) line() string {
	tr.t.Helper()
	l, err := tr.in.ReadString('\n')
	if err != nil {
		tr.fatalf("control connection: %q, %v", l, err)
	}
	if !strings.HasSuffix(l, "\r\n") {
		tr.fatalf("line %q does not end with CR LF", l)
	}
	l = strings.TrimSuffix(l, "\r\n")
	tr.t.Logf("%s  S: %s", tr.where, l)
	return l
}

var pasvPort = regexp.MustCompile(`^(?:227 .*\(\d+,\d+,\d+,\d+,(\d+),(\d+)\)|229 .*\(\|\|\|(\d+)\|\))`)

func (tr *transcript) expect(pattern string) {
	tr.t.Helper()
	l := tr.line()
	if !regexp.MustCompile(`\A(?:` + pattern + `)\z`).MatchString(l) {
		tr.fatalf("server sent %q, want %s", l, pattern)
	}
	if m := pasvPort.FindStringSubmatch(l); m != nil {
		hi, _ := strconv.Atoi(m[1])
		lo, _ := strconv.Atoi(m[2])
		ext, _ := strconv.Atoi(m[3])
		tr.port = uint16(hi<<8 + lo + ext)
	}
}

func (tr *transcript) openData() {
	tr.t.Helper()
	tr.mu.Lock()
	l := tr.ports[tr.port]
	tr.mu.Unlock()
	if l == nil {
		tr.fatalf("nobody listens on port %d", tr.port)
	}
	c, err := l.dial("192.0.2.7:40001")
	if err != nil {
		tr.fatalf("data connection: %v", err)
	}
	tr.data = c
}

// The filter is also tested on its own, since a pipe delivers what was written in one piece.
func TestTelnetFilter(t *testing.T) {
	for in, want := range map[string]string{
		"NOOP":                            "NOOP",
		"\xff\xf4\xff\xf2ABOR":            "ABOR",
		"a\xff\xffb":                      "a\xffb",
		"a\xff\xfb\x01b":                  "ab",
		"a\xff\xfa\x18\xff\xffx\xff\xf0b": "ab",
		"a\r\x00b":                        "a\rb",
		"a\x00b":                          "a\x00b",
	} {
		var f telnetFilter
		var got bytes.Buffer
		for i := range len(in) {
			if c, ok := f.next(in[i]); ok {
				got.WriteByte(c)
			}
		}
		if got.String() != want {
			t.Errorf("filter(%q) = %q, want %q", in, got.String(), want)
		}
	}
}
