package protocol

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Why a transfer was called off: causes of its context.
var (
	errAborted      = errors.New("aborted by the client")
	errStalled      = errors.New("no data for the stall time-out")
	errShort        = errors.New("fewer bytes than ALLO announced")
	errControlLost  = errors.New("control connection lost without QUIT")
	errNoClose      = errors.New("TLS ended without close_notify")
	errShutdown     = errors.New("server is shutting down")
	errSessionEnded = errors.New("session ended")
	errNoData       = errors.New("no data connection")
)

// replyTo is what a client is told of an error: a code and a text that holds
// nothing of the error itself, which may name a bucket or carry a line break.
type replyTo struct {
	code int
	text string
}

// phase is what a command was doing when an error came.
type phase uint8

const (
	asking  phase = iota // about something that exists
	naming               // giving a name to something: STOR, APPE, STOU, RNTO
	moving               // in a transfer, behind the 150
	storing              // in an upload, behind the 150
)

// replyFor is the only place that turns an error into a reply. What cannot be classified is
// temporary (450, 451 behind a 150): a device that is told 550 gives up, and loses its picture.
func replyFor(err error, p phase) replyTo {
	name := 550
	if p == naming || p == storing {
		name = 553
	}
	denied, other := name, 450
	if p >= moving {
		denied, other = 451, 451
	}
	switch {
	case errors.Is(err, errNotResumed):
		return replyTo{522, "Data connection has to resume the TLS session of the control connection"}
	case errors.Is(err, errOtherClient):
		return replyTo{522, "Data connection needs the client certificate of the control connection"}
	case errors.Is(err, errNoData):
		return replyTo{425, "Cannot open data connection"}
	case errors.Is(err, errAborted):
		return replyTo{426, "Transfer aborted"}
	case errors.Is(err, errStalled):
		return replyTo{426, "Transfer timed out, no data"}
	case errors.Is(err, errNoClose):
		return replyTo{426, "Data connection ended without TLS close_notify, transfer incomplete"}
	case errors.Is(err, errShort):
		return replyTo{426, "Fewer bytes than ALLO announced, transfer incomplete"}
	case errors.Is(err, errControlLost):
		return replyTo{426, "Control connection lost, transfer incomplete"}
	case errors.Is(err, errKicked):
		return replyTo{426, "The operator has ended this session, transfer incomplete"}
	case errors.Is(err, errShutdown), errors.Is(err, errSessionEnded):
		return replyTo{426, "Server is shutting down"}
	case errors.Is(err, errDamaged):
		return replyTo{426, "Compressed data is damaged, transfer incomplete"}
	case errors.Is(err, errExpansion):
		return replyTo{552, "Compressed data expands too far"}
	case isCut(err):
		return replyTo{426, "Data connection broken, transfer incomplete"}
	case errors.Is(err, errListTooLarge):
		return replyTo{451, "Too much to list, the rest is left out"}
	case errors.Is(err, vfs.ErrBadOffset):
		return replyTo{554, "Restart offset does not fit the file"}
	case errors.Is(err, vfs.ErrBadName):
		return replyTo{553, "File name not allowed"}
	case errors.Is(err, vfs.ErrNotEmpty):
		return replyTo{550, "Directory not empty"}
	case errors.Is(err, vfs.ErrIsDir):
		return replyTo{name, "Is a directory"}
	case errors.Is(err, vfs.ErrNotDir):
		return replyTo{name, "Not a directory"}
	case errors.Is(err, vfs.ErrTooLarge):
		return replyTo{552, "File too large"}
	case errors.Is(err, vfs.ErrQuota):
		return replyTo{552, "Storage allocation exceeded"}
	case errors.Is(err, vfs.ErrFull):
		return replyTo{452, "Insufficient storage space"}
	case errors.Is(err, vfs.ErrBusy) && p == moving:
		return replyTo{451, "File was changed by another while it was sent"}
	case errors.Is(err, fs.ErrExist): // before ErrBusy: a store says both when a name was taken in the last moment
		return replyTo{name, "File exists"}
	case errors.Is(err, vfs.ErrBusy):
		return replyTo{450, "File is busy or was changed by another"}
	case errors.Is(err, vfs.ErrArchived):
		return replyTo{550, "File is archived"}
	case errors.Is(err, fs.ErrNotExist):
		return replyTo{550, "No such file or directory"}
	case errors.Is(err, vfs.ErrLocked):
		return replyTo{name, "File is locked"}
	case errors.Is(err, fs.ErrPermission):
		return replyTo{denied, "Permission denied"}
	case errors.Is(err, errors.ErrUnsupported):
		return replyTo{550, "Not supported here"}
	}
	return replyTo{other, "Local error, try again"}
}

// isCut reports whether err says that the network, not the file system, ended a data connection.
func isCut(err error) bool { return errors.As(err, new(*dataError)) }

// dataError marks an error of the data connection.
type dataError struct{ err error }

func (e *dataError) Error() string { return "data connection: " + e.err.Error() }
func (e *dataError) Unwrap() error { return e.err }

// dataFailure is an error of moving bytes over a data connection, as one that replyFor can tell from
// those of the file system.
func dataFailure(err error) error {
	if errors.Is(err, errStalled) || errors.Is(err, errNoClose) || errors.Is(err, errExpansion) {
		return err
	}
	return &dataError{err}
}

// resultOf is the one word of an ended transfer for log and metrics.
func resultOf(err error) Result {
	switch {
	case err == nil:
		return Done
	case errors.Is(err, errNoData):
		return NoData
	case errors.Is(err, errAborted):
		return Aborted
	case errors.Is(err, errStalled):
		return Stalled
	case errors.Is(err, errShutdown):
		return Shutdown
	case errors.Is(err, errNoClose), errors.Is(err, errShort), errors.Is(err, errControlLost), errors.Is(err, errSessionEnded),
		errors.Is(err, errKicked), isCut(err):
		return Cut
	}
	return Failed
}

// isTimeout reports whether err is a deadline that passed.
func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
