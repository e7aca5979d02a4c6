package local

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// The system error codes of winerror.h that package syscall has no names for.
const (
	errorNotSameDevice      syscall.Errno = 17
	errorWriteProtect       syscall.Errno = 19
	errorSharingViolation   syscall.Errno = 32
	errorLockViolation      syscall.Errno = 33
	errorHandleDiskFull     syscall.Errno = 39
	errorNotSupported       syscall.Errno = 50
	errorDiskFull           syscall.Errno = 112
	errorInvalidName        syscall.Errno = 123
	errorDirNotEmpty        syscall.Errno = 145
	errorBadPathname        syscall.Errno = 161
	errorFilenameExcedRange syscall.Errno = 206
	errorFileTooLarge       syscall.Errno = 223
	errorDirectory          syscall.Errno = 267
	errorDiskQuotaExceeded  syscall.Errno = 1295
)

// kinds are the meanings of the system's error numbers. The E… are those that
// package syscall makes up on Windows; ENOENT and ENOTDIR are error codes there.
var kinds = map[syscall.Errno]error{
	syscall.ERROR_FILE_NOT_FOUND: fs.ErrNotExist,
	syscall.ERROR_PATH_NOT_FOUND: fs.ErrNotExist,
	syscall.ELOOP:                fs.ErrNotExist,
	syscall.ERROR_ALREADY_EXISTS: fs.ErrExist,
	syscall.ERROR_FILE_EXISTS:    fs.ErrExist,
	syscall.EEXIST:               fs.ErrExist,

	errorDirNotEmpty:  vfs.ErrNotEmpty,
	syscall.ENOTEMPTY: vfs.ErrNotEmpty,
	syscall.EISDIR:    vfs.ErrIsDir,
	errorDirectory:    vfs.ErrNotDir,

	syscall.ERROR_ACCESS_DENIED: fs.ErrPermission,
	errorWriteProtect:           fs.ErrPermission,
	syscall.EACCES:              fs.ErrPermission,
	syscall.EPERM:               fs.ErrPermission,

	errorDiskFull:          vfs.ErrFull,
	errorHandleDiskFull:    vfs.ErrFull,
	errorDiskQuotaExceeded: vfs.ErrQuota,
	errorFileTooLarge:      vfs.ErrTooLarge,

	errorInvalidName:        vfs.ErrBadName,
	errorBadPathname:        vfs.ErrBadName,
	errorFilenameExcedRange: vfs.ErrBadName,
	syscall.EINVAL:          vfs.ErrBadName,

	errorSharingViolation: vfs.ErrBusy,
	errorLockViolation:    vfs.ErrBusy,

	errorNotSameDevice: errors.ErrUnsupported,
	errorNotSupported:  errors.ErrUnsupported,
	syscall.ENOTSUP:    errors.ErrUnsupported,
}
