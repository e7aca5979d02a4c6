//go:build !unix

package protocol

import "net"

// oobInline does nothing here: a byte that was sent as urgent data is lost, which the Telnet filter bears.
func oobInline(net.Conn) {}
