package protocol_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// loopbacks are the two families, with RFC 2428's number.
var loopbacks = map[string]string{"127.0.0.1": "1", "::1": "2"}

// dialOn opens a session that comes to the server over that address, and from it.
func (s *server) dialOn(host string) *client {
	s.t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		s.t.Fatal(err)
	}
	go s.Serve(protocol.Listener{Listener: l, TLS: protocol.TLSExplicit})
	return dial(s.t, l.Addr().String())
}

// active sends PORT or EPRT with a listener's address.
func (c *client) active(verb string, l net.Listener) {
	c.t.Helper()
	a := l.Addr().(*net.TCPAddr).AddrPort()
	if verb == "PORT" {
		b := a.Addr().Unmap().As4()
		c.cmd(200, fmt.Sprintf("PORT %d,%d,%d,%d,%d,%d", b[0], b[1], b[2], b[3], a.Port()>>8, a.Port()&0xff))
		return
	}
	c.cmd(200, fmt.Sprintf("EPRT |%s|%s|%d|", loopbacks[a.Addr().Unmap().String()], a.Addr().Unmap(), a.Port()))
}

// Active mode on both families: the server comes from the address that the client knows, and from a
// port for which it needs no privilege.
func TestActive(t *testing.T) {
	for host, number := range loopbacks {
		t.Run(number, func(t *testing.T) {
			s := start(t, protocol.TLSExplicit, nil)
			c := s.dialOn(host).login()
			verbs := []string{"EPRT"}
			if number == "1" {
				verbs = append(verbs, "PORT")
			}
			for _, verb := range verbs {
				want := bytes.Repeat([]byte(verb), 100_000)
				for _, line := range []string{"STOR f", "RETR f"} {
					l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
					if err != nil {
						t.Fatal(err)
					}
					c.active(verb, l)
					c.cmd(150, line)
					d, err := l.Accept()
					l.Close()
					if err != nil {
						t.Fatal(err)
					}
					if from := d.RemoteAddr().(*net.TCPAddr).AddrPort(); from.Addr().Unmap() != netip.MustParseAddr(host) || from.Port() < 1024 {
						t.Errorf("%s, %s: the server came from %v", verb, line, from)
					}
					if line == "STOR f" {
						d.Write(want)
					} else if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s, %s: %d bytes, %v", verb, line, len(got), err)
					}
					d.Close()
					c.want(226)
				}
			}
			// Nobody listens: 425, and the session goes on.
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Fatal(err)
			}
			c.active("EPRT", l)
			l.Close()
			c.cmd(150, "RETR f")
			c.want(425)
			c.cmd(200, "NOOP")
		})
	}
}

// Passive mode on both families; PASV is IPv4's.
func TestPassiveFamilies(t *testing.T) {
	for _, ports := range []protocol.PortRange{{}, freeRange(t, 4)} {
		for host, number := range loopbacks {
			s := start(t, protocol.TLSExplicit, func(s *server) { s.PassivePorts = ports })
			c := s.dialOn(host).login()
			other := map[string]string{"1": "2", "2": "1"}[number]
			if text := c.cmd(522, "EPSV "+other); !strings.Contains(text, "("+number+")") {
				t.Errorf("EPSV %s: %q does not tell (%s)", other, text, number)
			}
			c.cmd(229, "EPSV "+number)
			if number == "1" {
				c.cmd(227, "PASV")
			} else {
				c.cmd(425, "PASV")
				c.cmd(501, "PORT 127,0,0,1,200,1")
			}
			c.cmd(200, "EPSV ALL")
			for _, line := range []string{"PASV", "PORT 127,0,0,1,200,1", "EPRT |" + number + "|" + host + "|40000|"} {
				c.cmd(501, line)
			}
			m := port.FindStringSubmatch(c.cmd(229, "EPSV"))
			d, err := net.Dial("tcp", net.JoinHostPort(host, m[1]))
			if err != nil {
				t.Fatal(err)
			}
			c.cmd(150, "STOR a")
			d.Write([]byte("x"))
			d.Close()
			c.want(226)
		}
	}
}

// PORT and EPRT to anywhere but the client itself, or to a port of the system's services, are refused.
func TestBounce(t *testing.T) {
	for host, number := range loopbacks {
		s := start(t, protocol.TLSExplicit, nil)
		c := s.dialOn(host).login()
		c.cmd(200, "EPRT |"+number+"|"+host+"|1024|")
		for _, line := range []string{
			"PORT 127,0,0,2,200,1", "PORT 192,0,2,7,200,1", "PORT 0,0,0,0,200,1", "PORT 255,255,255,255,200,1", "PORT 127,0,0,1,0,25", "PORT 127,0,0,1,3,255",
			"EPRT |1|127.0.0.2|40000|", "EPRT |1|192.0.2.7|40000|", "EPRT |2|2001:db8::7|40000|", "EPRT |2|::ffff:192.0.2.7|40000|",
			"EPRT |1|127.0.0.1|1023|", "EPRT |2|::1|25|", "EPRT |" + number + "|" + host + "|0|",
		} {
			c.cmd(501, line)
		}
		// No address at all is that of the client itself, over IPv6; an IPv4 client has none in that family.
		if number == "1" {
			c.cmd(501, "EPRT |2|::|40000|")
		} else {
			c.cmd(200, "EPRT |2|::|40000|")
		}
		if n := strings.Count(s.log.String(), "data connection to a foreign address refused"); n < 8 {
			t.Errorf("%d warnings of foreign addresses", n)
		}
	}
}

// REST holds until the transfer, whatever opens its data connection.
func TestRestartKept(t *testing.T) {
	for host, number := range loopbacks {
		s := start(t, protocol.TLSExplicit, nil)
		if err := os.WriteFile(s.path("f"), []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := s.dialOn(host).login()
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		c.cmd(350, "REST 6")
		c.cmd(229, "EPSV")
		if number == "1" {
			c.cmd(227, "PASV")
		}
		c.active("EPRT", l)
		c.cmd(150, "RETR f")
		d, err := l.Accept()
		l.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(d); string(got) != "6789" || err != nil {
			t.Errorf("read %q, %v, want 6789", got, err)
		}
		d.Close()
		c.want(226)
	}
}

// strangers are addresses of this machine, other than host, from which host can be reached.
func strangers(t *testing.T, host string) []string {
	t.Helper()
	if host == "127.0.0.1" {
		return []string{"127.0.0.2"}
	}
	var list []string
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() == nil && n.IP.IsGlobalUnicast() {
			list = append(list, n.IP.String())
		}
	}
	return append(list, "127.0.0.1") // the port is shared by both families
}

// A passive connection cannot be taken by somebody else, of the same family or the other, in front of its owner or behind.
func TestStolenConnections(t *testing.T) {
	for host := range loopbacks {
		for _, from := range strangers(t, host) {
			for _, match := range []protocol.Match{protocol.MatchAddress, protocol.MatchExclusive} {
				t.Run(fmt.Sprintf("%s by %s, %s", host, from, match), func(t *testing.T) {
					s := start(t, protocol.TLSExplicit, func(s *server) { s.PassivePorts, s.PassiveMatch = freeRange(t, 2), match })
					c := s.dialOn(host).login()
					m := port.FindStringSubmatch(c.cmd(229, "EPSV"))
					to := host
					if from == "127.0.0.1" {
						to = from
					}
					steal := func() {
						thief, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", net.JoinHostPort(to, m[1]))
						if err != nil {
							return // nobody listens there for that family
						}
						defer thief.Close()
						thief.SetDeadline(time.Now().Add(time.Minute))
						io.WriteString(thief, "stolen")
						if got, err := io.ReadAll(thief); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("the thief read %q, %v", got, err)
						}
					}
					steal()
					own, err := net.Dial("tcp", net.JoinHostPort(host, m[1]))
					if err != nil {
						t.Fatal(err)
					}
					steal()
					c.cmd(150, "STOR a")
					own.Write([]byte("mine"))
					steal()
					own.Close()
					c.want(226)
					if got, err := os.ReadFile(s.path("a")); string(got) != "mine" {
						t.Errorf("file %q, %v", got, err)
					}
					if r := s.results(1); !slices.Equal(r, []protocol.Result{protocol.Done}) {
						t.Errorf("results %v", r)
					}
				})
			}
		}
	}
}
