package protocol

import (
	"net/netip"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// Guard slows down and shuts out who guesses passwords; package auth/guard has
// one. Its methods are called by many goroutines at once and must not block.
type Guard interface {
	// Banned reports whether connections from the address are refused now.
	Banned(addr netip.Addr) bool
	// Before returns how long an attempt has to wait before its password is looked at.
	Before(r auth.Request) time.Duration
	// Failed is told of a wrong password, and returns how long the answer to it waits.
	Failed(r auth.Request) time.Duration
	// Succeeded is told of a right password. Where it reports false, the address
	// has been banned meanwhile, and the login is refused all the same.
	Succeeded(r auth.Request) bool
}
