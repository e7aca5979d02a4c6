package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// hungAfter is how much longer than the end of an upload may take a session may last behind the grace. Then its back end does not
// come back from a call, as a disk of a dead NFS server does.
const hungAfter = 5 * time.Second

// shutdown waits for running transfers until the grace ends or another signal comes, and then for what cannot
// be called off: for patience at most.
func shutdown(srv *protocol.Server, grace, patience time.Duration, signals <-chan os.Signal, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- srv.Shutdown(ctx) }() // ends when the last session has
	over, hung := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case err := <-done:
			if err != nil {
				log.Warn("transfers were broken off", "err", err)
			}
			return
		case <-over:
			t := time.NewTimer(patience)
			defer t.Stop()
			over, hung = nil, t.C
		case <-hung:
			log.Error("sessions do not end, their back end hangs; ending without them", "sessions", srv.Sessions())
			return
		case s := <-signals:
			if s == syscall.SIGHUP || slices.Contains(reopenSignals, s) {
				continue
			}
			if ctx.Err() != nil { // the third, or one after the grace: not even commits are waited for
				log.Warn("ending at once", "signal", s.String())
				return
			}
			log.Warn("breaking off transfers", "signal", s.String())
			cancel()
		}
	}
}
