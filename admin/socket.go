package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// MaxPath is the longest name of a socket that all systems take, in bytes.
const MaxPath = 103

// Listen makes the socket at path, which only this process's user and root can open. The last directory in path is made where it is
// missing. A socket that nobody listens on any more is replaced; any other file, and a socket in use, stays and is an error. Closing the listener removes the socket.
func Listen(path string) (net.Listener, error) {
	if len(path) > MaxPath {
		return nil, fmt.Errorf("%s is too long for the name of a socket: %d bytes are the most", path, MaxPath)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	switch fi, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case fi.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is there already, and no socket", path)
	default:
		c, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("%s is in use by another process", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) { // somebody listens, and has no time or lets nobody in
			return nil, fmt.Errorf("%s cannot be told from one in use: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return listen(path)
}
