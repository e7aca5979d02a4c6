//go:build unix

package local

import (
	"os"
	"strings"
	"syscall"
)

// nonblock keeps an open of a FIFO or a device from waiting for its other end.
const nonblock = syscall.O_NONBLOCK

// blocking takes nonblock off again once the file is known to be a regular one:
// some file systems in user space pass the flag on and would then refuse a read.
func blocking(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := c.Control(func(fd uintptr) { serr = syscall.SetNonblock(int(fd), false) }); err != nil {
		return err
	}
	return serr
}

// localize takes any bytes but NUL: names in old encodings are not UTF-8, and
// [path/filepath.Localize] would refuse them.
func localize(name string) (string, bool) { return name, strings.IndexByte(name, 0) < 0 }

// syncDir flushes a directory.
func syncDir(root *os.Root, rel string) error {
	d, err := root.Open(rel)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
