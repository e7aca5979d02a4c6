// Package unix serves the real file system to real users: every operation on a
// name is done with the user's uid, gid and supplementary groups, so that it is the kernel that
// allows or denies, and files belong to who has stored them.
//
// # How a thread becomes somebody
//
// Linux keeps identities per thread. An operation runs on a goroutine that is
// locked to its thread; the thread takes the user's groups, file-system gid and
// file-system uid (setgroups, setfsgid and setfsuid as raw system calls: the
// wrappers of package syscall would change every thread of the process), reads them
// back, does its work, and becomes itself again. A thread that cannot be restored
// is never given back: the goroutine ends while it is locked to it, and with
// it the thread.
//
// With a file-system uid other than 0 the kernel takes away from the thread what lets root pass
// all permission checks. What it leaves is CAP_SYS_RESOURCE, which
// ignores quotas; [DropResource] removes that one from the whole process, at its start.
//
// Reading from and writing to a file that is open asks the kernel for no permission, and
// runs as it always does, so that sendfile and splice stay possible.
package unix
