package admin

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestBusySocket keeps a socket whose process has no time to answer: it is no stale one.
func TestBusySocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	busy, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	raw, err := busy.(*net.UnixListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var lerr error
	if err := raw.Control(func(fd uintptr) { lerr = syscall.Listen(int(fd), 0) }); err != nil || lerr != nil {
		t.Fatal(err, lerr)
	}
	for range 8 { // until its queue is full
		c, err := net.DialTimeout("unix", path, time.Second)
		if err != nil {
			break
		}
		defer c.Close()
	}
	if l, err := Listen(path); err == nil {
		l.Close()
		t.Error("the socket of a busy process is replaced")
	}
}
