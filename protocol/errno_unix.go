//go:build unix

package protocol

import (
	"errors"
	"syscall"
)

// isConnErrno reports whether err is one that only a connection can give.
func isConnErrno(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ETIMEDOUT) ||
		errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.ENOTCONN)
}
