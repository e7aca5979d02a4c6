package integration

import (
	"syscall"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// urgent sends bytes of which the last is TCP's urgent data.
func urgent(t *testing.T, c *clients.Conn, b string) {
	t.Helper()
	rc, err := c.Raw.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var sent error
	if err := rc.Write(func(fd uintptr) bool {
		sent = syscall.Sendto(int(fd), []byte(b), syscall.MSG_OOB, nil)
		return sent != syscall.EAGAIN
	}); err != nil || sent != nil {
		t.Fatal(err, sent)
	}
}

// TestUrgentAbor sends ABOR as urgent data, with Telnet's commands before it and without.
func TestUrgentAbor(t *testing.T) {
	w := newWorld(t, atomicKind)
	g := newGateway(t, w)
	c := g.login(t, false)
	for _, line := range []string{"ABOR\r\n", "\xff\xf4\xff\xf2ABOR\r\n"} {
		d, err := c.Transfer(t.Context(), "STOR cut.bin")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write(random(1, 100_000)); err != nil {
			t.Fatal(err)
		}
		urgent(t, c, line)
		for _, want := range []int{426, 226} {
			if r, err := c.ReadReply(); err != nil || r.Code != want {
				t.Fatalf("%q: %q, %v; want %d", line, r.Text, err, want)
			}
		}
		d.Close()
	}
	if _, err := c.Expect(200, "NOOP"); err != nil {
		t.Error(err)
	}
	w.wantObject(t, "cut.bin", nil)
}
