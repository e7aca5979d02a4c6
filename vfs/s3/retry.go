package s3

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

const (
	maxAttempts = 8
	maxBackoff  = 5 * time.Second
)

// newRetryer returns the rules for trying again. With the default ones (3
// attempts, and a quota of retries shared by all requests) four seconds of
// "503 SlowDown" end hundreds of uploads.
//
// Credentials that the server takes for expired, although the cache did not, are asked for anew:
// a token may have been revoked, or the clock be wrong. Without a cache they are what they are.
func newRetryer(cache *aws.CredentialsCache) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
		o.RateLimiter = ratelimit.None
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{408: {}, 429: {}}},
			retry.RetryableErrorCode{Codes: map[string]struct{}{
				// They are sent again from memory, once: see call.
				"BadDigest": {}, "XAmzContentChecksumMismatch": {},
				// Somebody else writes the same key in this moment.
				"ConditionalRequestConflict": {}, "OperationAborted": {},
			}},
			retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				switch code(err) {
				case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
					if cache != nil {
						cache.Invalidate()
						return aws.TrueTernary
					}
				}
				return aws.UnknownTernary
			}),
		)
	})
}

// damaged: the server has got other bytes than the checksum is of.
func damaged(err error) bool {
	c := code(err)
	return c == "BadDigest" || c == "XAmzContentChecksumMismatch"
}
