package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

func openOutbox(t *testing.T, file string, max int, rs ...Receiver) *Outbox {
	t.Helper()
	o, err := OpenOutbox(file, max, rs)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// target records what it gets; fail says what becomes of each attempt.
type target struct {
	mu   sync.Mutex
	ids  []string
	fail func(e Event, attempt int) error
	seen map[string]int
}

func (tg *target) Deliver(_ context.Context, e Event) error {
	tg.mu.Lock()
	defer tg.mu.Unlock()
	if tg.seen == nil {
		tg.seen = map[string]int{}
	}
	tg.seen[e.ID]++
	if tg.fail != nil {
		if err := tg.fail(e, tg.seen[e.ID]); err != nil {
			return err
		}
	}
	tg.ids = append(tg.ids, e.ID)
	return nil
}

func event(id string, t Type) Event { return Event{ID: id, Type: t, Time: time.Now()} }

// empty waits until nothing waits for the receiver.
func empty(t *testing.T, o *Outbox, name string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for o.Waiting()[name] > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d events still wait for %s", o.Waiting()[name], name)
		}
		time.Sleep(time.Millisecond)
	}
}

// run delivers until stop is called.
func run(o *Outbox, name string, d *Delivery) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx, o, name) })
	return func() { cancel(); wg.Wait() }
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestEventsOutliveTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.db")
	o := openOutbox(t, file, 10, Receiver{Name: "a"}, Receiver{Name: "b", Types: []Type{Received}}, Receiver{Name: "old"})
	for _, e := range []Event{event("1", Login), event("2", Received)} {
		if err := o.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	o.Close()
	// As after a start with another configuration: "old" is nobody's any more.
	o = openOutbox(t, file, 10, Receiver{Name: "a"}, Receiver{Name: "b", Types: []Type{Received}}, Receiver{Name: "new"})
	defer o.Close()
	w := o.Waiting()
	if len(w) != 3 || w["a"] != 2 || w["b"] != 1 || w["new"] != 0 {
		t.Fatalf("waiting: %v", w)
	}
	tg := &target{}
	stop := run(o, "b", &Delivery{Target: tg, Log: silent()})
	empty(t, o, "b")
	stop()
	if len(tg.ids) != 1 || tg.ids[0] != "2" {
		t.Errorf("delivered %v", tg.ids)
	}
	if err := o.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("old")) != nil {
			return errors.New("the events of a receiver that is gone are kept")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestAFullOutboxRefusesAndKeepsWhatItHas(t *testing.T) {
	o := openOutbox(t, filepath.Join(t.TempDir(), "events.db"), 2, Receiver{Name: "all"}, Receiver{Name: "uploads", Types: []Type{Received}})
	defer o.Close()
	for _, e := range []Event{event("1", Login), event("2", Received)} {
		if err := o.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Put(event("3", Received)); !errors.Is(err, ErrFull) {
		t.Fatalf("third event: %v, want ErrFull", err)
	}
	// "uploads" had room, and must not keep an event that was refused.
	if w := o.Waiting(); w["all"] != 2 || w["uploads"] != 1 {
		t.Errorf("waiting after the refusal: %v", w)
	}
	if got, err := o.after(o.queues[1], 0, 10); err != nil || len(got) != 1 || got[0].event.ID != "2" {
		t.Errorf("uploads has %v, %v", got, err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.db")
	o := openOutbox(t, file, 2)
	defer o.Close()
	if _, err := OpenOutbox(file, 2, nil); err == nil {
		t.Fatal("a second one was opened")
	}
	if _, err := OpenOutbox(filepath.Join(filepath.Dir(file), "no", "dir"), 2, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

// An event that is never taken waits; those behind it do not.
func TestAnEventThatIsNotTakenHoldsNobodyUp(t *testing.T) {
	o := openOutbox(t, filepath.Join(t.TempDir(), "events.db"), 100, Receiver{Name: "r"})
	defer o.Close()
	down := errors.New("down")
	tg := &target{fail: func(e Event, attempt int) error {
		switch {
		case e.ID == "gone":
			return &Refusal{down}
		case e.ID == "bad", e.ID == "late" && attempt < 4:
			return down
		}
		return nil
	}}
	for _, id := range []string{"bad", "gone", "late", "good"} {
		if err := o.Put(event(id, Received)); err != nil {
			t.Fatal(err)
		}
	}
	d := &Delivery{Target: tg, Parallel: 1, FirstPause: time.Millisecond, Attempts: 6, Log: silent()}
	stop := run(o, "r", d)
	empty(t, o, "r")
	stop()
	delivered, failed, dropped := d.Counts()
	if o.Waiting()["r"] != 0 || delivered != 2 || failed != 6+1+3 || dropped != 2 {
		t.Errorf("waiting %d, delivered %d, failed %d, dropped %d", o.Waiting()["r"], delivered, failed, dropped)
	}
	if tg.seen["bad"] != 6 || tg.seen["gone"] != 1 || tg.seen["late"] != 4 || tg.seen["good"] != 1 {
		t.Errorf("attempts: %v", tg.seen)
	}
}

// TestManyThatAreNotTakenHoldNobodyUp: more than are read at once.
func TestManyThatAreNotTakenHoldNobodyUp(t *testing.T) {
	o := openOutbox(t, filepath.Join(t.TempDir(), "events.db"), 4*window, Receiver{Name: "r"})
	defer o.Close()
	good := make(chan struct{})
	tg := &target{fail: func(e Event, _ int) error {
		if e.ID == "good" {
			close(good)
			return nil
		}
		return errors.New("a name that the receiver does not like")
	}}
	var bad []Event
	for i := range 2 * window {
		bad = append(bad, event(fmt.Sprint("bad-", i), Received))
	}
	if err := o.Put(bad...); err != nil {
		t.Fatal(err)
	}
	defer run(o, "r", &Delivery{Target: tg, FirstPause: time.Hour, Log: silent()})()
	if err := o.Put(event("good", Received)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-good:
	case <-time.After(30 * time.Second):
		t.Error("an event waits behind those that are not taken")
	}
}

// What a receiver has not taken when the server stops is there at the next start.
func TestStoppingLosesNothing(t *testing.T) {
	o := openOutbox(t, filepath.Join(t.TempDir(), "events.db"), 1000, Receiver{Name: "r"})
	defer o.Close()
	down := &target{fail: func(Event, int) error { return errors.New("down") }}
	for i := range 300 { // more than the window
		if err := o.Put(event(string(rune('a'+i%26))+string(rune('0'+i/26)), Received)); err != nil {
			t.Fatal(err)
		}
	}
	d := &Delivery{Target: down, FirstPause: time.Hour, Log: silent()}
	stop := run(o, "r", d)
	deadline := time.Now().Add(time.Minute)
	for _, failed, _ := d.Counts(); failed < window && time.Now().Before(deadline); _, failed, _ = d.Counts() {
		time.Sleep(time.Millisecond)
	}
	stop()
	if n := o.Waiting()["r"]; n != 300 {
		t.Fatalf("%d wait, want 300", n)
	}
	up := &target{}
	stop = run(o, "r", &Delivery{Target: up, Log: silent()})
	empty(t, o, "r")
	stop()
	if len(up.seen) != 300 || len(up.ids) != 300 {
		t.Errorf("%d different events in %d deliveries, want 300 in 300", len(up.seen), len(up.ids))
	}
}

// TestAReceiverThatIsAwayLosesOnlyItsOwn: what nobody waits for is not lost for the others, and leaves room for uploads.
func TestAReceiverThatIsAwayLosesOnlyItsOwn(t *testing.T) {
	o := openOutbox(t, filepath.Join(t.TempDir(), "events.db"), 20, Receiver{Name: "away"}, Receiver{Name: "here"})
	defer o.Close()
	var here target
	defer run(o, "here", &Delivery{Target: &here, Log: silent()})()
	s := New(o, nil, silent())
	h := s.Hooks()
	for range 100 { // a stranger who knocks
		h.Connect(protocol.Client{})
	}
	s.Close()
	empty(t, o, "here")
	here.mu.Lock()
	got := len(here.ids)
	here.mu.Unlock()
	if lost := s.Dropped(); lost < 82 || int64(got) < 18 { // of a burst the one who is here may lose some as well
		t.Errorf("%d events came to the one who is here, %d were lost", got, lost)
	}
	for i := range 30 { // one at a time nothing is lost for it
		if lost, err := o.Offer(event(fmt.Sprint("one-", i), Connect)); lost != 1 || !errors.Is(err, ErrFull) {
			t.Fatalf("event %d: %d lost, %v", i, lost, err)
		}
		empty(t, o, "here")
	}
	here.mu.Lock()
	more := len(here.ids) - got
	here.mu.Unlock()
	if more != 30 {
		t.Errorf("%d of 30 events came to the one who is here", more)
	}
	if err := o.Put(event("upload", Received)); err != nil {
		t.Errorf("no room for an upload: %v", err)
	}
}

// TestNamesThatAreNoUTF8: programs get them as they are.
func TestNamesThatAreNoUTF8(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.db")
	o := openOutbox(t, file, 20, Receiver{Name: "r"})
	want := Event{ID: "1", Type: Renamed, User: "jos\xe9", Path: "/caf\xe9", To: "/th\xe9", Key: "/srv/th\xe9", Time: time.Now()}
	if err := o.Put(want, Event{ID: "2", Type: Received, Path: "/é", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = openOutbox(t, file, 20, Receiver{Name: "r"})
	defer o.Close()
	got, err := o.after(o.queues[0], 0, 10)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if e := got[0].event; e.User != want.User || e.Path != want.Path || e.To != want.To || e.Key != want.Key {
		t.Errorf("got %+v, want %+v", e, want)
	}
	if e := got[1].event; e.Path != "/é" {
		t.Errorf("path %q", e.Path)
	}
	body, err := cloudEvent(got[0].event, "/test")
	if err != nil || !utf8.Valid(body) || !json.Valid(body) {
		t.Errorf("CloudEvent %q: %v", body, err)
	}
}
