package events

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Target takes events one at a time, several at once. After an error it gets the
// same event again, unless the error is a [Refusal].
type Target interface {
	Deliver(ctx context.Context, e Event) error
}

// Refusal says that an event will never be taken: it is logged and dropped.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

const (
	// window is how many events of one receiver are in memory at once, most of them waiting for
	// their next attempt: one that is never taken does not hold up those behind it.
	window = 256
	// longestPause is between two attempts at one event.
	longestPause = 5 * time.Minute
)

// Delivery moves the events of one receiver from the outbox to its target.
type Delivery struct {
	// Target is where they go.
	Target Target
	// Parallel is how many are under way at once. Default 4.
	Parallel int
	// GiveUp is the age at which an event that nobody takes is dropped. Default 72 h.
	GiveUp time.Duration
	// Attempts bounds the attempts at one event; 0 means no bound but GiveUp.
	Attempts int
	// FirstPause is the wait behind the first failure; it doubles with each further one. Default 1 s.
	FirstPause time.Duration
	Log        *slog.Logger

	delivered, failed, dropped atomic.Int64
}

// Counts returns how many events were delivered, how many attempts failed, and how many events were given up.
func (d *Delivery) Counts() (delivered, failed, dropped int64) {
	return d.delivered.Load(), d.failed.Load(), d.dropped.Load()
}

// Run delivers what waits for the receiver of that name, and what comes, until ctx is done. What is not delivered
// by then stays in the outbox.
func (d *Delivery) Run(ctx context.Context, o *Outbox, name string) {
	i := 0
	for i < len(o.queues) && string(o.queues[i].name) != name {
		i++
	}
	q := o.queues[i]
	parallel := d.Parallel
	if parallel <= 0 {
		parallel = 4
	}
	slots := make(chan struct{}, parallel) // attempts under way
	open := make(chan struct{}, window)    // events in memory
	var all sync.WaitGroup
	defer all.Wait()
	var last uint64
	for {
		entries, err := o.after(q, last, window)
		if err != nil {
			d.Log.Error("outbox cannot be read", "receiver", name, "err", err)
		}
		for _, e := range entries {
			select {
			case open <- struct{}{}:
			case <-ctx.Done():
				return
			}
			last = e.key
			all.Go(func() { // ends with ctx, or when the event is delivered or given up
				defer func() { <-open }()
				if d.try(ctx, e.event, slots) {
					if err := o.remove(q, e.key); err != nil {
						d.Log.Error("outbox cannot be written: an event will be delivered again", "receiver", name, "err", err)
					}
				}
			})
		}
		if len(entries) > 0 {
			continue
		}
		select {
		case <-q.added:
		case <-ctx.Done():
			return
		}
	}
}

// try delivers one event. It reports whether the event is done with.
func (d *Delivery) try(ctx context.Context, e Event, slots chan struct{}) bool {
	giveUp := d.GiveUp
	if giveUp <= 0 {
		giveUp = 72 * time.Hour
	}
	pause := d.FirstPause
	if pause <= 0 {
		pause = time.Second
	}
	for n := 1; ; n++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		err := d.Target.Deliver(ctx, e)
		<-slots
		if err == nil {
			d.delivered.Add(1)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		d.failed.Add(1)
		if errors.As(err, new(*Refusal)) || time.Since(e.Time) > giveUp || d.Attempts > 0 && n >= d.Attempts {
			d.dropped.Add(1)
			d.Log.Error("event given up", "id", e.ID, "type", string(e.Type), "path", e.Path, "user", e.User, "attempts", n, "err", err)
			return true
		}
		if n == 1 {
			d.Log.Warn("event not delivered, trying again", "id", e.ID, "type", string(e.Type), "err", err)
		} else {
			d.Log.Debug("event not delivered, trying again", "id", e.ID, "attempt", n, "err", err)
		}
		// Some of it by chance, so that those refused together do not come back together.
		t := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
		pause = min(2*pause, longestPause)
	}
}
