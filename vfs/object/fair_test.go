package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// crowd are uploads in synthetic time that share a budget.
type crowd struct {
	t *testing.T
	b *Budget
}

// upload sends size bytes in pieces, and waits before each piece. It returns the error of the Write.
func (c crowd) upload(size, piece int, o UploadOptions, wait func(sent int)) error {
	r := &recorder{discard: true}
	store := func() error { time.Sleep(50 * time.Millisecond); return nil }
	r.onSingle = func(context.Context) error { return store() }
	r.onPart = func(context.Context, int) error { return store() }
	u := NewUpload(c.t.Context(), c.b, r, o)
	buf := make([]byte, piece)
	for n := 0; n < size; n += piece {
		wait(n)
		if _, err := u.Write(buf[:min(piece, size-n)]); err != nil {
			if aerr := u.Abort(c.t.Context()); aerr != nil {
				c.t.Errorf("Abort: %v", aerr)
			}
			return err
		}
		if used, limit := c.b.Reserved(), c.b.Limit(); used > limit {
			c.t.Errorf("%d bytes reserved, more than the budget", used)
		}
	}
	return u.Commit(c.t.Context())
}

func (c crowd) want(err error) {
	if err != nil {
		c.t.Error(err)
	}
}

// wait waits for uploads. The budget's timer goes on while somebody waits, so that a deadlock shows as a day without an end.
func wait(t *testing.T, b *Budget, wg *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(24 * time.Hour):
		b.mu.Lock()
		defer b.mu.Unlock()
		// Nothing can end the uploads: they would turn the clock for ever.
		panic(fmt.Sprintf("%s: deadlock: %d of %d blocks used, %d of them parked, %d loose; waiting: %d holders, %d slow, %d new", t.Name(),
			b.used, b.total, b.parked, b.loose, b.queues.holders.Len(), b.queues.slow.Len(), b.queues.newcomers.Len()))
	}
}

// Clients that stop for good, each where it hurts, keep nobody from storing, as long as what they hold leaves a part and
// the quarter for loose uploads.
func TestBudgetStoppedBesideFast(t *testing.T) {
	const budget, part = 64 << 20, 5 << 20
	type stop struct{ size, at int }
	same := func(n, at int) []stop {
		list := make([]stop, n)
		for i := range list {
			list[i] = stop{64 << 20, at}
		}
		return list
	}
	spread := func(n, from, step int) []stop {
		list := make([]stop, n)
		for i := range list {
			list[i] = stop{64 << 20, from + i*step}
		}
		return list
	}
	for _, c := range []struct {
		name string
		stop []stop
		fast int
		size func(i int) int
	}{
		{"20 in the middle of 2 MiB, 500 of 300 KiB", spread(20, 300<<10, 60<<10), 500, func(int) int { return 300 << 10 }},
		{"20 just before 2 MiB", same(20, 2<<20-1), 500, func(int) int { return 300 << 10 }},
		{"600 after one byte", same(600, 1), 200, func(int) int { return 300 << 10 }},
		{"170 at the end of the small area", same(170, smallArea), 200, func(int) int { return 300 << 10 }},
		{"130 one byte past it", same(130, smallArea+1), 200, func(i int) int { return 10000 * (1 + i%50) }},
		{"8 one byte before the part is full", same(8, part-1), 60, func(i int) int { return 100000 * (1 + i) }},
		{"8 with a full part", same(8, part), 60, func(i int) int { return 100000 * (1 + i) }},
		{"8 in the third part", same(8, 3*part-blockSize), 40, func(i int) int { return 300000 * (1 + i) }},
		{"5000 new ones beside 12 that stop at 3 MiB", same(12, 3<<20), 5000, func(i int) int { return 5000 * (1 + i%67) }},
	} {
		for _, order := range []string{"stopped first", "all at once"} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := crowd{t, NewBudget(budget)}
					goOn := make(chan struct{})
					var slow, fast sync.WaitGroup
					begin := func() {
						for _, s := range c.stop {
							slow.Go(func() {
								stopped := false
								w.want(w.upload(s.at+1, 32<<10, UploadOptions{PartSize: Growth(64 << 20)}, func(sent int) {
									if !stopped && sent+32<<10 > s.at {
										stopped = true
										<-goOn
									}
								}))
							})
						}
					}
					if order == "stopped first" {
						begin()
						time.Sleep(10 * time.Second)
					}
					for i := range c.fast {
						fast.Go(func() {
							w.want(w.upload(c.size(i), 50_000, UploadOptions{PartSize: Growth(64 << 20)}, func(int) { time.Sleep(3 * time.Millisecond) }))
						})
						if order == "all at once" && i == c.fast/2 {
							begin()
						}
					}
					wait(t, w.b, &fast)
					close(goOn)
					wait(t, w.b, &slow)
					checkEmpty(t, w.b)
				})
			})
		}
	}
}

// Clients that drip need more than the budget together, and those that are fast come and go beside them. All of them end, and
// a fast one never waits for as long as a slow one needs for a part.
func TestBudgetDripping(t *testing.T) {
	for _, c := range []struct {
		name         string
		slow, size   int
		wait, within time.Duration // of a slow one for each 16 KiB; for all fast ones
	}{
		{"200 x 200 KiB at 20 KiB/s", 200, 200 << 10, 800 * time.Millisecond, 12 * time.Second},
		{"9 x 20 MiB at 100 KiB/s", 9, 20 << 20, 160 * time.Millisecond, 12 * time.Second},
		{"60 x 8 MiB at 20 KiB/s, more than the budget", 60, 8 << 20, 800 * time.Millisecond, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := crowd{t, NewBudget(64 << 20)}
				var all, fast sync.WaitGroup
				var ended atomic.Int32
				for range c.slow {
					all.Go(func() {
						w.want(w.upload(c.size, 16<<10, UploadOptions{}, func(int) { time.Sleep(c.wait) }))
						ended.Add(1)
					})
				}
				for _, head := range []time.Duration{0, 5 * time.Second, 40 * time.Second} {
					time.Sleep(head)
					if head > 0 && ended.Load() > 0 {
						break
					}
					before := time.Now()
					for range 200 {
						fast.Go(func() {
							w.want(w.upload(300<<10, 50_000, UploadOptions{}, func(int) { time.Sleep(3 * time.Millisecond) }))
						})
					}
					wait(t, w.b, &fast)
					if d := time.Since(before); d > c.within {
						t.Errorf("200 fast uploads took %v, want at most %v", d, c.within)
					}
				}
				wait(t, w.b, &all)
				checkEmpty(t, w.b)
			})
		})
	}
}

// What clients of the same speed cost each other when they come all at once. The times are synthetic, and the same on every machine.
func TestBudgetCrowds(t *testing.T) {
	for _, c := range []struct {
		n, size      int
		wait, within time.Duration // for each 16 KiB; for all
	}{
		{500, 300 << 10, time.Millisecond, time.Second},
		{500, 64 << 10, 800 * time.Millisecond, 10 * time.Second},
		{500, 200 << 10, 800 * time.Millisecond, time.Minute},
		{500, 300 << 10, 800 * time.Millisecond, 10 * time.Minute},
		{200, 3 << 20, 16 * time.Millisecond, 2 * time.Minute},
		{100, 8 << 20, 100 * time.Millisecond, 2 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := crowd{t, NewBudget(64 << 20)}
			before := time.Now()
			var wg sync.WaitGroup
			for range c.n {
				wg.Go(func() {
					w.want(w.upload(c.size, 16<<10, UploadOptions{}, func(int) { time.Sleep(c.wait) }))
				})
			}
			wait(t, w.b, &wg)
			d, alone := time.Since(before), time.Duration(c.size/(16<<10))*c.wait
			t.Logf("%d x %d KiB, of which one alone takes %v: %v", c.n, c.size>>10, alone, d)
			if d > c.within {
				t.Errorf("%d x %d KiB, of which one alone takes %v: %v, want at most %v", c.n, c.size>>10, alone, d, c.within)
			}
			checkEmpty(t, w.b)
		})
	}
}

// Everything at once, by chance: sizes, speeds, parts, clients that stop and go on, uploads that are cut, downloads that read ahead. Nothing
// hangs, and nothing is left.
func TestBudgetChaos(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dice := rand.New(rand.NewPCG(seed, 7))
				w := crowd{t, NewBudget(int64(5+dice.IntN(80)) << 20)}
				cut := errors.New("cut")
				var wg sync.WaitGroup
				for range 300 {
					rng := rand.New(rand.NewPCG(seed, dice.Uint64()))
					size := 1 + rng.IntN(1<<(10+rng.IntN(15)))
					part := int64(1+rng.IntN(5)) << 20
					nap := time.Duration(rng.IntN(1<<rng.IntN(12))) * 100 * time.Microsecond
					stopAt, cutAt := -1, -1
					if rng.IntN(4) == 0 {
						stopAt = rng.IntN(size)
					}
					if rng.IntN(6) == 0 {
						cutAt = rng.IntN(size)
					}
					start := time.Duration(rng.IntN(3000)) * time.Millisecond
					wg.Go(func() {
						time.Sleep(start)
						ctx, cancel := context.WithCancelCause(t.Context())
						defer cancel(nil)
						w := crowd{t: t, b: w.b}
						r := &recorder{discard: true}
						r.onPart = func(context.Context, int) error { time.Sleep(30 * time.Millisecond); return nil }
						u := NewUpload(ctx, w.b, r, UploadOptions{FirstPart: part, PartSize: func(off int64) int64 { return part + off/8&^(1<<20-1) }, Parallel: 1 + rng.IntN(2)})
						buf := make([]byte, 1+rng.IntN(100<<10))
						for n := 0; n < size; n += len(buf) {
							time.Sleep(nap)
							if stopAt >= 0 && n >= stopAt {
								stopAt = -1
								time.Sleep(time.Minute)
							}
							if cutAt >= 0 && n >= cutAt {
								// In the middle of the Write, or of its waiting.
								time.AfterFunc(time.Duration(rng.IntN(2000))*time.Millisecond, func() { cancel(cut) })
								cutAt = -1
							}
							if _, err := u.Write(buf[:min(len(buf), size-n)]); err != nil {
								if !errors.Is(err, cut) {
									t.Errorf("Write: %v", err)
								}
								w.want(u.Abort(t.Context()))
								return
							}
							if used, limit := w.b.Reserved(), w.b.Limit(); used > limit {
								t.Errorf("%d bytes reserved, more than the budget of %d", used, limit)
							}
						}
						w.want(u.Commit(t.Context()))
					})
				}
				for range 10 {
					rng := rand.New(rand.NewPCG(seed, dice.Uint64()))
					wg.Go(func() {
						for range 20 {
							time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
							a := readAhead(t.Context(), w.b, 0, int64(1+rng.IntN(2<<20)), func(_ context.Context, _, n int64) (io.ReadCloser, error) {
								return io.NopCloser(io.LimitReader(endless{}, n)), nil
							})
							if a == nil {
								continue
							}
							p := make([]byte, 30000)
							for {
								if _, err := a.next(t.Context(), p); err != nil {
									if err != io.EOF && !errors.Is(err, errRevoked) {
										t.Error(err)
									}
									break
								}
								time.Sleep(20 * time.Millisecond)
							}
							a.close()
						}
					})
				}
				wait(t, w.b, &wg)
				checkEmpty(t, w.b)
			})
		})
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { time.Sleep(time.Millisecond); return len(p), nil }
