package events

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// ErrFull says that an outbox has reached its limit: its receivers have been away for too long.
var ErrFull = errors.New("events: the outbox is full")

// Outbox keeps events on disk until they are delivered. It is one file, for one
// process at a time, and safe for use by many goroutines.
type Outbox struct {
	db  *bbolt.DB
	max int

	queues []*queue
}

// queue is what waits for one receiver.
type queue struct {
	name  []byte
	types []Type // empty for all
	added chan struct{}

	mu      sync.Mutex
	waiting int
}

func (q *queue) wants(t Type) bool { return len(q.types) == 0 || slices.Contains(q.types, t) }

// Receiver names a receiver and what it wants.
type Receiver struct {
	// Name under which its events wait on disk. It must stay the same from start to start.
	Name string
	// Types that it wants; none means all.
	Types []Type
}

// OpenOutbox opens the file, or makes it. Max bounds the events that wait for each
// receiver. Events of receivers that are no longer among the given ones are removed:
// nobody would ever fetch them.
func OpenOutbox(file string, max int, receivers []Receiver) (*Outbox, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: 2 * time.Second, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		err = errors.New("another process has it open")
	}
	if err != nil {
		return nil, fmt.Errorf("events: outbox %s: %w", file, err)
	}
	db.MaxBatchDelay = time.Millisecond // uploads that end together share one fsync, and one alone hardly waits
	o := &Outbox{db: db, max: max}
	err = db.Update(func(tx *bbolt.Tx) error {
		var known [][]byte
		for _, r := range receivers {
			b, err := tx.CreateBucketIfNotExists([]byte(r.Name))
			if err != nil {
				return err
			}
			o.queues = append(o.queues, &queue{name: []byte(r.Name), types: r.Types, added: make(chan struct{}, 1), waiting: b.Stats().KeyN})
			known = append(known, []byte(r.Name))
		}
		var gone [][]byte
		err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if !slices.ContainsFunc(known, func(k []byte) bool { return string(k) == string(name) }) {
				gone = append(gone, slices.Clone(name))
			}
			return nil
		})
		for _, name := range gone {
			err = errors.Join(err, tx.DeleteBucket(name))
		}
		return err
	})
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("events: outbox %s: %w", file, err)
	}
	return o, nil
}

// Close closes the file. Deliveries must have ended.
func (o *Outbox) Close() error { return o.db.Close() }

// Waiting returns how many events wait for each receiver.
func (o *Outbox) Waiting() map[string]int {
	n := make(map[string]int, len(o.queues))
	for _, q := range o.queues {
		q.mu.Lock()
		n[string(q.name)] = q.waiting
		q.mu.Unlock()
	}
	return n
}

func (o *Outbox) wanted(t Type) bool {
	return slices.ContainsFunc(o.queues, func(q *queue) bool { return q.wants(t) })
}

// item is an event on its way to a receiver.
type item struct {
	q    *queue
	data []byte
}

// Put writes events down for all receivers that want them. When it returns
// nil they are durable. It returns ErrFull, and has written nothing, where one of the receivers has
// its limit waiting.
func (o *Outbox) Put(events ...Event) error {
	var items []item
	for _, e := range events {
		of, err := o.items(e)
		if err != nil {
			return err
		}
		items = append(items, of...)
	}
	for i, it := range items {
		if !it.q.reserve(o.max) {
			for _, done := range items[:i] {
				done.q.release(1)
			}
			return fmt.Errorf("%w: receiver %s has %d events waiting", ErrFull, it.q.name, o.max)
		}
	}
	return o.write(items)
}

// Offer is Put for events that may be lost. A receiver that is away loses only its own, and the last tenth of its
// room is left for Put: strangers, whose visits are events too, cannot use up what uploads need. It
// returns how many events were not written for all receivers that want them.
func (o *Outbox) Offer(events ...Event) (lost int, err error) {
	var items []item
	var full *queue
	for _, e := range events {
		of, err := o.items(e)
		if err != nil {
			return len(events), err
		}
		had := len(items)
		for _, it := range of {
			if it.q.reserve(o.max - o.max/10) {
				items = append(items, it)
			} else {
				full = it.q
			}
		}
		if len(items)-had < len(of) {
			lost++
		}
	}
	if err := o.write(items); err != nil {
		return len(events), err
	}
	if lost > 0 {
		return lost, fmt.Errorf("%w: receiver %s", ErrFull, full.name)
	}
	return 0, nil
}

// items are an event for each receiver that wants it.
func (o *Outbox) items(e Event) ([]item, error) {
	data, err := json.Marshal(keep(e))
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	var items []item
	for _, q := range o.queues {
		if q.wants(e.Type) {
			items = append(items, item{q, data})
		}
	}
	return items, nil
}

// write makes items durable for which there is room reserved.
func (o *Outbox) write(items []item) error {
	if len(items) == 0 {
		return nil
	}
	err := o.db.Batch(func(tx *bbolt.Tx) error {
		for _, it := range items {
			b := tx.Bucket(it.q.name)
			n, err := b.NextSequence()
			if err != nil {
				return err
			}
			if err := b.Put(binary.BigEndian.AppendUint64(nil, n), it.data); err != nil {
				return err
			}
		}
		return nil
	})
	for _, it := range items {
		if err != nil {
			it.q.release(1)
			continue
		}
		select {
		case it.q.added <- struct{}{}:
		default:
		}
	}
	if err != nil {
		return fmt.Errorf("events: outbox: %w", err)
	}
	return nil
}

func (q *queue) reserve(max int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting >= max {
		return false
	}
	q.waiting++
	return true
}

func (q *queue) release(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting -= n
}

// entry is an event on disk.
type entry struct {
	key   uint64
	event Event
}

// after returns up to n entries of a queue behind a key. What cannot be read is removed.
func (o *Outbox) after(q *queue, key uint64, n int) ([]entry, error) {
	var out []entry
	var broken []uint64
	err := o.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(q.name).Cursor()
		for k, v := c.Seek(binary.BigEndian.AppendUint64(nil, key+1)); k != nil && len(out) < n; k, v = c.Next() {
			var was kept
			if err := json.Unmarshal(v, &was); err != nil {
				broken = append(broken, binary.BigEndian.Uint64(k))
				continue
			}
			out = append(out, entry{binary.BigEndian.Uint64(k), was.restore()})
		}
		return nil
	})
	for _, k := range broken {
		err = errors.Join(err, o.remove(q, k))
	}
	return out, err
}

// entry reads one again, if it is still there.
func (o *Outbox) entry(q *queue, key uint64) (e entry, ok bool, err error) {
	err = o.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(q.name).Get(binary.BigEndian.AppendUint64(nil, key))
		if v == nil {
			return nil
		}
		var was kept
		if err := json.Unmarshal(v, &was); err != nil {
			return err
		}
		e, ok = entry{key, was.restore()}, true
		return nil
	})
	return e, ok, err
}

// remove forgets an entry that was delivered, or given up.
func (o *Outbox) remove(q *queue, key uint64) error {
	err := o.db.Batch(func(tx *bbolt.Tx) error {
		return tx.Bucket(q.name).Delete(binary.BigEndian.AppendUint64(nil, key))
	})
	if err == nil {
		q.release(1)
	}
	return err
}
