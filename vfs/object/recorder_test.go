package object

import (
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
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

// sinkFunc is a Sink of single requests.
type sinkFunc func(context.Context, Body) error
