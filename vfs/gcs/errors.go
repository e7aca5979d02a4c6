package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// ErrNoSuchBucket means that the bucket does not exist. It is vfs.ErrUnavailable as well: no client's
// request is at fault.
var ErrNoSuchBucket = fmt.Errorf("no such bucket: %w", vfs.ErrUnavailable)

// translate gives an error of the SDK, of the store or of the network its name in
// io/fs and vfs. The original stays in the chain, with the store's request id in the text.
// An error that has no name there stays as it is: whoever answers the client then says
// "try again".
func translate(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	where := fmt.Sprintf("gcs: %s %q", op, key)
	if id := requestID(err); id != "" {
		where += " (request " + id + ")"
	}
	if ctx.Err() != nil {
		// Called off from our side: why matters more than how it then failed.
		return fmt.Errorf("%s: %w: %w", where, context.Cause(ctx), err)
	}
	if k := kind(err); k != nil {
		return fmt.Errorf("%s: %w: %w", where, k, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// kind is the name for err, or nil.
func kind(err error) error {
	var (
		session sessionGone
		g       *googleapi.Error
	)
	switch {
	case errors.As(err, &session):
		return vfs.ErrUnavailable
	case errors.As(err, &g):
		return kindOf(g, err)
	case errors.Is(err, storage.ErrBucketNotExist):
		return ErrNoSuchBucket
	case errors.Is(err, storage.ErrObjectNotExist):
		return fs.ErrNotExist
	}
	// No answer, a broken one, or no token.
	var (
		netErr net.Error
		token  *auth.Error
	)
	if errors.As(err, &netErr) || errors.As(err, &token) || retryable(err) {
		return vfs.ErrUnavailable
	}
	return nil
}

// kindOf goes by the HTTP status, and where that is not enough by the "reason" of the JSON API
// (https://cloud.google.com/storage/docs/json_api/v1/status-codes).
func kindOf(g *googleapi.Error, err error) error {
	switch g.Code {
	case http.StatusNotFound:
		// Bucket and object have the same reason; the SDK's own word for a
		// listing, and the message for the rest, tell them apart.
		if errors.Is(err, storage.ErrBucketNotExist) || mentions(g, "bucket does not exist") {
			return ErrNoSuchBucket
		}
		return fs.ErrNotExist
	case http.StatusUnauthorized:
		// Our credentials, not the client's.
		return vfs.ErrUnavailable
	case http.StatusForbidden:
		switch {
		case reason(g, "rateLimitExceeded", "userRateLimitExceeded"):
			return vfs.ErrUnavailable
		case reason(g, "quotaExceeded", "storageQuotaExceeded"):
			return vfs.ErrQuota
		case reason(g, "retentionPolicyNotMet", "objectUnderActiveHold"):
			return vfs.ErrLocked
		}
		return fs.ErrPermission
	case http.StatusConflict, http.StatusPreconditionFailed:
		return vfs.ErrBusy
	case http.StatusRequestEntityTooLarge:
		return vfs.ErrTooLarge
	case http.StatusRequestedRangeNotSatisfiable:
		return vfs.ErrBadOffset
	case http.StatusInsufficientStorage:
		return vfs.ErrFull
	case http.StatusTooManyRequests:
		if reason(g, "quotaExceeded", "storageQuotaExceeded") {
			return vfs.ErrQuota
		}
		return vfs.ErrUnavailable
	case http.StatusBadRequest:
		if mentions(g, "object name") {
			return vfs.ErrBadName
		}
		if damaged(g) {
			return vfs.ErrUnavailable
		}
		return nil
	}
	if retryable(g) {
		return vfs.ErrUnavailable
	}
	return nil
}

// retryable tells whether the same request may go well later. It judges the
// error only; whoever repeats looks at the context first.
func retryable(err error) bool {
	if err == nil {
		return false
	}
	var g *googleapi.Error
	if errors.As(err, &g) {
		switch g.Code {
		case http.StatusRequestTimeout, http.StatusTooManyRequests:
			return true
		case http.StatusForbidden:
			return reason(g, "rateLimitExceeded", "userRateLimitExceeded")
		}
		return g.Code >= 500 && g.Code != http.StatusNotImplemented && g.Code != http.StatusInsufficientStorage
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	var netErr net.Error
	return storage.ShouldRetry(err) || errors.Is(err, io.EOF) ||
		errors.As(err, &netErr) // net/http wraps all that goes wrong on the way in a url.Error
}

// damaged: the store found another checksum than we sent along.
func damaged(err error) bool {
	var g *googleapi.Error
	return errors.As(err, &g) && g.Code == http.StatusBadRequest &&
		(mentions(g, "crc32c") || mentions(g, "hash") || mentions(g, "checksum"))
}

// status is the HTTP status in err, or 0.
func status(err error) int {
	var g *googleapi.Error
	if errors.As(err, &g) {
		return g.Code
	}
	return 0
}

func reason(g *googleapi.Error, any ...string) bool {
	for _, item := range g.Errors {
		for _, r := range any {
			if item.Reason == r {
				return true
			}
		}
	}
	return false
}

func mentions(g *googleapi.Error, what string) bool {
	return strings.Contains(strings.ToLower(g.Message+g.Body), what)
}

// requestID is the store's own number for the request, which its support asks for.
func requestID(err error) string {
	var g *googleapi.Error
	if errors.As(err, &g) {
		return g.Header.Get("X-Guploader-Uploadid")
	}
	return ""
}
