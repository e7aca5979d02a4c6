//go:build unix

package admin

import (
	"context"
	"net"
	"os"
	"syscall"
)

// listen binds the socket. On Linux it has its mode from the first moment on; elsewhere it gets it at once behind that.
func listen(path string) (net.Listener, error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if cerr := raw.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); cerr != nil {
			return cerr
		}
		if err == syscall.EINVAL { // other systems have no mode before the name
			err = nil
		}
		return err
	}}
	l, err := c.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}
