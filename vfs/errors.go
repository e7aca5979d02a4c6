package vfs

import (
	"errors"
	"fmt"
	"io/fs"
)

// Errors that io/fs has no value for. They are found with [errors.Is].
var (
	// ErrNotEmpty: a directory that still has entries was to be removed.
	ErrNotEmpty = errors.New("directory not empty")
	// ErrIsDir: a directory was found where a file is needed.
	ErrIsDir = errors.New("is a directory")
	// ErrNotDir: a file was found where a directory is needed.
	ErrNotDir = errors.New("not a directory")
	// ErrQuota: the user's or the bucket's allowance is used up.
	ErrQuota = errors.New("quota exceeded")
	// ErrFull: the store has no room left.
	ErrFull = errors.New("no space left")
	// ErrTooLarge: the file is larger than the store or the configuration allows.
	ErrTooLarge = errors.New("file too large")
	// ErrBadName: the tree cannot hold a file of that name.
	ErrBadName = errors.New("invalid name")
	// ErrBadOffset: a restart offset that does not fit the file.
	ErrBadOffset = errors.New("invalid offset")
	// ErrBusy: somebody else changed or holds the file; a later try may succeed.
	ErrBusy = errors.New("changed or held by another")
	// ErrUnavailable: the store did not answer, or not sensibly; a later try may succeed.
	ErrUnavailable = errors.New("store unavailable")
	// ErrLocked: the store keeps the file as it is, by a lock, a hold or a retention. It is an fs.ErrPermission, but
	// no later try helps.
	ErrLocked = fmt.Errorf("locked: %w", fs.ErrPermission)
	// ErrArchived: the object has to be restored from an archive before it can be read.
	ErrArchived = errors.New("archived")
)
