//go:build unix

package local

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// kinds are the meanings of the system's error numbers.
var kinds = map[syscall.Errno]error{
	syscall.ENOENT: fs.ErrNotExist,
	syscall.ELOOP:  fs.ErrNotExist, // a link that ends nowhere
	syscall.EEXIST: fs.ErrExist,

	syscall.ENOTEMPTY: vfs.ErrNotEmpty,
	syscall.EISDIR:    vfs.ErrIsDir,
	syscall.ENOTDIR:   vfs.ErrNotDir,

	syscall.EACCES: fs.ErrPermission,
	syscall.EPERM:  fs.ErrPermission,
	syscall.EROFS:  fs.ErrPermission,
	syscall.ENXIO:  fs.ErrPermission, // a FIFO without a reader, a socket, a device that is not there
	syscall.ENODEV: fs.ErrPermission,

	syscall.ENOSPC: vfs.ErrFull,
	syscall.EDQUOT: vfs.ErrQuota,
	syscall.EFBIG:  vfs.ErrTooLarge,

	syscall.ENAMETOOLONG: vfs.ErrBadName,
	syscall.EINVAL:       vfs.ErrBadName, // FAT: a character; rename: a directory into itself
	syscall.EILSEQ:       vfs.ErrBadName, // not in the character set of the file system

	syscall.EBUSY:   vfs.ErrBusy,
	syscall.ETXTBSY: vfs.ErrBusy,

	syscall.EMFILE: vfs.ErrUnavailable,
	syscall.ENFILE: vfs.ErrUnavailable,
	syscall.ENOMEM: vfs.ErrUnavailable,
	syscall.ESTALE: vfs.ErrUnavailable,

	syscall.EXDEV:   errors.ErrUnsupported, // a rename from one file system to another
	syscall.ENOTSUP: errors.ErrUnsupported,
	syscall.ENOSYS:  errors.ErrUnsupported,
}
