//go:build !race

// The race detector has stacks of its own.

package protocol_test

import (
	"runtime"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// TestIdleStack holds sessions that have done something and wait now: the runtime halves their stacks to 4 KiB.
func TestIdleStack(t *testing.T) {
	const n = 200
	s := start(t, protocol.TLSNone, nil)
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC() // shrinks stacks
		runtime.ReadMemStats(&m)
		return m.StackInuse
	}
	dial(t, s.addr).login().cmd(257, "PWD")
	before := inUse()
	for range n {
		dial(t, s.addr).login().cmd(257, "PWD")
	}
	for s.Sessions() != n+1 {
		runtime.Gosched()
	}
	if each := (inUse() - before) / n; each > 6<<10 {
		t.Errorf("%d bytes of stack for each", each)
	}
}
