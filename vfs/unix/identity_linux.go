package unix

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	sys "golang.org/x/sys/unix"
)

// Identity is who the kernel takes a thread for when it decides about files.
type Identity struct {
	UID, GID uint32
	Groups   []uint32 // supplementary ones
}

// ErrIdentity says that a thread could not become the user: nothing was done.
var ErrIdentity = errors.New("unix: cannot take the user's identity")

// own is what threads of this process are when they are nobody else.
var own = sync.OnceValues(func() (Identity, error) {
	groups, err := getgroups()
	return Identity{UID: uint32(sys.Geteuid()), GID: uint32(sys.Getegid()), Groups: groups}, err
})

// as runs f as the user. It runs on a goroutine and a thread of its own, and as waits for
// it. A panic of f is the caller's.
func (id Identity) as(f func() error) (err error) {
	self, err := own()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	type result struct {
		err   error
		panic any
	}
	done := make(chan result, 1)
	go func() { // ends with f
		var r result
		runtime.LockOSThread()
		defer func() { done <- r }()
		func() {
			defer func() { r.panic = recover() }()
			if r.err = id.take(); r.err == nil {
				r.err = f()
			}
		}()
		if err := self.take(); err == nil {
			runtime.UnlockOSThread()
		}
		// Else the goroutine ends with its thread locked, and the runtime ends the thread.
	}()
	r := <-done
	if r.panic != nil {
		panic(r.panic)
	}
	return r.err
}

// take makes the calling thread id. Groups first: only root may set them, and after
// the uid nobody asks any more. What was set is read back, as setfsuid and setfsgid tell no errors.
func (id Identity) take() error {
	if err := setgroups(id.Groups); err != nil {
		return fmt.Errorf("%w: setgroups: %w", ErrIdentity, err)
	}
	sys.RawSyscall(sys.SYS_SETFSGID, uintptr(id.GID), 0, 0)
	sys.RawSyscall(sys.SYS_SETFSUID, uintptr(id.UID), 0, 0)
	// An invalid id changes nothing and tells the present one.
	gid, _, _ := sys.RawSyscall(sys.SYS_SETFSGID, ^uintptr(0), 0, 0)
	uid, _, _ := sys.RawSyscall(sys.SYS_SETFSUID, ^uintptr(0), 0, 0)
	groups, err := getgroups()
	switch {
	case err != nil:
		return fmt.Errorf("%w: getgroups: %w", ErrIdentity, err)
	case uint32(uid) != id.UID || uint32(gid) != id.GID || !sameGroups(groups, id.Groups):
		return fmt.Errorf("%w: it is uid %d, gid %d, groups %v instead of %d, %d, %v", ErrIdentity, uid, gid, groups, id.UID, id.GID, id.Groups)
	}
	return nil
}

func setgroups(groups []uint32) error {
	var p unsafe.Pointer
	if len(groups) > 0 {
		p = unsafe.Pointer(&groups[0])
	}
	if _, _, e := sys.RawSyscall(sys.SYS_SETGROUPS, uintptr(len(groups)), uintptr(p), 0); e != 0 {
		return e
	}
	return nil
}

func getgroups() ([]uint32, error) {
	n, _, e := sys.RawSyscall(sys.SYS_GETGROUPS, 0, 0, 0)
	if e != 0 || n == 0 {
		if e != 0 {
			return nil, e
		}
		return nil, nil
	}
	groups := make([]uint32, n)
	n, _, e = sys.RawSyscall(sys.SYS_GETGROUPS, n, uintptr(unsafe.Pointer(&groups[0])), 0)
	if e != 0 {
		return nil, e
	}
	return groups[:n], nil
}

// sameGroups compares without an order: the kernel sorts.
func sameGroups(a, b []uint32) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
