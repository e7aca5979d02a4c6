package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Who may not open the socket is told that, and not that nobody is there.
func TestAnswered(t *testing.T) {
	dial := func(errno syscall.Errno) error {
		return fmt.Errorf("status: %w", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)})
	}
	other := errors.New("there is no session 7")
	for _, c := range []struct {
		err  error
		want string
	}{
		{dial(syscall.EACCES), "the socket /run/s may not be opened: connect: permission denied (hint: only"},
		{dial(syscall.ENOENT), "no server answers at /run/s: connect: no such file or directory (hint: it needs admin.socket"},
		{dial(syscall.ECONNREFUSED), "no server answers at /run/s: connect: connection refused (hint: it needs admin.socket"},
		{other, "there is no session 7"},
	} {
		if got := answered("/run/s", c.err); !strings.HasPrefix(got.Error(), c.want) {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
	if err := answered("/run/s", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}
