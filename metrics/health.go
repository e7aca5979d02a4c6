package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Check is one thing that has to work before clients should come here.
type Check struct {
	Name  string // shown to whoever asks: no secrets
	Ready func(ctx context.Context) error
}

// Health answers probes. /healthz is 200 as long as the process answers at all;
// /readyz is 200 when all checks pass and Stop has not been called, else 503 with the names of what is not
// ready, one on a line. Why a check fails is written to the log only.
//
// Probes come from many places and often. The checks, each of which may cost a request,
// run at most once in MaxAge, for everybody.
type Health struct {
	Checks  []Check
	Log     *slog.Logger
	MaxAge  time.Duration // default 10 s
	Timeout time.Duration // of each check; default 5 s

	stopped atomic.Bool

	mu     sync.Mutex
	failed []string // of the last run
	ran    time.Time
	said   map[string]bool // failures that are in the log already
}

// Stop makes /readyz answer 503 from now on: the server is shutting down.
func (h *Health) Stop() { h.stopped.Store(true) }

func (h *Health) serveLive(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusOK, "ok\n")
}

func (h *Health) serveReady(w http.ResponseWriter, _ *http.Request) {
	if h.stopped.Load() {
		plain(w, http.StatusServiceUnavailable, "shutdown\n")
		return
	}
	failed := h.notReady()
	if len(failed) == 0 {
		plain(w, http.StatusOK, "ok\n")
		return
	}
	text := ""
	for _, name := range failed {
		text += name + "\n"
	}
	plain(w, http.StatusServiceUnavailable, text)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}

// notReady returns the names of the checks that fail. Who comes while they run waits for the
// result. They do not run under a probe's context: one prober that gives
// up must not fail them for the others.
func (h *Health) notReady() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	maxAge, timeout := h.MaxAge, h.Timeout
	if maxAge <= 0 {
		maxAge = 10 * time.Second
	}
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	if !h.ran.IsZero() && time.Since(h.ran) < maxAge {
		return h.failed
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	errs := make([]error, len(h.Checks))
	var wg sync.WaitGroup
	for i, c := range h.Checks {
		wg.Go(func() { errs[i] = c.Ready(ctx) }) // ends with the check, which ends with ctx
	}
	wg.Wait()
	h.failed, h.ran = nil, time.Now()
	if h.said == nil {
		h.said = map[string]bool{}
	}
	for i, c := range h.Checks {
		if errs[i] != nil {
			h.failed = append(h.failed, c.Name)
		}
		// The log has each change once, not each probe.
		if bad := errs[i] != nil; bad != h.said[c.Name] {
			h.said[c.Name] = bad
			if h.Log == nil {
				continue
			}
			if bad {
				h.Log.Warn("not ready", "check", c.Name, "err", errs[i])
			} else {
				h.Log.Info("ready again", "check", c.Name)
			}
		}
	}
	return h.failed
}
