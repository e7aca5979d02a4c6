package protocol_test

import (
	"context"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// nobody lets nobody in.
type nobody struct{}

func (nobody) Authenticate(context.Context, auth.Request) (*auth.Account, error) {
	return nil, auth.ErrDenied
}

// The name in a TLS handshake behind a login is that of the next login's host.
func TestHostOfAuthBehindLogin(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.Hosts = []protocol.Host{{Names: []string{"localhost"}, Auth: nobody{}}}
	})
	c := dial(t, s.addr).login()
	c.secure(nil)
	c.cmd(331, "USER joe")
	c.cmd(530, "PASS x")
}
