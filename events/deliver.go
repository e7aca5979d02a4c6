package events

import (
	"cmp"
	"container/heap"
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
	// window is how many events of one receiver are read at once.
	window = 256
	// mostRetries is how many may wait for their next attempt before no others are tried: those that are
	// never taken do not hold up those behind them. They wait on disk, with some dozen bytes of memory.
	mostRetries = 1 << 14
	// removePause is between two attempts at taking one out of the outbox.
	removePause = 5 * time.Second
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
	failing                    atomic.Bool // the last attempt at an event was in vain
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
	ended := make(chan attempt, parallel)   // those under way
	removing := make(chan struct{}, window) // those that are taken and still on disk
	running := 0
	var all sync.WaitGroup
	defer all.Wait()
	var (
		fresh []entry // read, and not tried yet
		last  uint64  // of those
		more  = true  // there may be others behind
		again retries
		turn  bool // whose turn it is, so that neither the old nor the new keep each other waiting
	)
	begin := func(e entry, a attempt) {
		running++
		all.Go(func() { // ends with the attempt, which ends with ctx
			a := d.try(ctx, e.event, a)
			if !a.done {
				ended <- a
				return
			}
			removing <- struct{}{}
			ended <- a
			d.remove(ctx, o, q, a.key)
			<-removing
		})
	}
	for ctx.Err() == nil {
		for running < parallel {
			if len(fresh) == 0 && more && len(again) < mostRetries {
				entries, err := o.after(q, last, window)
				if err != nil {
					d.Log.Error("outbox cannot be read", "err", err)
				}
				if fresh, more = entries, len(entries) > 0; more {
					last = entries[len(entries)-1].key
				}
			}
			due := len(again) > 0 && !time.Now().Before(again[0].due)
			if turn = !turn; due && (turn || len(fresh) == 0) {
				a := heap.Pop(&again).(attempt)
				e, ok, err := o.entry(q, a.key)
				switch {
				case err != nil:
					d.Log.Error("outbox cannot be read", "err", err)
					a.due = time.Now().Add(longestPause)
					heap.Push(&again, a)
				case ok:
					begin(e, a)
				}
				continue
			}
			if len(fresh) == 0 {
				break
			}
			e := fresh[0]
			fresh = fresh[1:]
			begin(e, attempt{key: e.key})
		}
		var due <-chan time.Time
		var t *time.Timer
		if len(again) > 0 && running < parallel {
			t = time.NewTimer(time.Until(again[0].due))
			due = t.C
		}
		select {
		case a := <-ended:
			running--
			if !a.done {
				heap.Push(&again, a)
			}
		case <-q.added:
			more = true
		case <-due:
		case <-ctx.Done():
		}
		if t != nil {
			t.Stop()
		}
	}
}

// remove takes an event out of the outbox, if need be when the disk takes it again: until then it counts as waiting.
func (d *Delivery) remove(ctx context.Context, o *Outbox, q *queue, key uint64) {
	for told := false; ; told = true {
		err := o.remove(q, key)
		if err == nil {
			return
		}
		if !told {
			d.Log.Error("outbox cannot be written: if that does not end before the program does, an event will be delivered again", "err", err)
		}
		select {
		case <-time.After(removePause):
		case <-ctx.Done():
			return
		}
	}
}

// attempt is the next attempt at an event, or what has become of it.
type attempt struct {
	key   uint64
	n     int           // of those before
	pause time.Duration // behind this one
	due   time.Time
	done  bool // the event is delivered, or given up
}

// retries are those that are to come, as a heap: the next is the first.
type retries []attempt

func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].due.Before(r[j].due) }
func (r retries) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *retries) Push(a any)        { *r = append(*r, a.(attempt)) }
func (r *retries) Pop() any {
	last := len(*r) - 1
	a := (*r)[last]
	*r = (*r)[:last]
	return a
}

// try makes an attempt, and tells when the next is due.
func (d *Delivery) try(ctx context.Context, e Event, a attempt) attempt {
	err := d.Target.Deliver(ctx, e)
	if err == nil {
		d.delivered.Add(1)
		if d.failing.Swap(false) {
			d.Log.Info("events are delivered again")
		}
		a.done = true
		return a
	}
	if ctx.Err() != nil {
		return a
	}
	a.n++
	d.failed.Add(1)
	if errors.As(err, new(*Refusal)) || time.Since(e.Time) > cmp.Or(max(d.GiveUp, 0), 72*time.Hour) || d.Attempts > 0 && a.n >= d.Attempts {
		d.dropped.Add(1)
		d.Log.Error("event given up", "id", e.ID, "type", string(e.Type), "path", e.Path, "user", e.User, "attempts", a.n, "err", err)
		a.done = true
		return a
	}
	if a.n == 1 {
		a.pause = cmp.Or(max(d.FirstPause, 0), time.Second)
	}
	level := slog.LevelDebug
	if !d.failing.Swap(true) { // a line for a receiver that is away, not for each event
		level = slog.LevelWarn
	}
	d.Log.Log(ctx, level, "event not delivered, trying again", "id", e.ID, "type", string(e.Type), "attempt", a.n, "err", err)
	// Some of it by chance, so that those refused together do not come back together.
	a.due = time.Now().Add(a.pause/2 + rand.N(a.pause/2+1))
	a.pause = min(2*a.pause, longestPause)
	return a
}
