package protocol_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// freeRange finds n ports in a row that nobody uses.
func freeRange(t *testing.T, n uint16) protocol.PortRange {
	t.Helper()
	for first := uint16(41000); first < 60000; first += n {
		free := true
		for p := first; free && p < first+n; p++ {
			l, err := net.ListenTCP("tcp", &net.TCPAddr{Port: int(p)})
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return protocol.PortRange{First: first, Last: first + n - 1}
		}
	}
	t.Fatal("no free range of ports")
	return protocol.PortRange{}
}

// Two hundred clients of one address share ten ports.
func TestSharedPorts(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) { s.PassivePorts = freeRange(t, 10) })
	var wg sync.WaitGroup
	for range 200 {
		c := dial(t, s.addr).login()
		wg.Go(func() {
			for range 3 {
				if code := c.put("a", []byte("x")); code != 226 {
					t.Errorf("STOR: %d", code)
				}
			}
		})
	}
	wg.Wait()
}

// A thousand PASV in a row, never used, take one port and no descriptor each.
func TestPassiveLeaksNothing(t *testing.T) {
	for name, r := range map[string]protocol.PortRange{"range": freeRange(t, 10), "any port": {}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, protocol.TLSExplicit, func(s *server) { s.PassivePorts = r })
			c := dial(t, s.addr).login()
			for range 1000 {
				c.cmd(229, "EPSV")
			}
			if code := c.put("a", []byte("x")); code != 226 {
				t.Errorf("STOR: %d", code)
			}
		})
	}
}

// Somebody else's connection to a passive port is no data connection.
func TestStranger(t *testing.T) {
	for name, change := range map[string]func(*server){
		"shared":    func(s *server) { s.PassivePorts = freeRange(t, 2) },
		"exclusive": func(s *server) { s.PassivePorts, s.PassiveMatch = freeRange(t, 2), protocol.MatchExclusive },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, protocol.TLSExplicit, change)
			c := dial(t, s.addr).login()
			m := port.FindStringSubmatch(c.cmd(229, "EPSV"))
			from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			thief, err := from.Dial("tcp", "127.0.0.1:"+m[1])
			if err == nil {
				defer thief.Close()
				thief.SetReadDeadline(time.Now().Add(30 * time.Second))
				_, err = thief.Read(make([]byte, 1))
			}
			if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("the stranger was not refused: %v", err)
			}
			own, err := net.Dial("tcp", "127.0.0.1:"+m[1])
			if err != nil {
				t.Fatal(err)
			}
			c.cmd(150, "STOR a")
			own.Write([]byte("mine"))
			own.Close()
			c.want(226)
		})
	}
}

// Control connections are limited in all and by address, and a refusal says why.
func TestConnectionLimits(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) { s.MaxSessions = 2 })
	dial(t, s.addr)
	dial(t, s.addr)
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 3)
	if _, err := c.Read(b); err != nil || string(b) != "421" {
		t.Errorf("third connection read %q, %v, want 421", b, err)
	}

	s = start(t, protocol.TLSExplicit, func(s *server) { s.MaxPerIP = 1 })
	dial(t, s.addr)
	if c, err = net.Dial("tcp", s.addr); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(b); err != nil || string(b) != "421" {
		t.Errorf("second connection of the address read %q, %v, want 421", b, err)
	}
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	other, err := from.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Read(b); err != nil || string(b) != "220" {
		t.Errorf("another address read %q, %v, want 220", b, err)
	}
}
