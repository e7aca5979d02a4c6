//go:build !unix

package admin

import (
	"errors"
	"net"
)

// listen refuses: a socket here would not have the mode that keeps others out.
func listen(string) (net.Listener, error) { return nil, errors.ErrUnsupported }
