package object

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Many uploads that together need far more than the budget: taking blocks one by
// one would leave all of them with half a part.
func TestBudgetNoDeadlock(t *testing.T) {
	for _, c := range []struct {
		uploads, size int
		budget        int64
	}{
		{100, 20 << 20, 64 << 20},
		{50, 6 << 20, 5 << 20}, // one part
		{50, 6 << 20, 9 << 20}, // less than two
		{50, 11 << 20, 16 << 20},
		{300, 1 << 20, 8 << 20},
	} {
		t.Run(fmt.Sprintf("%dx%dMiB in %dMiB", c.uploads, c.size>>20, c.budget>>20), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBudget(c.budget)
				var wg sync.WaitGroup
				for i := range c.uploads {
					wg.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(i), 1))
						r := &recorder{discard: true}
						r.onPart = func(context.Context, int) error { time.Sleep(50 * time.Millisecond); return nil }
						u := NewUpload(t.Context(), b, r, UploadOptions{PartSize: Growth(64 << 20)})
						buf := make([]byte, 32<<10)
						for n := 0; n < c.size; n += len(buf) {
							if _, err := u.Write(buf); err != nil {
								t.Errorf("Write: %v", err)
								return
							}
							if in := b.InUse(); in > b.Limit() {
								t.Errorf("%d bytes in use, more than the budget", in)
							}
							time.Sleep(time.Duration(rng.IntN(5000)) * time.Microsecond)
						}
						if err := u.Commit(t.Context()); err != nil {
							t.Errorf("Commit: %v", err)
						}
					})
				}
				wait(t, b, &wg)
				checkEmpty(t, b)
			})
		})
	}
}

// Slow uploads hold what they have received, not what they have reserved: fast
// ones do not wait for them.
func TestBudgetSlowBesideFast(t *testing.T) {
	for _, head := range []time.Duration{0, 30 * time.Second, 90 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := NewBudget(64 << 20)
			var wg sync.WaitGroup
			var mu sync.Mutex
			var firstSlow, lastFast time.Time
			upload := func(size int, wait time.Duration) {
				r := &recorder{discard: true}
				r.onSingle = func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil }
				u := NewUpload(t.Context(), b, r, UploadOptions{})
				buf := make([]byte, 16<<10)
				for n := 0; n < size; n += len(buf) {
					if _, err := u.Write(buf[:min(len(buf), size-n)]); err != nil {
						t.Errorf("Write: %v", err)
					}
					time.Sleep(wait)
				}
				if err := u.Commit(t.Context()); err != nil {
					t.Errorf("Commit: %v", err)
				}
			}
			for range 20 { // 20 KiB/s
				wg.Go(func() {
					upload(2<<20, 800*time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					if firstSlow.IsZero() {
						firstSlow = time.Now()
					}
				})
			}
			time.Sleep(head)
			start := time.Now()
			for range 500 { // 16 MiB/s
				wg.Go(func() {
					upload(300<<10, time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					lastFast = time.Now()
				})
			}
			wait(t, b, &wg)
			if !lastFast.Before(firstSlow) || lastFast.Sub(start) > 12*time.Second {
				t.Errorf("after %v of slow uploads: 500 fast ones took %v, the first slow one ended %v after their start",
					head, lastFast.Sub(start), firstSlow.Sub(start))
			}
			checkEmpty(t, b)
		})
	}
}

// A part is larger than those that fill the budget already.
func TestBudgetGrowingParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(32 << 20)
		grow := func(off int64) int64 {
			if off > 10<<20 {
				return 64 << 20 // cut to a quarter of the budget
			}
			return 5 << 20
		}
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				r := &recorder{discard: true}
				u := NewUpload(t.Context(), b, r, UploadOptions{PartSize: grow})
				buf := make([]byte, 64<<10)
				for range 40 << 20 / len(buf) {
					if _, err := u.Write(buf); err != nil {
						t.Errorf("Write: %v", err)
						return
					}
					if i%3 == 0 {
						time.Sleep(20 * time.Millisecond)
					}
				}
				if err := u.Commit(t.Context()); err != nil {
					t.Errorf("Commit: %v", err)
				}
			})
		}
		wait(t, b, &wg)
		checkEmpty(t, b)
	})
}

func TestBudgetFits(t *testing.T) {
	b := NewBudget(5 << 20)
	if err := b.Fits(5 << 20); err != nil {
		t.Errorf("5 MiB in 5 MiB: %v", err)
	}
	if err := b.Fits(5<<20 + 1); err == nil {
		t.Error("one byte more: no error")
	}
	// And an upload says it too, at once.
	u := NewUpload(t.Context(), NewBudget(1<<20), &recorder{}, UploadOptions{})
	if _, err := u.Write([]byte("x")); err == nil {
		t.Error("Write with a budget below one part: no error")
	}
	if err := u.Commit(t.Context()); err == nil {
		t.Error("Commit with a budget below one part: no error")
	}
}

// Waiting ends with the context, and leaves nothing behind.
func TestBudgetWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(5 << 20)
		first := NewUpload(t.Context(), b, &recorder{}, UploadOptions{})
		if _, err := first.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		stalled := errors.New("stalled")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, stalled)
		defer cancel()
		second := NewUpload(ctx, b, &recorder{}, UploadOptions{})
		go func() {
			synctest.Wait()
			if b.Waiting() != 1 {
				t.Errorf("%d wait, want 1", b.Waiting())
			}
		}()
		if _, err := second.Write([]byte("x")); !errors.Is(err, stalled) {
			t.Errorf("Write: %v, want the cause", err)
		}
		if err := second.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		if err := first.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		checkEmpty(t, b)
	})
}

// Idle slabs go back to the system after five seconds.
func TestSlabsReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(64 << 20)
		u := NewUpload(t.Context(), b, &recorder{discard: true}, UploadOptions{FirstPart: 20 << 20})
		if _, err := u.Write(make([]byte, 20<<20)); err != nil {
			t.Fatal(err)
		}
		if err := u.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		slabs := func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.slabs.empty) + len(b.slabs.partial)
		}
		if n := slabs(); n != 20 {
			t.Errorf("%d slabs after the upload, want 20", n)
		}
		time.Sleep(slabIdle + time.Second)
		if n := slabs(); n != 0 {
			t.Errorf("%d slabs six seconds later, want none", n)
		}
	})
}

// Blocks keep apart: what one upload writes is never in another's body. Of forty uploads at once each writes
// bytes of its own, none to two parts of them, and the budget holds less than half of it all.
func TestBlocksApart(t *testing.T) {
	const part = smallArea + blockSize // begins block by block, and goes on whole
	b := NewBudget(5 << 20)
	noise := random(2*part + 200*997)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for k := range 5 {
				r := &recorder{}
				u := NewUpload(t.Context(), b, r, UploadOptions{FirstPart: part})
				data := noise[(5*i+k)*997:][:i*2*part/40+k*777]
				if err := drip(u, data, 5000); err != nil {
					t.Error(err)
				}
				if err := u.Commit(t.Context()); err != nil || string(r.object) != string(data) || r.sumError {
					t.Errorf("upload %d/%d is damaged: %v", i, k, err)
				}
			}
		})
	}
	wg.Wait()
	checkEmpty(t, b)
}

func BenchmarkUploadSmall(b *testing.B) {
	budget := NewBudget(256 << 20)
	data := make([]byte, 64<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		u := NewUpload(b.Context(), budget, &recorder{discard: true}, UploadOptions{})
		u.Write(data)
		if err := u.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUploadLarge(b *testing.B) {
	budget := NewBudget(256 << 20)
	data := make([]byte, 256<<10)
	const size = 256 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		u := NewUpload(b.Context(), budget, &recorder{discard: true}, UploadOptions{})
		for range size / len(data) {
			if _, err := u.Write(data); err != nil {
				b.Fatal(err)
			}
		}
		if err := u.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
