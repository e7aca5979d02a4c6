package protocol

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// States of a TCP connection in which the peer has ended its side, from
// Linux's include/net/tcp_states.h.
const (
	tcpClose     = 7
	tcpCloseWait = 8
	tcpLastAck   = 9
	tcpClosing   = 11
)

// peerEnded reports, without waiting, whether the peer has closed its side of
// the connection, even if bytes that it sent before are still unread.
func peerEnded(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return true // closed on our side
	}
	ended := false
	err = rc.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		switch info.State {
		case tcpClose, tcpCloseWait, tcpLastAck, tcpClosing:
			ended = true
		}
	})
	return ended || err != nil
}
