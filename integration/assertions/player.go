package assertions

import (
	"compress/zlib"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

// Player plays assertions against one server.
type Player struct {
	Target clients.Target // IPv4 or a name
	Addr6  string         // host:port over IPv6
	// Passwords of further users by name, for !login.
	Passwords map[string]string
	Store     store.Store
	TLS       *tls.Config

	count int
}

// Play plays one assertion; the error says where it failed.
func (p *Player) Play(ctx context.Context, a Assertion) error {
	p.count++
	r := &run{Player: p, ctx: ctx, dir: fmt.Sprintf("/a%03d", p.count)}
	defer r.end()
	if first := a.steps[0].verb; first != "!fresh" {
		if err := r.open(""); err != nil {
			return err
		}
		if err := r.login(""); err != nil {
			return err
		}
	}
	for _, s := range a.steps {
		if err := r.step(s); err != nil {
			return fmt.Errorf("%s: %w", s.where, err)
		}
	}
	return nil
}

// run is an assertion being played.
type run struct {
	*Player
	ctx      context.Context
	dir      string
	conn     *clients.Conn
	greeting clients.Reply
	private  bool // PROT P

	listener net.Listener // of an active data connection
	data     net.Conn
	raw      net.Conn // under data
}

func (r *run) end() {
	if r.raw != nil {
		r.raw.Close()
	}
	if r.listener != nil {
		r.listener.Close()
	}
	if r.conn != nil {
		r.conn.Close()
	}
}

func (r *run) open(family string) error {
	addr := net.JoinHostPort(r.Target.Host, strconv.Itoa(r.Target.Port))
	if family == "6" {
		addr = r.Addr6
	}
	c, err := clients.Dial(r.ctx, addr)
	if err == nil {
		r.conn, r.greeting = c, c.Greeting
	}
	return err
}

func (r *run) login(user string) error {
	password := r.Passwords[user]
	if user == "" {
		user, password = r.Target.User, r.Target.Password
	}
	for _, s := range []struct{ line, codes string }{
		{"USER " + user, "331|230"}, {"PASS " + password, "230"}, {"TYPE I", "200"}, {"MKD " + r.dir, "257|550"}, {"CWD " + r.dir, "250|550"},
	} {
		if err := r.ask(s.line, s.codes); err != nil {
			return err
		}
	}
	return nil
}

// fill puts in what a script leaves open.
func (r *run) fill(s string) (string, error) {
	s, err := unquote(s)
	return strings.NewReplacer("{dir}", r.dir, "{user}", r.Target.User, "{password}", r.Target.Password).Replace(s), err
}

func (r *run) ask(line, want string) error {
	if err := r.conn.Send(line); err != nil {
		return err
	}
	reply, err := r.conn.ReadReply()
	if err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	if err := match(reply, want); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	if reply.Code == 200 {
		switch line {
		case "PROT P":
			r.private = true
		case "PROT C":
			r.private = false
		}
	}
	return nil
}

// match compares a reply with codes and a pattern.
func match(reply clients.Reply, want string) error {
	codes, pattern, _ := strings.Cut(want, " ")
	code := strconv.Itoa(reply.Code)
	ok := false
	for c := range strings.SplitSeq(codes, "|") {
		ok = ok || c == code || strings.HasSuffix(c, "xx") && c[0] == code[0]
	}
	if !ok {
		return fmt.Errorf("got %q, want %s", reply.Text, codes)
	}
	if strings.Contains(strings.ReplaceAll(reply.Text, "\r\n", ""), "\n") || strings.Contains(strings.ReplaceAll(reply.Text, "\r\n", ""), "\r") {
		return fmt.Errorf("%q: a line does not end with CR LF", reply.Text)
	}
	re, err := regexp.Compile(`(?sm)` + pattern)
	if err != nil {
		return err
	}
	if !re.MatchString(strings.ReplaceAll(reply.Text, "\r\n", "\n")) {
		return fmt.Errorf("got %q, want it to match %s", reply.Text, pattern)
	}
	return nil
}

func (r *run) step(s step) error {
	arg, err := r.fill(s.arg)
	if err != nil {
		return err
	}
	name, rest, _ := strings.Cut(arg, " ")
	switch s.verb {
	case "":
		want := strings.NewReplacer("{dir}", r.dir).Replace(s.want)
		switch {
		case s.asks && want == "":
			return r.conn.Send(arg)
		case s.asks:
			return r.ask(arg, want)
		}
		reply, err := r.conn.ReadReply()
		if err != nil {
			return err
		}
		return match(reply, want)
	case "!fresh":
		return r.open(arg)
	case "!greeting":
		return match(r.greeting, arg)
	case "!login":
		return r.login(arg)
	case "!tls":
		return r.conn.Handshake(r.ctx, r.TLS)
	case "!clear":
		return r.conn.Clear()
	case "!raw":
		return r.conn.SendRaw([]byte(arg))
	case "!urgent":
		return r.conn.Urgent([]byte(arg))
	case "!eof":
		return r.conn.WaitEnd()
	case "!put":
		return r.upload("STOR "+name, rest)
	case "!up":
		text, err := r.fill(s.want)
		if err != nil {
			return err
		}
		return r.upload(arg, text)
	case "!get":
		return r.download("RETR "+name, rest, true)
	case "!list":
		return r.download(arg, strings.NewReplacer("{dir}", r.dir).Replace(s.want), false)
	case "!file", "!none":
		return r.look(s.verb, name, rest)
	}
	return r.dataStep(s, arg)
}

// look looks into the store, past the server.
func (r *run) look(verb, name, text string) error {
	got, err := r.Store.Get(r.ctx, strings.TrimPrefix(r.dir, "/")+"/"+name)
	switch {
	case verb == "!none" && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the store has %q in %s (%v), want nothing", got, name, err)
	case verb == "!file" && (err != nil || string(got) != text):
		return fmt.Errorf("the store has %q in %s (%v), want %q", got, name, err, text)
	}
	return nil
}

func (r *run) upload(cmd, text string) error {
	if err := r.passive("EPSV"); err != nil {
		return err
	}
	if err := r.ask(cmd, "150|125"); err != nil {
		return err
	}
	if err := r.send(text); err != nil {
		return err
	}
	if err := r.close(); err != nil {
		return err
	}
	return r.result(cmd)
}

// download wants the data to be text, or to match it as a pattern.
func (r *run) download(cmd, text string, exactly bool) error {
	if err := r.passive("EPSV"); err != nil {
		return err
	}
	if err := r.ask(cmd, "150|125"); err != nil {
		return err
	}
	if !exactly {
		if err := r.receive(text); err != nil {
			return err
		}
		return r.result(cmd)
	}
	if err := r.dataConn(); err != nil {
		return err
	}
	got, err := io.ReadAll(r.data)
	if err := errors.Join(err, r.data.Close()); err != nil || string(got) != text {
		return fmt.Errorf("%s: got %q (%v), want %q", cmd, got, err, text)
	}
	return r.result(cmd)
}

// result reads the last word of a transfer.
func (r *run) result(cmd string) error {
	reply, err := r.conn.ReadReply()
	if err == nil {
		err = match(reply, "226|250")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return nil
}

func (r *run) dataStep(s step, arg string) error {
	switch s.verb {
	case "!pasv":
		return r.passive("PASV")
	case "!epsv":
		return r.passive("EPSV")
	case "!port":
		return r.active("PORT")
	case "!eprt":
		return r.active("EPRT")
	case "!send":
		return r.send(arg)
	case "!zsend":
		if err := r.dataConn(); err != nil {
			return err
		}
		z := zlib.NewWriter(r.data)
		_, err := io.WriteString(z, arg)
		return errors.Join(err, z.Close())
	case "!recv":
		return r.receive(arg)
	case "!zrecv":
		if err := r.dataConn(); err != nil {
			return err
		}
		z, err := zlib.NewReader(r.data)
		if err != nil {
			return err
		}
		return r.compare(z, arg)
	case "!close":
		return r.close()
	case "!reset":
		if err := r.dataConn(); err != nil {
			return err
		}
		return errors.Join(r.raw.(*net.TCPConn).SetLinger(0), r.raw.Close())
	}
	return fmt.Errorf("no step %q", s.verb)
}

var pasv = regexp.MustCompile(`\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)`)
var epsv = regexp.MustCompile(`\(\|\|\|(\d+)\|\)`)

// passive asks for a passive data connection and connects. A failure to connect belongs to the server.
func (r *run) passive(cmd string) error {
	reply, err := r.conn.Cmd(cmd)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(r.conn.Raw.RemoteAddr().String())
	if err != nil {
		return err
	}
	port := ""
	if m := epsv.FindStringSubmatch(reply.Text); reply.Code == 229 && m != nil {
		port = m[1]
	}
	if m := pasv.FindStringSubmatch(reply.Text); reply.Code == 227 && m != nil {
		host = strings.Join(m[1:5], ".")
		high, _ := strconv.Atoi(m[5])
		low, _ := strconv.Atoi(m[6])
		port = strconv.Itoa(high<<8 | low)
	}
	if port == "" {
		return fmt.Errorf("%s: %q has no port", cmd, reply.Text)
	}
	c, err := (&net.Dialer{}).DialContext(r.ctx, "tcp", net.JoinHostPort(host, port))
	if err == nil {
		r.raw, r.data = c, nil
	}
	return err
}

// active listens and tells the server where.
func (r *run) active(cmd string) error {
	local := r.conn.Raw.LocalAddr().(*net.TCPAddr)
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: local.IP})
	if err != nil {
		return err
	}
	if r.listener != nil {
		r.listener.Close()
	}
	r.listener, r.raw, r.data = l, nil, nil
	port := l.Addr().(*net.TCPAddr).Port
	if cmd == "PORT" {
		return r.ask(fmt.Sprintf("PORT %s,%d,%d", strings.ReplaceAll(local.IP.String(), ".", ","), port>>8, port&255), "200")
	}
	family := 1
	if local.IP.To4() == nil {
		family = 2
	}
	return r.ask(fmt.Sprintf("EPRT |%d|%s|%d|", family, local.IP, port), "200")
}

// dataConn brings the data connection to where bytes can flow: accepted, and under TLS with PROT P.
func (r *run) dataConn() error {
	if r.raw == nil {
		if r.listener == nil {
			return errors.New("no data connection")
		}
		r.listener.(*net.TCPListener).SetDeadline(time.Now().Add(clients.Patience))
		c, err := r.listener.Accept()
		if err != nil {
			return err
		}
		r.raw = c
	}
	if r.data != nil {
		return nil
	}
	r.data = r.raw
	r.raw.SetDeadline(time.Now().Add(clients.Patience))
	if r.private {
		t := tls.Client(r.raw, r.TLS)
		r.data = t
		return t.HandshakeContext(r.ctx)
	}
	return nil
}

func (r *run) send(text string) error {
	if err := r.dataConn(); err != nil {
		return err
	}
	_, err := io.WriteString(r.data, text)
	return err
}

func (r *run) close() error {
	if err := r.dataConn(); err != nil {
		return err
	}
	return r.data.Close()
}

func (r *run) receive(pattern string) error {
	if err := r.dataConn(); err != nil {
		return err
	}
	return r.compare(r.data, pattern)
}

func (r *run) compare(in io.Reader, pattern string) error {
	got, err := io.ReadAll(in)
	if err := errors.Join(err, r.data.Close()); err != nil {
		return fmt.Errorf("after %q: %w", got, err)
	}
	re, err := regexp.Compile(`(?s)\A(?:` + pattern + `)\z`)
	if err != nil {
		return err
	}
	if !re.Match(got) {
		return fmt.Errorf("data %q, want %s", got, pattern)
	}
	return nil
}
