package protocol

import (
	"math"
	"testing"
)

// TestBoundNext asks how much an upload may write at a time. Without a largest file what is left is all that an int64 holds, and
// less than a byte at a time would be no progress, for ever.
func TestBoundNext(t *testing.T) {
	look := func() error { return nil }
	for _, c := range []struct {
		name string
		b    *bound
		want int64
	}{
		{"no bound", nil, kernelChunk},
		{"free space only", &bound{left: math.MaxInt64, look: look}, min(kernelChunk, freeEvery)},
		{"much is left", &bound{left: kernelChunk}, kernelChunk},
		{"one byte less than the most", &bound{left: kernelChunk - 1}, kernelChunk},
		{"little is left", &bound{left: 10}, 11},
		{"nothing is left", &bound{left: 0}, 1},
		{"more than all is written", &bound{left: -5, look: look}, 1},
	} {
		if got := c.b.next(kernelChunk); got != c.want {
			t.Errorf("%s: next = %d, want %d", c.name, got, c.want)
		}
	}
}
