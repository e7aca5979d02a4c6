package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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

func (f sinkFunc) Single(ctx context.Context, b Body) error { return f(ctx, b) }
func (f sinkFunc) Begin(context.Context) error              { return errors.ErrUnsupported }
func (f sinkFunc) Part(context.Context, int, Body) error    { return errors.ErrUnsupported }
func (f sinkFunc) Complete(context.Context) error           { return errors.ErrUnsupported }
func (f sinkFunc) Abort(context.Context) error              { return nil }

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
