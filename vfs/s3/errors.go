package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// ErrNoSuchBucket means that the configured bucket does not exist. It is a vfs.ErrUnavailable: for a
// client the fault is the store's, not the name's.
var ErrNoSuchBucket = fmt.Errorf("no such bucket: %w", vfs.ErrUnavailable)

// errNoSuchUpload: a multipart upload has been completed, aborted, or never was.
var errNoSuchUpload = fmt.Errorf("no such upload: %w", vfs.ErrUnavailable)

// storeError is an error of the SDK, with what it means here. The SDK's text
// has the request id.
type storeError struct {
	op, key string
	kind    error
	err     error
}

func (e *storeError) Error() string   { return fmt.Sprintf("s3: %s %q: %v", e.op, e.key, e.err) }
func (e *storeError) Unwrap() []error { return []error{e.kind, e.err} }

// translate says what an error of the SDK means. It is the only place that looks into one.
func translate(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	kind := kindOf(ctx, err)
	if code(err) == "BadRequest" && hasLongSegment(key) {
		// Servers with directories underneath have no such object, and cannot say so: the answer to a HEAD has no code.
		kind = fs.ErrNotExist
	}
	return &storeError{op, key, kind, err}
}

// hasLongSegment reports whether a segment of the key is longer than a file name can be.
func hasLongSegment(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if len(segment) > 255 {
			return true
		}
	}
	return false
}

// codes are the error codes of the S3 API reference, and of servers beside it.
var codes = map[string]error{
	"NoSuchKey":     fs.ErrNotExist,
	"NotFound":      fs.ErrNotExist,
	"NoSuchVersion": fs.ErrNotExist,
	"NoSuchUpload":  errNoSuchUpload,
	"NoSuchBucket":  ErrNoSuchBucket,

	"AccessDenied":                 fs.ErrPermission,
	"AllAccessDisabled":            fs.ErrPermission,
	"MethodNotAllowed":             fs.ErrPermission,
	"ObjectLocked":                 vfs.ErrLocked,
	"Forbidden":                    fs.ErrPermission,
	"AccountProblem":               vfs.ErrUnavailable,
	"InvalidAccessKeyId":           vfs.ErrUnavailable,
	"SignatureDoesNotMatch":        vfs.ErrUnavailable,
	"ExpiredToken":                 vfs.ErrUnavailable,
	"InvalidToken":                 vfs.ErrUnavailable,
	"TokenRefreshRequired":         vfs.ErrUnavailable,
	"RequestTimeTooSkewed":         vfs.ErrUnavailable,
	"PermanentRedirect":            vfs.ErrUnavailable,
	"AuthorizationHeaderMalformed": vfs.ErrUnavailable, // the wrong region

	"PreconditionFailed":         vfs.ErrBusy,
	"ConditionalRequestConflict": vfs.ErrBusy,
	"OperationAborted":           vfs.ErrBusy,

	"InvalidObjectState": vfs.ErrArchived,
	"InvalidRange":       vfs.ErrBadOffset,
	"EntityTooLarge":     vfs.ErrTooLarge,
	"TooManyParts":       vfs.ErrTooLarge,

	"QuotaExceeded":                  vfs.ErrQuota,
	"XMinioAdminBucketQuotaExceeded": vfs.ErrQuota,
	"XMinioStorageFull":              vfs.ErrFull,
	"InsufficientStorage":            vfs.ErrFull,

	"KeyTooLongError":         vfs.ErrBadName,
	"KeyTooLong":              vfs.ErrBadName,
	"InvalidURI":              vfs.ErrBadName,
	"InvalidObjectName":       vfs.ErrBadName,
	"XMinioInvalidObjectName": vfs.ErrBadName,

	// Servers with directories underneath: versitygw, MinIO.
	"ExistingObjectIsDirectory":     vfs.ErrIsDir,
	"XMinioObjectExistsAsDirectory": vfs.ErrIsDir,
	"ObjectParentIsFile":            vfs.ErrNotDir,
	"XMinioParentIsObject":          vfs.ErrNotDir,
}

// kindOf returns what of io/fs or vfs describes the error. What nobody knows is
// ErrUnavailable: trying again later may help, and a device that gives up loses its picture.
func kindOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		// A limit of time has ended the tries; which error they met until then is worth more.
		if u := (*unanswered)(nil); errors.As(err, &u) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return kindOf(context.WithoutCancel(ctx), u.last)
		}
		return context.Cause(ctx)
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if kind, ok := codes[api.ErrorCode()]; ok {
			return kind
		}
	}
	// The answer to a HEAD has no body, and so no code.
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		switch resp.HTTPStatusCode() {
		case http.StatusNotFound:
			return fs.ErrNotExist
		case http.StatusForbidden, http.StatusMethodNotAllowed:
			return fs.ErrPermission
		case http.StatusPreconditionFailed, http.StatusConflict:
			return vfs.ErrBusy
		case http.StatusRequestedRangeNotSatisfiable:
			return vfs.ErrBadOffset
		case http.StatusRequestEntityTooLarge:
			return vfs.ErrTooLarge
		case http.StatusInsufficientStorage:
			return vfs.ErrFull
		}
	}
	return vfs.ErrUnavailable
}

// code returns the error code of the server's answer, empty without one.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
