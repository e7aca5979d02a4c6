//go:build unix

package vfs

import (
	"strconv"
	"syscall"
)

func owner(sys any) (uid, gid uint32, ok bool) {
	st, ok := sys.(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return st.Uid, st.Gid, true
}

func id(sys any) (string, bool) {
	st, ok := sys.(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return strconv.FormatUint(uint64(st.Dev), 16) + "U" + strconv.FormatUint(uint64(st.Ino), 16), true
}
