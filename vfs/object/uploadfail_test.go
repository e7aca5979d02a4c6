package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

func TestUploadAbort(t *testing.T) {
	const part = 1 << 20
	for _, size := range []int{0, 100, part, part + 1, 3 * part, 7*part + 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			b := NewBudget(64 << 20)
			r := &recorder{onPart: func(ctx context.Context, n int) error {
				if n < 3 {
					return nil
				}
				<-ctx.Done() // the store hangs
				return ctx.Err()
			}}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			u := NewUpload(ctx, b, r, UploadOptions{FirstPart: part})
			gone := errors.New("client gone")
			wrote := make(chan error, 1)
			go func() { wrote <- drip(u, random(size), 4096) }()
			if size > 6*part {
				for r.count("part 3") == 0 { // the writer is going to be blocked: 4 parts are the most
					runtime.Gosched()
				}
				cancel(gone)
				if err := <-wrote; !errors.Is(err, gone) {
					t.Errorf("Write with its context done: %v, want the cause", err)
				}
			} else if err := <-wrote; err != nil {
				t.Fatal(err)
			}
			if err := u.Abort(t.Context()); err != nil {
				t.Errorf("Abort: %v", err)
			}
			want := 0
			if size > part {
				want = 1
			}
			if r.count("abort") != want || r.count("abort beside") != 0 || r.count("complete")+r.count("single") != 0 {
				t.Errorf("calls %v, want %d abort", r.calls, want)
			}
			if err := u.Commit(t.Context()); err != nil || r.object != nil {
				t.Errorf("Commit after Abort: %v", err)
			}
			checkEmpty(t, b)
		})
	}
}

func TestUploadPartFails(t *testing.T) {
	const part = 1 << 20
	broken := errors.New("503")
	for _, where := range []string{"begin", "part", "complete", "single"} {
		t.Run(where, func(t *testing.T) {
			b := NewBudget(64 << 20)
			r := &recorder{}
			size := 3*part + 7
			fail := func(context.Context) error { return broken }
			switch where {
			case "begin":
				r.onBegin = fail
			case "part":
				r.onPart = func(_ context.Context, n int) error {
					if n == 3 {
						return broken
					}
					return nil
				}
			case "complete":
				r.onComplete = fail
			case "single":
				r.onSingle = fail
				size = 10
			}
			u := NewUpload(t.Context(), b, r, UploadOptions{FirstPart: part})
			werr := drip(u, random(size), 1000)
			if werr != nil && !errors.Is(werr, broken) {
				t.Errorf("Write: %v, want nil or the failure", werr)
			}
			if err := u.Commit(t.Context()); !errors.Is(err, broken) {
				t.Errorf("Commit: %v, want the failure", err)
			}
			want := 1
			if where == "single" {
				want = 0
			}
			if r.count("abort") != want || r.count("abort beside") != 0 {
				t.Errorf("calls %v, want %d abort after the parts", r.calls, want)
			}
			if r.object != nil {
				t.Error("an object has been made")
			}
			checkEmpty(t, b)
		})
	}
}

// A store that fails ends a writer that waits, and all later ones.
func TestUploadFailureReachesWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("403")
		r := &recorder{onPart: func(ctx context.Context, n int) error {
			if n == 2 {
				time.Sleep(time.Minute)
				return broken
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		b := NewBudget(64 << 20)
		u := NewUpload(t.Context(), b, r, UploadOptions{FirstPart: 1 << 20})
		start := time.Now()
		if err := drip(u, random(20<<20), 1<<16); !errors.Is(err, broken) {
			t.Errorf("Write: %v, want the failure of part 2", err)
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("Write returned after %v, want a minute", d)
		}
		if err := u.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		checkEmpty(t, b)
	})
}

// The context of the writing may be done by the time of the commit.
func TestUploadCommitContext(t *testing.T) {
	const part = 1 << 20
	for _, size := range []int{10, 3*part + 1} {
		b := NewBudget(64 << 20)
		r := &recorder{}
		ctx, cancel := context.WithCancel(t.Context())
		u := NewUpload(ctx, b, r, UploadOptions{FirstPart: part})
		data := random(size)
		if err := drip(u, data, 1<<16); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := u.Commit(t.Context()); err != nil || !bytes.Equal(r.object, data) {
			t.Errorf("%d bytes: Commit after the context of Put: %v", size, err)
		}
		checkEmpty(t, b)
	}
}

// A Write that failed has lost bytes: no commit may publish the rest.
func TestUploadCommitAfterFailedWrite(t *testing.T) {
	gone := errors.New("client gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	b := NewBudget(64 << 20)
	r := &recorder{}
	u := NewUpload(ctx, b, r, UploadOptions{})
	if _, err := u.Write([]byte("half a ")); err != nil {
		t.Fatal(err)
	}
	cancel(gone)
	if _, err := u.Write([]byte("picture")); !errors.Is(err, gone) {
		t.Errorf("Write: %v, want the cause", err)
	}
	if err := u.Commit(t.Context()); !errors.Is(err, gone) || len(r.calls) != 0 {
		t.Errorf("Commit: %v, calls %v, want the failure and no request", err, r.calls)
	}
	checkEmpty(t, b)
}

// A commit that runs out of time cleans up in a context of its own.
func TestUploadCommitTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for _, where := range []string{"begin", "part", "complete"} {
			r := &recorder{}
			switch where {
			case "begin":
				r.onBegin = hang
			case "part":
				r.onPart = func(ctx context.Context, _ int) error { return hang(ctx) }
			case "complete":
				r.onComplete = hang
			}
			r.onAbort = func(ctx context.Context) error { return ctx.Err() }
			b := NewBudget(64 << 20)
			u := NewUpload(t.Context(), b, r, UploadOptions{FirstPart: 1 << 20})
			if err := drip(u, random(2<<20), 1<<16); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := u.Commit(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || r.count("abort") != 1 {
				t.Errorf("%s hangs: Commit: %v, calls %v, want the deadline's error and one abort", where, err, r.calls)
			}
			checkEmpty(t, b)
		}
	})
}

// Abort waits for Begin: only its answer says what there is to abort.
func TestUploadAbortWaitsForBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := false
		r := &recorder{onBegin: func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				begun = true
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		r.onAbort = func(context.Context) error {
			if !begun {
				t.Error("Abort before the answer to Begin")
			}
			return nil
		}
		u := NewUpload(t.Context(), NewBudget(64<<20), r, UploadOptions{FirstPart: 1 << 20})
		if err := drip(u, random(1<<20+1), 1<<16); err != nil {
			t.Fatal(err)
		}
		if err := u.Abort(t.Context()); err != nil || r.count("abort") != 1 {
			t.Errorf("Abort: %v, calls %v", err, r.calls)
		}
	})
}

func TestUploadTooLarge(t *testing.T) {
	const part = 1 << 20
	for name, o := range map[string]UploadOptions{
		"parts": {FirstPart: part, MaxParts: 3},
		"size":  {FirstPart: part, MaxSize: 3 * part},
	} {
		t.Run(name, func(t *testing.T) {
			for _, more := range []int{0, 1} {
				b := NewBudget(64 << 20)
				r := &recorder{}
				u := NewUpload(t.Context(), b, r, o)
				err := drip(u, random(3*part), 10000)
				if err == nil && more > 0 {
					_, err = u.Write(make([]byte, more))
				}
				if got := errors.Is(err, vfs.ErrTooLarge); got != (more > 0) {
					t.Errorf("%d bytes over: Write: %v", more, err)
				}
				err = u.Commit(t.Context())
				if got := errors.Is(err, vfs.ErrTooLarge); got != (more > 0) || r.count("abort") != more {
					t.Errorf("%d bytes over: Commit: %v, calls %v", more, err, r.calls)
				}
				checkEmpty(t, b)
			}
		})
	}
}

// A part that has been sent when its upload is given up is waited for, so that it does not land behind the cleaning up: but
// not for ever, and not where it was on its way only.
func TestUploadAbortWaitsForAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sent   bool // all of it has been taken
		answer time.Duration
		wait   time.Duration // until the cleaning up
	}{
		{"answered", true, time.Second, time.Second},
		{"never answered", true, time.Hour, answerTime},
		{"under way", false, time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &answering{recorder: &recorder{}, sent: tt.sent, after: tt.answer}
				u := NewUpload(t.Context(), NewBudget(64<<20), r, UploadOptions{FirstPart: minPart})
				if _, err := u.Write(make([]byte, minPart+1)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				begin := time.Now()
				var cleaned time.Duration
				r.onAbort = func(context.Context) error { cleaned = time.Since(begin); return nil }
				if err := u.Abort(t.Context()); err != nil {
					t.Error(err)
				}
				if cleaned != tt.wait {
					t.Errorf("cleaned up after %v, want %v", cleaned, tt.wait)
				}
			})
		})
	}
}

// answering is a Sink that answers to a part after a while.
type answering struct {
	*recorder
	sent  bool
	after time.Duration
}
