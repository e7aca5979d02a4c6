package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrDegraded marks, with errors.Is, the error of a check that should be seen but must
// not keep clients away: a bucket that may be written to but not be asked, for example.
var ErrDegraded = errors.New("degraded")

// Check is one thing that has to work before clients should come here.
type Check struct {
	Name  string // shown to whoever asks: no secrets
	Ready func(ctx context.Context) error
}

// Health answers probes. /healthz is 200 as long as the process answers at all;
// /readyz is 200 when all checks pass and Stop has not been called, else 503 with the names of what is not
// ready, one on a line. What is [ErrDegraded] is named, and stays 200. Why a check fails is written to the log only.
//
// Probes come from many places and often. The checks, each of which may cost a request,
// run at most once in MaxAge, for everybody.
type Health struct {
	Checks  []Check
	Log     *slog.Logger
	MaxAge  time.Duration // default 10 s
	Timeout time.Duration // of each check; default 5 s

	stopped atomic.Bool
	last    atomic.Pointer[healthState]
	asking  atomic.Bool // Latest has begun a run

	mu       sync.Mutex
	failed   []string // of the last run
	degraded []string
	ran      time.Time
	said     map[string]bool // failures that are in the log already
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
	failed, degraded := h.run()
	status, text := http.StatusOK, "ok\n"
	if len(failed) > 0 {
		status, text = http.StatusServiceUnavailable, strings.Join(failed, "\n")+"\n"
	}
	for _, name := range degraded {
		text += "degraded: " + name + "\n"
	}
	plain(w, status, text)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}

// healthState is what a run has found.
type healthState struct {
	failed, degraded []string
	ran              time.Time
}

// Latest returns what the checks have said last, and when: the zero time for never yet. Where that is older than MaxAge they are asked
// again, and the answer is waited for until ctx is done.
func (h *Health) Latest(ctx context.Context) (failed, degraded []string, ran time.Time) {
	s := h.last.Load()
	if s == nil || time.Since(s.ran) >= h.maxAge() {
		done := make(chan struct{})
		if h.asking.CompareAndSwap(false, true) {
			go func() { // ends with the checks, which have a time limit
				defer close(done)
				h.run()
				h.asking.Store(false)
			}()
		}
		select {
		case <-done:
		case <-ctx.Done():
		}
		s = h.last.Load()
	}
	if s == nil {
		return nil, nil, time.Time{}
	}
	return s.failed, s.degraded, s.ran
}

func (h *Health) maxAge() time.Duration {
	if h.MaxAge <= 0 {
		return 10 * time.Second
	}
	return h.MaxAge
}

// run returns the names of the checks that fail, and of those that are degraded. Who comes while they run waits for the
// result. They do not run under a probe's context: one prober that gives
// up must not fail them for the others.
func (h *Health) run() (failed, degraded []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maxAge, timeout := h.maxAge(), h.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	if !h.ran.IsZero() && time.Since(h.ran) < maxAge {
		return h.failed, h.degraded
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	errs := make([]error, len(h.Checks))
	var wg sync.WaitGroup
	for i, c := range h.Checks {
		wg.Go(func() { errs[i] = c.Ready(ctx) }) // ends with the check, which ends with ctx
	}
	wg.Wait()
	h.failed, h.degraded, h.ran = nil, nil, time.Now()
	if h.said == nil {
		h.said = map[string]bool{}
	}
	for i, c := range h.Checks {
		switch {
		case errors.Is(errs[i], ErrDegraded):
			h.degraded = append(h.degraded, c.Name)
		case errs[i] != nil:
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
	h.last.Store(&healthState{h.failed, h.degraded, h.ran})
	return h.failed, h.degraded
}
