package protocol_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// gone waits until no session is left.
func (s *server) gone() {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.Sessions() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d sessions do not end", s.Sessions())
		}
	}
}

// The last reply reaches a client that has sent more than the server wanted to read, and that looks
// at its replies only when the server has gone: no reset takes it away.
func TestLastReplyArrives(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, last := range []struct{ name, line, want string }{
			{"QUIT", "QUIT", "221 "},
			{"too many wrong passwords", "USER x\r\nPASS wrong", "421 "},
		} {
			t.Run(map[bool]string{false: "clear, ", true: "TLS, "}[secure]+last.name, func(t *testing.T) {
				t.Parallel()
				s := start(t, protocol.TLSExplicit, func(s *server) { s.Auth, s.LoginAttempts = oneWord{}, 1 })
				c := dial(t, s.addr)
				if secure {
					c.secure(nil)
				}
				c.send(last.line + "\r\n" + strings.Repeat("NOOP\r\n", 5000))
				s.gone()
				c.conn.SetReadDeadline(time.Now().Add(time.Minute))
				b, err := io.ReadAll(c.in)
				if err != nil {
					t.Errorf("reading the replies: %v", err)
				}
				if lines := strings.Split(string(b), "\r\n"); len(lines) < 2 || !strings.HasPrefix(lines[len(lines)-2], last.want) {
					t.Errorf("the last reply of %q is not %s", b, last.want)
				}
			})
		}
	}
}
