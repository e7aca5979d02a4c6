//go:build unix

package protocol

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// oobInline keeps Telnet's Synch in its place: a client may send the IAC DM
// before ABOR, or ABOR itself, as urgent data, and without SO_OOBINLINE the
// marked byte would vanish from the stream.
func oobInline(c net.Conn) {
	if sc, ok := c.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			rc.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_OOBINLINE, 1) })
		}
	}
}
