//go:build unix && !race

package object

import (
	"fmt"
	"syscall"
)

// slabAlloc takes memory from the system and not from Go's heap: there a full
// budget would let the collector wait for as much garbage again, and free
// slabs would stay until some later collection.
func slabAlloc(n int) ([]byte, error) {
	mem, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("object: upload memory: %w", err)
	}
	return mem, nil
}

func slabFree(mem []byte) {
	if err := syscall.Munmap(mem); err != nil {
		panic("object: munmap of a slab: " + err.Error()) // not our memory: nothing can be trusted any more
	}
}
