package s3

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// Servers refuse requests whose time is more than a quarter of an hour off. The SDK learns
// the difference from the refusal and signs with the server's time.
const (
	skewWarning = time.Minute // difference that somebody should know of
	skewAgain   = time.Hour   // before it is told again
)

// clock compares the machine's time with that of the server's replies.
type clock struct {
	next   http.RoundTripper
	log    *slog.Logger
	warned atomic.Int64 // Unix time of the last warning
}

func (c *clock) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if then, derr := http.ParseTime(resp.Header.Get("Date")); derr == nil {
		now := time.Now()
		off := now.Sub(then)
		last := c.warned.Load()
		if off.Abs() > skewWarning && now.Unix()-last > int64(skewAgain/time.Second) && c.warned.CompareAndSwap(last, now.Unix()) {
			c.log.Warn("the clock of this machine and that of the store differ; requests are signed with the store's", "by", off.Round(time.Second), "store", r.URL.Host)
		}
	}
	return resp, nil
}
