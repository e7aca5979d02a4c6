package object

import (
	"context"
	"time"
)

// answerTime is how long the answer to a part is waited for that was sent when its upload was given up.
const answerTime = 2 * time.Second

// untilAnswered is the context of all parts for one of them. Where that ends, a part of which all has been taken to be sent may
// land all the same, and would stay in the store if it did so behind the cleaning up: so its answer is waited for a
// little. The function ends the context.
func untilAnswered(all context.Context, part *body) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(all))
	stop := context.AfterFunc(all, func() { // ends with the part, or when its time is over
		if part.taken() {
			t := time.NewTimer(answerTime)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
			}
		}
		cancel(context.Cause(all))
	})
	return ctx, func() { stop(); cancel(nil) }
}
