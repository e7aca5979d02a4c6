package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// unanswered is the error of a request that was called off before its last attempt was answered.
// The SDK tells only that; the log is to have what the server said to the last attempt.
type unanswered struct{ err, last error }

func (u *unanswered) Error() string   { return fmt.Sprintf("%v; the last answer: %v", u.err, u.last) }
func (u *unanswered) Unwrap() []error { return []error{u.err, u.last} }

// call is what has to be known of a request from one attempt to the next. Attempts come one after the other.
type call struct {
	last    error    // of the last attempt that was not called off
	damaged bool     // the server has once got other bytes than were sent
	place   *url.URL // where the server wants it; nil for where such requests go
	sentTo  string   // the region that the last attempt was made in
	region  string   // the bucket's, by the last answer; empty where that does not tell
}

type callKey struct{}

// final is an error after which no further attempt is made.
type final struct{ error }

func (f final) Unwrap() error        { return f.error }
func (f final) RetryableError() bool { return false }

// remember keeps for each request what its attempts have met, and makes an attempt again where the server
// has sent it elsewhere.
func (r *region) remember(stack *middleware.Stack) error {
	outer := middleware.InitializeMiddlewareFunc("FTPGatewayAnswer",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			c := &call{}
			out, md, err := next.HandleInitialize(context.WithValue(ctx, callKey{}, c), in)
			if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) && c.last != nil {
				err = &unanswered{err, c.last}
			}
			return out, md, err
		})
	inner := middleware.FinalizeMiddlewareFunc("FTPGatewayAttempt", r.attempt)
	if err := stack.Initialize.Add(outer, middleware.Before); err != nil {
		return err
	}
	return stack.Finalize.Insert(inner, "Retry", middleware.After)
}

func (r *region) attempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	request, ok2 := in.Request.(*smithyhttp.Request)
	if !ok || !ok2 {
		return next.HandleFinalize(ctx, in)
	}
	for moves := 0; ; moves++ {
		// What follows writes into the request: addresses, headers, the signature.
		out, md, err := next.HandleFinalize(ctx, middleware.FinalizeInput{Request: request.Clone()})
		if err == nil || ctx.Err() != nil {
			return out, md, err
		}
		c.last = err
		if moves < maxMoves && r.moved(c, err) && request.RewindStream() == nil {
			continue
		}
		c.place = nil // the next attempt asks anew: the place may be the trouble
		if damaged(err) {
			// On the way, or in our memory: then a third attempt is as bad.
			if c.damaged {
				err = final{err}
			}
			c.damaged = true
		}
		return out, md, err
	}
}
