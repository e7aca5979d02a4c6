package integration

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// withUsers starts a gateway before w with more users: the lines are entries of the list, into
// which the common password and home are put for "…". Extra lines are top-level keys.
func withUsers(t *testing.T, w *world, users []string, extra ...string) *gateway {
	t.Helper()
	g := prepareGateway(t, w, extra...)
	var lines strings.Builder
	for _, u := range users {
		u = strings.ReplaceAll(u, "…", fmt.Sprintf("password: %q, home: \"store:/\"", "plain:"+password))
		lines.WriteString("  - {" + u + "}\n")
	}
	g.replace(t, "users:\n", "users:\n"+lines.String())
	g.start(t, t)
	return g
}

// replace changes a piece of the configuration of a gateway that is not running.
func (g *gateway) replace(t *testing.T, old, text string) {
	t.Helper()
	g.edit(t, func(conf string) string {
		if !strings.Contains(conf, old) {
			t.Fatalf("the configuration has no %q", old)
		}
		return strings.Replace(conf, old, text, 1)
	})
}

// as opens a session of another user, without a TYPE command.
func (g *gateway) as(t *testing.T, user string) *clients.Conn {
	t.Helper()
	c, err := clients.Dial(t.Context(), g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	say(t, c, "USER "+user, 331)
	say(t, c, "PASS "+password, 230)
	return c
}

// say sends a line and wants a code.
func say(t *testing.T, c *clients.Conn, line string, code int) clients.Reply {
	t.Helper()
	r, err := c.Cmd(line)
	if err != nil || r.Code != code {
		t.Fatalf("%s: %q, %v; want %d", line, r.Text, err, code)
	}
	return r
}

// active sends PORT with a listener's port and the address as PORT writes it, and the command; what
// the server connects to is given back.
func active(t *testing.T, c *clients.Conn, address, line string) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	say(t, c, fmt.Sprintf("PORT %s,%d,%d", address, port>>8, port&255), 200)
	if err := c.Send(line); err != nil {
		t.Fatal(err)
	}
	l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	d, err := l.Accept()
	if err != nil {
		t.Fatalf("%s: the server does not connect: %v", line, err)
	}
	if r, err := c.ReadReply(); err != nil || r.Code != 150 {
		t.Fatalf("%s: %q, %v; want 150", line, r.Text, err)
	}
	return d
}

var pasv = regexp.MustCompile(`\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)`)

// passive sends PASV and the command and gives back the data connection.
func passive(t *testing.T, c *clients.Conn, line string) net.Conn {
	t.Helper()
	m := pasv.FindStringSubmatch(say(t, c, "PASV", 227).Text)
	if m == nil {
		t.Fatal("PASV: no address in the reply")
	}
	var p [2]int
	fmt.Sscan(m[5]+" "+m[6], &p[0], &p[1])
	d, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p[0]<<8|p[1]))
	if err != nil {
		t.Fatal(err)
	}
	say(t, c, line, 150)
	return d
}

// send writes a body, ends the data connection and wants the code of the last reply.
func send(t *testing.T, c *clients.Conn, d net.Conn, body string, code int) {
	t.Helper()
	_, err := io.WriteString(d, body)
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	if r, err := c.ReadReply(); err != nil || r.Code != code {
		t.Fatalf("end of the transfer: %q, %v; want %d", r.Text, err, code)
	}
}

// receive reads a data connection to its end and wants a 226.
func receive(t *testing.T, c *clients.Conn, d net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.ReadReply(); err != nil || r.Code != 226 {
		t.Fatalf("end of the transfer: %q, %v; want 226", r.Text, err)
	}
	return string(b)
}

// TestProfileCamera is what IP cameras do: ALLO, XMKD of each level whether it is there or not, CWD into
// what is not there, STOR into a deep path, PORT with the address behind the NAT.
func TestProfileCamera(t *testing.T) {
	for _, kind := range []string{s3Kind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := withUsers(t, w, []string{"name: camera, profile: camera, …", "name: poor, profile: camera, permissions: elrw, …"})
			c := g.as(t, "camera")
			say(t, c, "CWD /", 250)
			say(t, c, "XMKD /ipcam", 257)
			if r := say(t, c, "XMKD /ipcam", 257); !strings.HasPrefix(r.Text, `257 "/ipcam" `) {
				t.Errorf("MKD of an existing directory: %q, want the quoted path first", r.Text)
			}
			say(t, c, "CWD //ipcam/2026-11-22", 250)
			say(t, c, "SIZE DVRWorkDirectory", 550)
			say(t, c, "ALLO 11", 200)
			// TYPE A, from a device that means bytes.
			say(t, c, "TYPE A", 200)
			send(t, c, active(t, c, "192,168,1,64", "STOR 001/jpg/a.jpg"), "\xff\xd8\r\n\xff\xd9", 226)
			w.wantObject(t, "ipcam/2026-11-22/001/jpg/a.jpg", []byte("\xff\xd8\r\n\xff\xd9"))
			// The temporary name of some makes, renamed into another directory.
			send(t, c, active(t, c, "127,0,0,1", "STOR a_tmp.jpg"), "whole", 226)
			say(t, c, "DELE a.jpg", 550)
			say(t, c, "RNFR a_tmp.jpg", 350)
			say(t, c, "RNTO /ready/today/a.jpg", 250)
			w.wantObject(t, "ready/today/a.jpg", []byte("whole"))
			// A public address of somebody else is an attack, profile or not.
			say(t, c, "PORT 198,51,100,7,200,200", 501)

			p := g.as(t, "poor")
			say(t, p, "CWD /elsewhere", 550)
			say(t, p, "MKD /elsewhere", 550)
		})
	}
	t.Run("without", func(t *testing.T) {
		g := newGateway(t, newWorld(t, localKind))
		c := g.as(t, user)
		say(t, c, "MKD /ipcam", 257)
		say(t, c, "MKD /ipcam", 550)
		say(t, c, "CWD /ipcam/2026", 550)
		say(t, c, "PORT 192,168,1,64,200,200", 501)
	})
}

// TestProfileLogger is a data logger: it asks by NLST whether its file is there, writes the header if not,
// and appends a line every interval.
func TestProfileLogger(t *testing.T) {
	for _, kind := range []string{s3Kind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := withUsers(t, w, []string{"name: logger, profile: logger, …"})
			const name = "site/CR6_ten_min.dat"
			want := ""
			for i := range 3 {
				c := g.as(t, "logger")
				if i == 0 {
					passive0 := say(t, c, "PASV", 227)
					if !pasv.MatchString(passive0.Text) {
						t.Fatal(passive0.Text)
					}
					say(t, c, "NLST "+name, 550)
					send(t, c, passive(t, c, "APPE "+name), "time,volt\r\n", 226)
					want = "time,volt\r\n"
				} else if got := receive(t, c, passive(t, c, "NLST "+name)); strings.TrimSpace(got) == "" {
					t.Errorf("NLST of a file that exists: %q", got)
				}
				line := fmt.Sprintf("%d,12.%d\r\n", i, i)
				send(t, c, passive(t, c, "APPE "+name), line, 226)
				want += line
				if err := c.Quit(); err != nil {
					t.Error(err)
				}
			}
			w.wantObject(t, name, []byte(want))
		})
	}
}

// TestProfileMainframe is a z/OS client: SITE with its own words before each file, STRU R, PORT, and text
// in the protocol's default type.
func TestProfileMainframe(t *testing.T) {
	w := newWorld(t, localKind)
	g := withUsers(t, w, []string{"name: zos, profile: mainframe, …"})
	c := g.as(t, "zos")
	say(t, c, "SITE FIXrecfm 80 LRECL=80 RECFM=FB BLKSIZE=27920", 200)
	say(t, c, "STRU R", 200)
	send(t, c, active(t, c, "127,0,0,1", "STOR payroll.txt"), "LINE 1\r\nLINE 2\r\n", 226)
	w.wantObject(t, "payroll.txt", []byte("LINE 1\nLINE 2\n"))
	say(t, c, "TYPE I", 200)
	send(t, c, active(t, c, "127,0,0,1", "STOR payroll.bin"), "\xc1\r\n\xff", 226)
	w.wantObject(t, "payroll.bin", []byte("\xc1\r\n\xff"))

	o := g.as(t, user)
	say(t, o, "SITE FIXrecfm 80 LRECL=80", 500)
	say(t, o, "STRU R", 504)
}

// TestProfileMFP is a scanner of the year 2008: TLS 1.0 with the RSA key exchange, and active mode from behind a
// NAT. Its profile lowers the floor of the listener that it is set on, and of no other.
func TestProfileMFP(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w)
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	old := fmt.Sprintf("127.0.0.1:%d", port)
	g.replace(t, "listeners:\n", fmt.Sprintf("listeners:\n  - {address: %q, tls: {mode: explicit, require: [control]}, profile: mfp}\n", old))
	g.start(t, t)
	if !strings.Contains(g.Log(), "TLS below 1.2") {
		t.Error("the log does not warn of the old TLS")
	}
	cfg, err := clients.TLSConfig(w.certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	c, err := clients.Dial(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if v := c.TLS.ConnectionState().Version; v != tls.VersionTLS10 {
		t.Fatalf("version %s, want TLS 1.0", tls.VersionName(v))
	}
	say(t, c, "USER "+user, 331)
	say(t, c, "PASS "+password, 230)
	say(t, c, "TYPE A", 200) // many a scanner never thinks of TYPE I
	d := tls.Client(active(t, c, "10,0,0,40", "STOR scan.pdf"), cfg)
	send(t, c, d, "%PDF-1.4\r\n", 226)
	w.wantObject(t, "scan.pdf", []byte("%PDF-1.4\r\n"))
	if err := c.Quit(); err != nil {
		t.Error(err)
	}

	c, err = clients.Dial(t.Context(), g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(t.Context(), cfg); err == nil {
		t.Error("TLS 1.0 is spoken on a listener without the profile")
	}
}

// TestProfilePLC is a controller: the commands of RFC 959 and nothing newer, files over TLS without
// close_notify, and a control connection that it drops with the last byte.
func TestProfilePLC(t *testing.T) {
	w := newWorld(t, s3Kind)
	g := withUsers(t, w, []string{"name: plc, profile: plc, …"})
	c := g.as(t, "plc")
	say(t, c, "ACCT plant", 202)
	if r := say(t, c, "FEAT", 211); strings.Contains(r.Text, "EPSV") || strings.Contains(r.Text, "EPRT") {
		t.Errorf("FEAT offers what is refused:\n%s", r.Text)
	}
	say(t, c, "EPSV", 502)
	say(t, c, "EPRT |1|127.0.0.1|50000|", 502)
	send(t, c, passive(t, c, "STOR a.csv"), "1;2\r\n", 226)
	w.wantObject(t, "a.csv", []byte("1;2\r\n"))
	say(t, c, "REIN", 220)
	say(t, c, "PWD", 530)
	// Without the login the profile is the listener's.
	say(t, c, "USER "+user, 331)
	say(t, c, "PASS "+password, 230)
	say(t, c, "EPSV", 229)
	if err := c.Quit(); err != nil {
		t.Error(err)
	}

	// The last byte, and then nothing: neither close_notify nor QUIT.
	for _, who := range []string{"plc", user} {
		t.Run("hangs up/"+who, func(t *testing.T) {
			s := g.as(t, who)
			d := passive(t, s, "STOR lost-"+who+".csv")
			if _, err := io.WriteString(d, "3;4\r\n"); err != nil {
				t.Fatal(err)
			}
			// The control connection first, so that its end is certainly there to be seen.
			s.Close()
			d.Close()
			g.waitNoSessions(t)
			want := []byte("3;4\r\n")
			if who == user {
				want = nil // a cut
			}
			w.wantObject(t, "lost-"+who+".csv", want)
		})
		t.Run("no close_notify/"+who, func(t *testing.T) {
			s, err := clients.Dial(t.Context(), g.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			cfg, err := clients.TLSConfig(w.certs.CA)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.StartTLS(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			say(t, s, "USER "+who, 331)
			say(t, s, "PASS "+password, 230)
			raw := passive(t, s, "STOR rude-"+who+".csv")
			d := tls.Client(raw, cfg)
			if _, err := io.WriteString(d, "5;6\r\n"); err != nil {
				t.Fatal(err)
			}
			raw.Close()
			r, err := s.ReadReply()
			code, want := 226, []byte("5;6\r\n")
			if who == user {
				code, want = 426, nil
			}
			if err != nil || r.Code != code {
				t.Errorf("the end without close_notify: %q, %v; want %d", r.Text, err, code)
			}
			w.wantObject(t, "rude-"+who+".csv", want)
			if err := s.Quit(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestProfileStrict holds a client to the letter of the RFCs, from the greeting on: the profile is the listener's.
func TestProfileStrict(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w)
	g.replace(t, "tls: {mode: explicit}}", "tls: {mode: explicit}, profile: strict}")
	g.start(t, t)
	c, err := clients.Dial(t.Context(), g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SendRaw([]byte("NOOP\n")); err != nil {
		t.Fatal(err)
	}
	if r, err := c.ReadReply(); err != nil || r.Code != 500 {
		t.Errorf("a line that ends with LF alone: %q, %v; want 500", r.Text, err)
	}
	say(t, c, "USER "+user, 331)
	say(t, c, "NOOP", 200)
	say(t, c, "PASS "+password, 503)
	say(t, c, "USER "+user, 331)
	say(t, c, "PASS "+password, 230)
	say(t, c, "AUTH SSL", 504)
	say(t, c, "CWD", 501)
	say(t, c, "TYPE L8", 501)
	say(t, c, "STOU prefix", 501)
	send(t, c, passive(t, c, "STOR -la"), "a\r\nb\r\n", 226)
	w.wantObject(t, "-la", []byte("a\nb\n")) // the default type is ASCII
	if got := receive(t, c, passive(t, c, "NLST -la")); got != "-la\r\n" {
		t.Errorf("NLST -la: %q; want the file of that name", got)
	}
	say(t, c, "TYPE I", 200)
	say(t, c, "ALLO 100", 200)
	send(t, c, passive(t, c, "STOR short"), "less", 426)
	say(t, c, "REST 1", 350)
	say(t, c, "PASV", 227)
	say(t, c, "RETR -la", 503)
	say(t, c, "SITE FIXrecfm 80", 500)
}

// TestProfileOwn writes a profile of its own over a built-in one, gives it to a listener and takes it away
// from one user; and a name that does not exist is told with what was meant.
func TestProfileOwn(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w, "profiles:", "  gate: {base: camera, existing_dir: false, no_extended: true}",
		"  plain: {}", "banner: |", "  Gate of the yard.", "  No trespassing.")
	g.replace(t, "tls: {mode: explicit}}", "tls: {mode: explicit}, profile: gate}")
	g.replace(t, "users:\n", fmt.Sprintf("users:\n  - {name: plain, profile: plain, login_message: \"Good morning.\\nNo news.\", quit_message: Good night., password: %q, home: \"store:/\"}\n", "plain:"+password))
	g.start(t, t)
	c := g.as(t, user)
	say(t, c, "EPSV", 502)
	say(t, c, "MKD a/b", 257)
	say(t, c, "MKD a/b", 550)
	o, err := clients.Dial(t.Context(), g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if r := say(t, o, "REIN", 220); r.Text != "220-Gate of the yard.\r\n220 No trespassing.\r\n" {
		t.Errorf("the banner of two lines is sent as %q", r.Text)
	}
	say(t, o, "USER plain", 331)
	if r := say(t, o, "PASS "+password, 230); r.Text != "230-Good morning.\r\n230 No news.\r\n" {
		t.Errorf("the login message of two lines is sent as %q", r.Text)
	}
	say(t, o, "EPSV", 229)
	say(t, o, "MKD x/y", 550)
	if r := say(t, o, "QUIT", 221); r.Text != "221 Good night.\r\n" {
		t.Errorf("the quit message is sent as %q", r.Text)
	}
}
