package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// recorder is a Sink that keeps what it is given.
type recorder struct {
	mu       sync.Mutex
	calls    []string
	parts    map[int][]byte
	object   []byte // of Single or Complete
	running  int
	most     int // parts at once
	sumError bool
	discard  bool

	// hooks; nil does nothing
	onSingle, onBegin, onComplete, onAbort func(ctx context.Context) error
	onPart                                 func(ctx context.Context, n int) error
}

func (r *recorder) note(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

func (r *recorder) read(body Body) []byte {
	if r.discard {
		return nil
	}
	var buf bytes.Buffer
	buf.Grow(int(body.Size()))
	body.WriteTo(&buf)
	if int64(buf.Len()) != body.Size() || crc32.ChecksumIEEE(buf.Bytes()) != body.Sum32() {
		r.mu.Lock()
		r.sumError = true
		r.mu.Unlock()
	}
	return buf.Bytes()
}

func (r *recorder) Single(ctx context.Context, body Body) error {
	r.note("single")
	if r.onSingle != nil {
		if err := r.onSingle(ctx); err != nil {
			return err
		}
	}
	b := r.read(body)
	r.mu.Lock()
	r.object = b
	r.mu.Unlock()
	return ctx.Err()
}

func (r *recorder) Begin(ctx context.Context) error {
	r.note("begin")
	if r.onBegin != nil {
		return r.onBegin(ctx)
	}
	return ctx.Err()
}

func (r *recorder) Part(ctx context.Context, n int, body Body) error {
	r.note(fmt.Sprint("part ", n))
	r.mu.Lock()
	r.running++
	r.most = max(r.most, r.running)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.running--
		r.mu.Unlock()
	}()
	if r.onPart != nil {
		if err := r.onPart(ctx, n); err != nil {
			return err
		}
	}
	b := r.read(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parts == nil {
		r.parts = make(map[int][]byte)
	}
	r.parts[n] = b
	return ctx.Err()
}

func (r *recorder) Complete(ctx context.Context) error {
	r.note("complete")
	if r.onComplete != nil {
		if err := r.onComplete(ctx); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range len(r.parts) {
		r.object = append(r.object, r.parts[n+1]...)
	}
	return ctx.Err()
}

func (r *recorder) Abort(ctx context.Context) error {
	r.mu.Lock()
	if r.running > 0 {
		r.calls = append(r.calls, "abort beside a part")
	}
	r.mu.Unlock()
	r.note("abort")
	if r.onAbort != nil {
		return r.onAbort(ctx)
	}
	return ctx.Err()
}

func (r *recorder) count(call string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, c := range r.calls {
		if strings.HasPrefix(c, call) {
			n++
		}
	}
	return n
}

func random(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	rng.Read(b)
	return b
}

// drip writes b in steps of the given size.
func drip(w io.Writer, b []byte, step int) error {
	for c := range slices.Chunk(b, step) {
		if n, err := w.Write(c); err != nil {
			return err
		} else if n != len(c) {
			return io.ErrShortWrite
		}
	}
	return nil
}

func checkEmpty(t *testing.T, b *Budget) {
	t.Helper()
	if b.InUse() != 0 || b.Reserved() != 0 || b.Waiting() != 0 || len(b.claims) != 0 || len(b.leases) != 0 || b.loose != 0 || b.parked != 0 || b.begun != 0 || b.pieces != 0 || b.trial != nil {
		t.Errorf("afterwards the budget has %d bytes in use, %d reserved, %d waiting, %d claims, %d leases, want none",
			b.InUse(), b.Reserved(), b.Waiting(), len(b.claims), len(b.leases))
	}
}

func TestUploadSizes(t *testing.T) {
	const part = 5 << 20
	for _, size := range []int{0, 1, blockSize - 1, blockSize, blockSize + 1, smallArea, smallArea + 1,
		part - 1, part, part + 1, 2*part - 1, 2 * part, 2*part + 1, 3*part + 12345} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			b := NewBudget(64 << 20)
			r := &recorder{}
			u := NewUpload(t.Context(), b, r, UploadOptions{FirstPart: part})
			data := random(size)
			if err := drip(u, data, 32<<10+7); err != nil {
				t.Fatalf("Write: %v", err)
			}
			if size <= part {
				if got, want := b.InUse(), int64(blocks(int64(size)))*blockSize; got != want {
					t.Errorf("%d bytes occupy %d, want %d", size, got, want)
				}
				if len(r.calls) > 0 {
					t.Errorf("calls before Commit: %v", r.calls)
				}
			}
			if err := u.Commit(t.Context()); err != nil {
				t.Fatalf("Commit: %v", err)
			}
			if !bytes.Equal(r.object, data) || r.sumError {
				t.Errorf("object differs from what was written (sum wrong: %v)", r.sumError)
			}
			single, parts := 1, 0
			if size > part {
				single, parts = 0, (size+part-1)/part
			}
			if r.count("single") != single || r.count("part") != parts || r.count("abort") != 0 {
				t.Errorf("calls %v, want %d single, %d parts, no abort", r.calls, single, parts)
			}
			if err := u.Commit(t.Context()); err != nil {
				t.Errorf("second Commit: %v", err)
			}
			if err := u.Abort(t.Context()); err != nil || r.count("abort") != 0 {
				t.Errorf("Abort after Commit: %v, calls %v", err, r.calls)
			}
			if _, err := u.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("Write after Commit: %v, want fs.ErrClosed", err)
			}
			checkEmpty(t, b)
		})
	}
}

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

func TestUploadParallel(t *testing.T) {
	for _, c := range []struct {
		parallel int
		budget   int64
		want     int
	}{
		{1, 64 << 20, 1},
		{2, 64 << 20, 4}, // an idle budget
		{2, 5 << 20, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &recorder{onPart: func(context.Context, int) error { time.Sleep(time.Second); return nil }}
			b := NewBudget(c.budget)
			u := NewUpload(t.Context(), b, r, UploadOptions{FirstPart: 1 << 20, Parallel: c.parallel})
			if err := drip(u, random(20<<20), 1<<16); err != nil {
				t.Fatal(err)
			}
			if err := u.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r.most != c.want {
				t.Errorf("Parallel %d, budget %d: %d parts at once, want %d", c.parallel, c.budget, r.most, c.want)
			}
		})
	}
}

func TestGrowth(t *testing.T) {
	g := Growth(64 << 20)
	var off int64
	parts := 0
	for ; parts < 10000; parts++ {
		p := g(off)
		if p < minPart || p > 64<<20 || p%(1<<20) != 0 {
			t.Fatalf("part at %d has %d bytes", off, p)
		}
		if off < 6<<30 && p != minPart {
			t.Fatalf("part at %d has %d bytes, want 5 MiB", off, p)
		}
		off += p
	}
	if off < 430<<30 {
		t.Errorf("10,000 parts hold %d GiB, want at least 430", off>>30)
	}
	off = 0
	for range 10000 {
		off += Growth(5 << 30)(off)
	}
	if off < 7<<40 {
		t.Errorf("uncapped, 10,000 parts hold %d TiB, want 7", off>>40)
	}
}

// A transport may read a body after its request has failed.
func TestBodyAfterRelease(t *testing.T) {
	var kept Body
	b := NewBudget(8 << 20)
	u := NewUpload(t.Context(), b, sinkFunc(func(_ context.Context, body Body) error {
		kept = body
		return errors.New("lost")
	}), UploadOptions{})
	u.Write([]byte("secret"))
	if err := u.Commit(t.Context()); err == nil {
		t.Fatal("Commit: no error")
	}
	if n, err := kept.Read(make([]byte, 10)); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Read after the upload: %d, %v, want fs.ErrClosed", n, err)
	}
	if n, err := kept.WriteTo(io.Discard); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("WriteTo after the upload: %d, %v, want fs.ErrClosed", n, err)
	}
}

func TestBodySeek(t *testing.T) {
	data := random(3*blockSize + 17)
	u := NewUpload(t.Context(), NewBudget(8<<20), sinkFunc(func(_ context.Context, body Body) error {
		for _, off := range []int64{0, 1, blockSize - 1, blockSize, 3*blockSize + 16, int64(len(data))} {
			if n, err := body.Seek(off, io.SeekStart); n != off || err != nil {
				t.Errorf("Seek(%d) = %d, %v", off, n, err)
			}
			got, err := io.ReadAll(io.MultiReader(struct{ io.Reader }{body}))
			if err != nil || !bytes.Equal(got, data[off:]) {
				t.Errorf("reading from %d: %d bytes, %v", off, len(got), err)
			}
		}
		if n, err := body.Seek(0, io.SeekEnd); n != int64(len(data)) || err != nil {
			t.Errorf("Seek to the end = %d, %v", n, err)
		}
		if _, err := body.Seek(-1, io.SeekStart); err == nil {
			t.Error("Seek(-1): no error")
		}
		return nil
	}), UploadOptions{})
	u.Write(data)
	if err := u.Commit(t.Context()); err != nil {
		t.Error(err)
	}
}

// sinkFunc is a Sink of single requests.
type sinkFunc func(context.Context, Body) error

func (f sinkFunc) Single(ctx context.Context, b Body) error { return f(ctx, b) }
func (f sinkFunc) Begin(context.Context) error              { return errors.ErrUnsupported }
func (f sinkFunc) Part(context.Context, int, Body) error    { return errors.ErrUnsupported }
func (f sinkFunc) Complete(context.Context) error           { return errors.ErrUnsupported }
func (f sinkFunc) Abort(context.Context) error              { return nil }

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

func (a *answering) Part(ctx context.Context, n int, body Body) error {
	if a.sent {
		io.Copy(io.Discard, body)
	}
	select {
	case <-time.After(a.after):
	case <-ctx.Done():
	}
	return ctx.Err()
}
