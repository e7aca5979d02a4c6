package unix

import (
	"errors"
	"fmt"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// needed are what a process must be able to do to become its users.
var needed = []cap.Value{cap.SETUID, cap.SETGID}

// passing are what would let a thread pass permission checks in spite of a user's
// file-system uid. With the effective uid 0 the kernel takes them from it; for a process that has them otherwise it does not.
var passing = []cap.Value{cap.DAC_OVERRIDE, cap.DAC_READ_SEARCH, cap.FOWNER, cap.FSETID, cap.CHOWN, cap.MKNOD}

// Ready reports why this process cannot act as other users.
func Ready() error {
	set := cap.GetProc()
	for _, v := range needed {
		if on, err := set.GetFlag(cap.Effective, v); err != nil || !on {
			return fmt.Errorf("unix: the process lacks %v: run it as root", v)
		}
	}
	self, err := own()
	if err != nil {
		return fmt.Errorf("unix: %w", err)
	}
	if self.UID == 0 {
		return nil
	}
	for _, v := range passing {
		if on, err := set.GetFlag(cap.Effective, v); err == nil && on {
			return fmt.Errorf("unix: the process is not root and has %v, which it would keep as any user", v)
		}
	}
	return nil
}

// DropResource takes CAP_SYS_RESOURCE from all threads, for good: who has it is not bound by
// quotas, and it survives setfsuid.
func DropResource() error {
	set := cap.GetProc()
	var errs []error
	for _, flag := range []cap.Flag{cap.Effective, cap.Permitted, cap.Inheritable} {
		errs = append(errs, set.SetFlag(flag, false, cap.SYS_RESOURCE))
	}
	if err := errors.Join(append(errs, set.SetProc())...); err != nil {
		return fmt.Errorf("unix: drop CAP_SYS_RESOURCE: %w", err)
	}
	return nil
}
