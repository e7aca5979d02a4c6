package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// unanswered is the error of a request that was called off while it was about to be sent again.
// The SDK tells only that; the log is to have what the server said to the last attempt.
type unanswered struct{ err, last error }

func (u *unanswered) Error() string   { return fmt.Sprintf("%v; the last answer: %v", u.err, u.last) }
func (u *unanswered) Unwrap() []error { return []error{u.err, u.last} }

type answerKey struct{}

// rememberAnswers keeps the error of the last attempt of each request that was not called off.
func rememberAnswers(stack *middleware.Stack) error {
	outer := middleware.InitializeMiddlewareFunc("FTPGatewayAnswer",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			last := new(error) // attempts come one after the other
			out, md, err := next.HandleInitialize(context.WithValue(ctx, answerKey{}, last), in)
			if off := (*aws.RequestCanceledError)(nil); errors.As(err, &off) && *last != nil {
				err = &unanswered{err, *last}
			}
			return out, md, err
		})
	inner := middleware.FinalizeMiddlewareFunc("FTPGatewayAttempt",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			out, md, err := next.HandleFinalize(ctx, in)
			if last, ok := ctx.Value(answerKey{}).(*error); ok && err != nil && ctx.Err() == nil {
				*last = err
			}
			return out, md, err
		})
	if err := stack.Initialize.Add(outer, middleware.Before); err != nil {
		return err
	}
	return stack.Finalize.Insert(inner, "Retry", middleware.After)
}
