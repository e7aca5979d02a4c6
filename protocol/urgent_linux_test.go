package protocol_test

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// urgent sends bytes of which the last one is marked as urgent.
func urgent(t *testing.T, c *net.TCPConn, b string) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var sent error
	if err := rc.Write(func(fd uintptr) bool {
		sent = unix.Sendto(int(fd), []byte(b), unix.MSG_OOB, nil)
		return sent != unix.EAGAIN
	}); err != nil || sent != nil {
		t.Fatal(err, sent)
	}
}

// Clients announce ABOR in many ways: RFC 959 section 3.2.1 wants Telnet's IP and Synch before it, whose mark is TCP's urgent
// data. Some send all of ABOR as urgent data, some the mark only, many nothing of the kind.
func TestUrgentAbor(t *testing.T) {
	for _, tc := range []struct {
		name string
		send func(t *testing.T, c *client)
	}{
		{"plain", func(t *testing.T, c *client) { c.send("ABOR") }},
		{"IP and Synch in band", func(t *testing.T, c *client) { c.send("\xff\xf4\xff\xf2ABOR") }},
		{"Synch urgent", func(t *testing.T, c *client) {
			c.conn.Write([]byte("\xff\xf4"))
			urgent(t, c.raw, "\xff\xf2")
			c.send("ABOR")
		}},
		{"IAC urgent, DM behind it", func(t *testing.T, c *client) {
			urgent(t, c.raw, "\xff\xf4\xff")
			c.send("\xf2ABOR")
		}},
		{"all of ABOR urgent", func(t *testing.T, c *client) { urgent(t, c.raw, "ABOR\r\n") }},
		{"all with Telnet urgent", func(t *testing.T, c *client) { urgent(t, c.raw, "\xff\xf4\xff\xf2ABOR\r\n") }},
		{"CR urgent", func(t *testing.T, c *client) {
			urgent(t, c.raw, "ABOR\r")
			c.conn.Write([]byte("\n"))
		}},
		{"mark lost on the way", func(t *testing.T, c *client) { c.send("\xff\xf4\xffABOR") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, protocol.TLSExplicit, nil)
			c := dial(t, s.addr).login()
			for range 2 {
				d, _ := c.transfer("STOR a")
				if _, err := d.Write(half); err != nil {
					t.Fatal(err)
				}
				c.send("PWD") // waits
				tc.send(t, c)
				c.want(426)
				c.want(226)
				c.want(257)
				d.Close()
			}
			// Nothing of the stream is lost, and none comes twice.
			tc.send(t, c)
			c.want(226)
			c.cmd(200, "NOOP")
			if got := s.results(2); got[0] != protocol.Aborted || got[1] != protocol.Aborted {
				t.Errorf("results %v", got)
			}
		})
	}
}
