package events

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// Sinks are where events go. The zero value is of no use: see [New].
type Sinks struct {
	outbox  *Outbox // nil without webhooks and commands
	log     *Log    // nil without an event log
	problem *slog.Logger
	queue   chan Event // what nobody waits for, on its way to the outbox
	stop    chan struct{}
	stopped chan struct{}
	dropped atomic.Int64
	told    atomic.Int64 // when a drop was last logged, in Unix seconds
}

// queueSize is how many events may wait for the disk that no client waits for.
const queueSize = 4096

// New makes hooks that put events into an outbox and a log; either may be nil. Close ends it.
func New(outbox *Outbox, log *Log, problem *slog.Logger) *Sinks {
	s := &Sinks{outbox: outbox, log: log, problem: problem, queue: make(chan Event, queueSize),
		stop: make(chan struct{}), stopped: make(chan struct{})}
	go s.drain() // ends with Close
	return s
}

// Close writes down what waits and ends. The outbox stays open.
func (s *Sinks) Close() {
	close(s.stop)
	<-s.stopped
}

// Dropped is how many events were lost because the disk was too slow for them, or full.
func (s *Sinks) Dropped() int64 { return s.dropped.Load() }

// drain moves the queue into the outbox, as many events at once as there are.
func (s *Sinks) drain() {
	defer close(s.stopped)
	batch := make([]Event, 0, 256)
	for {
		batch = batch[:0]
		select {
		case e := <-s.queue:
			batch = append(batch, e)
		case <-s.stop:
		}
		for len(batch) < cap(batch) {
			select {
			case e := <-s.queue:
				batch = append(batch, e)
				continue
			default:
			}
			break
		}
		if len(batch) == 0 {
			return // stopped, and nothing is left
		}
		if lost, err := s.outbox.Offer(batch...); err != nil {
			s.drop(int64(lost), err)
		}
	}
}

var errQueueFull = errors.New("events come faster than the outbox takes them")

// drop counts lost events, and says so once a minute.
func (s *Sinks) drop(n int64, err error) {
	total := s.dropped.Add(n)
	now, last := time.Now().Unix(), s.told.Load()
	if now-last >= 60 && s.told.CompareAndSwap(last, now) {
		s.problem.Error("events were lost", "err", err, "lost", total)
	}
}

// tell passes on an event that nobody waits for.
func (s *Sinks) tell(e Event) {
	if s.log != nil {
		if err := s.log.write(e); err != nil {
			s.drop(1, err)
		}
	}
	if s.outbox == nil || !s.outbox.wanted(e.Type) {
		return
	}
	select {
	case s.queue <- e:
	default:
		s.drop(1, errQueueFull)
	}
}

// Hooks returns the callbacks to give to a server.
func (s *Sinks) Hooks() protocol.Hooks {
	return protocol.Hooks{
		Connect: func(c protocol.Client) { s.tell(newEvent(Connect, c)) },
		Disconnect: func(c protocol.Client, took time.Duration) {
			e, seconds := newEvent(Disconnect, c), took.Seconds()
			e.Seconds = &seconds
			s.tell(e)
		},
		Login:  func(c protocol.Client) { s.tell(newEvent(Login, c)) },
		Logout: func(c protocol.Client) { s.tell(newEvent(Logout, c)) },
		LoginFailed: func(c protocol.Client, reason string) {
			e := newEvent(LoginFailed, c)
			e.User, e.Reason = c.Claimed, reason
			s.tell(e)
		},
		Changed:  s.changed,
		Transfer: s.transfer,
		Received: s.received,
	}
}

// changes are the types of what commands do to the tree.
var changes = map[string]Type{
	"DELE": Deleted, "RNTO": Renamed, "MKD": DirectoryMade, "RMD": DirectoryRemoved, "SITE CPTO": Copied, "COMB": Copied,
}

func (s *Sinks) changed(c protocol.Client, ch protocol.Change) {
	t, ok := changes[ch.Verb]
	if !ok {
		return
	}
	e := newEvent(t, c)
	e.Path, e.To, e.Command = ch.Path, ch.To, ch.Verb
	s.tell(e)
}

// received writes an upload down before it is acknowledged.
func (s *Sinks) received(c protocol.Client, t protocol.Transfer) error {
	e := newEvent(Received, c).transfer(t)
	if s.outbox != nil && s.outbox.wanted(Received) {
		if err := s.outbox.Put(e); err != nil {
			return err
		}
	}
	if s.log != nil {
		return s.log.write(e)
	}
	return nil
}

// transfer tells the transfers that received does not.
func (s *Sinks) transfer(c protocol.Client, t protocol.Transfer) {
	var kind Type
	switch done := t.Result == protocol.Done; {
	case t.Upload && !done:
		kind = IncompleteReceived
	case t.Verb == "RETR" && done:
		kind = Sent
	case t.Verb == "RETR":
		kind = IncompleteSent
	default:
		return
	}
	s.tell(newEvent(kind, c).transfer(t))
}
