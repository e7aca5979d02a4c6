package object

import (
	"math/bits"
	"slices"
	"sync"
	"time"
)

const (
	slabSize = 1 << 20
	perSlab  = slabSize / blockSize
	// slabIdle is how long a slab without a block in use is kept.
	slabIdle = 5 * time.Second
)

// block is blockSize bytes out of a slab.
type block struct {
	buf  []byte
	slab *slab
	n    int // its place in the slab
}

// slab is memory that comes from the system, and goes back, in one piece.
type slab struct {
	mem   []byte
	free  uint16 // one bit per block
	since time.Time
}

const allFree = 1<<perSlab - 1

// slabs cuts blocks from slabs. Blocks are taken from slabs that are partly in
// use, so that after a burst the others run empty and can go back. It is
// guarded by the budget's mutex.
type slabs struct {
	partial []*slab // some blocks free, some in use
	empty   []*slab // all free; the longest idle first
	timer   bool
}

func (s *slabs) take() (block, error) {
	var sl *slab
	switch {
	case len(s.partial) > 0:
		sl = s.partial[len(s.partial)-1]
	case len(s.empty) > 0:
		sl = s.empty[len(s.empty)-1]
		s.empty = s.empty[:len(s.empty)-1]
		s.partial = append(s.partial, sl)
	default:
		mem, err := slabAlloc(slabSize)
		if err != nil {
			return block{}, err
		}
		sl = &slab{mem: mem, free: allFree}
		s.partial = append(s.partial, sl)
	}
	n := bits.TrailingZeros16(sl.free)
	if sl.free &^= 1 << n; sl.free == 0 {
		s.partial = s.partial[:len(s.partial)-1] // it was the last of the list
	}
	return block{buf: sl.mem[n*blockSize : (n+1)*blockSize : (n+1)*blockSize], slab: sl, n: n}, nil
}

func (s *slabs) put(blk block) {
	sl := blk.slab
	if sl.free == 0 {
		s.partial = append(s.partial, sl)
	}
	if sl.free |= 1 << blk.n; sl.free == allFree {
		i := slices.Index(s.partial, sl)
		s.partial = slices.Delete(s.partial, i, i+1)
		sl.since = time.Now()
		s.empty = append(s.empty, sl)
	}
}

// expire sees to it that idle slabs go back to the system. The timer's function
// runs again until none is idle.
func (s *slabs) expire(mu *sync.Mutex) {
	if s.timer || len(s.empty) == 0 {
		return
	}
	s.timer = true
	time.AfterFunc(slabIdle, func() {
		mu.Lock()
		defer mu.Unlock()
		s.timer = false
		now := time.Now()
		n := 0
		for n < len(s.empty) && now.Sub(s.empty[n].since) >= slabIdle {
			slabFree(s.empty[n].mem)
			n++
		}
		s.empty = slices.Delete(s.empty, 0, n)
		s.expire(mu)
	})
}
