//go:build !unix || race

package object

// slabAlloc takes the memory from Go's heap: where there is no mmap, and for
// the race detector, which sees no other memory.
func slabAlloc(n int) ([]byte, error) { return make([]byte, n), nil }

func slabFree([]byte) {}
