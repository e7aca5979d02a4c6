//go:build linux || darwin || freebsd

package local

import (
	"math"
	"math/bits"
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace is what others than root may still write to the volume of d.
func freeSpace(d *os.File) (int64, error) {
	c, err := d.SyscallConn()
	if err != nil {
		return 0, err
	}
	var st unix.Statfs_t
	var serr error
	if err := c.Control(func(fd uintptr) { serr = unix.Fstatfs(int(fd), &st) }); err != nil {
		return 0, err
	}
	if serr != nil {
		return 0, os.NewSyscallError("fstatfs", serr)
	}
	avail := int64(st.Bavail) // FreeBSD's is signed, and negative when only root may still write
	if avail <= 0 {
		return 0, nil
	}
	hi, lo := bits.Mul64(uint64(avail), uint64(st.Bsize))
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64, nil
	}
	return int64(lo), nil
}
