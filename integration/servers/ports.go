package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// Ports are taken below the range from which Linux gives ports to outgoing
// connections (32768 and up), so that a port that was free when it was tried is not
// taken by a client a moment later. Where the walk begins depends on the process, so that two
// test binaries seldom try the same ports.
const (
	firstPort = 20000
	lastPort  = 31999
)

var walk atomic.Uint32

func init() { walk.Store(uint32(os.Getpid()) * 37) }

// FreePort returns a TCP port that nobody listens on at 127.0.0.1.
func FreePort() (int, error) {
	for range lastPort - firstPort {
		port := firstPort + int(walk.Add(1)%(lastPort-firstPort+1))
		l, err := net.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("no free port on loopback")
}

// FreePorts returns the first of n neighbouring free ports.
func FreePorts(n int) (int, error) {
search:
	for range 200 {
		first, err := FreePort()
		if err != nil {
			return 0, err
		}
		if first+n > lastPort {
			walk.Add(uint32(n)) // on to the beginning
			continue
		}
		for port := first; port < first+n; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", port))
			if err != nil {
				walk.Add(uint32(port - first)) // on behind the one that is taken
				continue search
			}
			l.Close()
		}
		walk.Add(uint32(n)) // the next one asked for is none of these
		return first, nil
	}
	return 0, fmt.Errorf("no %d neighbouring free ports", n)
}

// FreeAddr returns 127.0.0.1 with a free port.
func FreeAddr() (string, error) {
	port, err := FreePort()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}
