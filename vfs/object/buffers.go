package object

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// blockSize is the unit in which upload memory is handed out. A small file of
	// a slow device costs one block, not a part.
	blockSize = 64 << 10
	// smallArea is what an upload may reserve before it is known to be more than small.
	smallArea = 256 << 10
	// leaseTime is how long a reservation may stay unfilled while others wait.
	leaseTime = time.Second
	// leaseTick is how often leases are looked at while somebody waits.
	leaseTick = 250 * time.Millisecond
)

// Budget is the memory that all uploads of the process share. An upload takes
// blocks of 64 KiB from it while bytes arrive from its client, and gives them back when
// the store has confirmed them. Where nothing is left, the upload waits, and
// with it the client: nothing is read from the network that there is no room for.
//
// Blocks alone would end in a deadlock: many uploads, each with half a part and
// none able to get the rest. So memory is reserved before it is filled:
//
//   - The first bytes of an upload reserve the small area (256 KiB); most
//     files end there.
//   - Past it, the rest of a whole part is reserved at once, in the order of
//     asking, and so is every later part before its first byte.
//   - A reservation is a lease. What a slow client has not filled after a
//     second is taken back as soon as somebody waits; that upload then goes on block by block and so
//     holds only what it has received. Fast uploads never wait for the memory that slow ones
//     have reserved.
//   - One part of the budget, the lane, is kept aside. It belongs to one waiting upload at a
//     time, which can fill its part whatever the others do. As parts always
//     leave once they are full, somebody always gets on: the banker's rule.
//   - Reservations of small areas and single blocks leave room for one whole
//     part, so that they cannot crowd parts out; and uploads that hold memory
//     already are served before those that hold none.
//
// What nobody needs for uploads may hold what downloads fetch before their clients
// want it, up to half of the budget. It is taken back as soon as an upload has to wait: the bytes
// can be fetched again.
//
// A Budget is used by many goroutines at once. Its memory lives outside the
// garbage-collected heap where the system allows it, so it counts neither
// towards GOGC nor towards GOMEMLIMIT: leave room for it beside that limit. What
// is idle for five seconds goes back to the operating system.
type Budget struct {
	mu    sync.Mutex
	slabs slabs
	total int // blocks

	used     int         // blocks reserved or filled outside the lane
	lane     int         // blocks reserved or filled in the lane; 0: it is free
	filled   int         // blocks handed out
	claims   map[int]int // part sizes in blocks that open uploads may ask for: how many do
	maxClaim int

	holders   list.List // of *waiter: uploads that hold blocks of the part they fill
	newcomers list.List // of *waiter: the others
	leases    map[*account]struct{}
	ticking   bool

	aheads  map[*ahead]struct{} // what downloads have fetched before it is wanted
	reading int                 // blocks reserved or filled by them; part of used
}

// NewBudget returns a budget of the given size, rounded down to blocks of 64
// KiB. See [Budget.Fits] for the least that makes sense.
func NewBudget(bytes int64) *Budget {
	return &Budget{
		total:  int(bytes / blockSize),
		claims: make(map[int]int),
		leases: make(map[*account]struct{}),
		aheads: make(map[*ahead]struct{}),
	}
}

// Limit returns the size of the budget in bytes.
func (b *Budget) Limit() int64 { return int64(b.total) * blockSize }

// InUse returns how many bytes hold, or are just about to hold, a client's data.
func (b *Budget) InUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.filled) * blockSize
}

// Reserved returns how many bytes are in use or promised to uploads.
func (b *Budget) Reserved() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.used+b.lane) * blockSize
}

// Waiting returns how many uploads wait for memory.
func (b *Budget) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holders.Len() + b.newcomers.Len()
}

// Fits returns an error if the budget cannot hold one part of the given size in
// bytes: an upload with such parts could never begin. Callers check it before
// they serve.
func (b *Budget) Fits(part int64) error {
	if blocks(part) > b.total {
		return fmt.Errorf("object: an upload budget of %d bytes cannot hold one part of %d bytes", b.Limit(), part)
	}
	return nil
}

// idle reports whether more than half of the budget is free and nobody waits.
func (b *Budget) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holders.Len()+b.newcomers.Len() == 0 && 2*(b.used+b.lane) < b.total
}

// blocks returns how many blocks hold n bytes.
func blocks(n int64) int { return int((n + blockSize - 1) / blockSize) }

// account is what one upload has of the budget for the part that it fills.
type account struct {
	b     *Budget
	claim int  // blocks of the part, 0 before the first
	first bool // the small area comes before the part
	slow  bool // lost its lease: goes on block by block

	held, laneHeld   int // filled blocks of this part
	lease, laneLease int // reserved ones, not filled yet
	since            time.Time
}

// waiter is a request for blocks that could not be granted at once.
type waiter struct {
	a     *account
	need  int
	ready chan struct{} // closed when granted
	queue *list.List
	elem  *list.Element
}

// open starts an account whose first part has the given number of blocks.
func (b *Budget) open(claim int) *account {
	a := &account{b: b, first: true}
	b.mu.Lock()
	defer b.mu.Unlock()
	a.setClaim(claim)
	return a
}

// setClaim says how large the part to be filled will be. The lane has to be
// as large as the largest part of any open upload.
func (a *account) setClaim(claim int) {
	b := a.b
	if a.claim == claim {
		return
	}
	if a.claim > 0 {
		if b.claims[a.claim]--; b.claims[a.claim] == 0 {
			delete(b.claims, a.claim)
		}
	}
	if a.claim = claim; claim > 0 {
		b.claims[claim]++
	}
	b.maxClaim = 0
	for c := range b.claims { // a handful of different sizes
		b.maxClaim = max(b.maxClaim, c)
	}
}

// take returns the next block of the part being filled. It waits for memory
// until ctx is done.
func (a *account) take(ctx context.Context) (block, error) {
	b := a.b
	b.mu.Lock()
	for a.lease+a.laneLease == 0 {
		w := &waiter{a: a, need: a.need(), ready: make(chan struct{})}
		w.queue = &b.newcomers
		if a.held+a.laneHeld > 0 {
			w.queue = &b.holders
		}
		w.elem = w.queue.PushBack(w)
		b.serve()
		if w.queue != nil {
			b.tick()
			revoked := b.unread()
			b.mu.Unlock()
			for _, r := range revoked {
				r.revoke()
			}
			select {
			case <-w.ready:
				b.mu.Lock()
			case <-ctx.Done():
				b.mu.Lock()
				if w.queue != nil { // not granted in the meantime
					w.leave()
					b.serve()
				}
				b.mu.Unlock()
				return block{}, context.Cause(ctx)
			}
		}
		// The lease may be gone again if this goroutine was kept from running
		// for long: ask once more, for a block this time.
	}
	defer b.mu.Unlock()
	if a.lease > 0 {
		a.lease--
		a.held++
		if a.lease == 0 {
			delete(b.leases, a)
		}
	} else {
		a.laneLease--
		a.laneHeld++
	}
	blk, err := b.slabs.take()
	if err != nil {
		// The system gives no memory: the block goes back unfilled.
		if a.held > 0 {
			a.held--
			b.used--
		} else {
			a.laneHeld--
			b.lane--
		}
		b.serve()
		return block{}, err
	}
	b.filled++
	return blk, nil
}

// need returns how many blocks to reserve now.
func (a *account) need() int {
	held := a.held + a.laneHeld
	switch {
	case a.slow:
		return 1
	case a.first && held < blocks(smallArea):
		return min(blocks(smallArea), a.claim) - held
	}
	return a.claim - held
}

// leave takes the waiter out of its queue.
func (w *waiter) leave() {
	w.queue.Remove(w.elem)
	w.queue = nil
}

// serve grants what can be granted, in order. The budget is locked.
func (b *Budget) serve() {
	for _, q := range []*list.List{&b.holders, &b.newcomers} {
		for e := q.Front(); e != nil; {
			w := e.Value.(*waiter)
			e = e.Next()
			if !b.grant(w) {
				if q == &b.holders && w.single() {
					// What is behind it may need less: a part may use the room that
					// single blocks have to leave.
					continue
				}
				return
			}
			w.leave()
			close(w.ready)
		}
	}
}

// single reports whether the waiter asks for less than what its part needs.
func (w *waiter) single() bool { return w.need < w.a.claim-w.a.held-w.a.laneHeld }

// grant makes the reservation if there is room for it.
func (b *Budget) grant(w *waiter) bool {
	a := w.a
	general := b.total - b.maxClaim
	room := min(general-b.used, b.total-b.used-b.lane)
	if w.single() && general >= 2*a.claim {
		room -= a.claim
	}
	if w.need <= room {
		b.used += w.need
		a.lease += w.need
		a.since = time.Now()
		b.leases[a] = struct{}{}
		return true
	}
	// The lane holds everything that the part still needs. While it grows for a
	// larger part, others may still be where it will be.
	if rest := a.claim - a.held - a.laneHeld; b.lane == 0 && rest <= b.total-b.used {
		b.lane = rest
		a.laneLease = rest
		return true
	}
	return false
}

// tick takes back, as long as somebody waits, what slow clients have not filled.
// The timer's function ends by itself when nobody waits any more.
func (b *Budget) tick() {
	if b.ticking {
		return
	}
	b.ticking = true
	time.AfterFunc(leaseTick, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ticking = false
		if b.holders.Len()+b.newcomers.Len() == 0 {
			return
		}
		now := time.Now()
		for a := range b.leases {
			if now.Sub(a.since) >= leaseTime {
				b.used -= a.lease
				a.lease = 0
				a.slow = true
				delete(b.leases, a)
			}
		}
		b.serve()
		if b.holders.Len()+b.newcomers.Len() > 0 {
			b.tick()
		}
	})
}

// holding is the memory of a part that is full, or of an upload's end.
type holding struct {
	b          *Budget
	used, lane int
}

// seal ends the part being filled: what was reserved and not needed goes back, and
// the holding, with which the blocks are to be released, is returned. The next part will have
// the given number of blocks; 0 closes the account.
func (a *account) seal(next int) holding {
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	h := holding{b: b, used: a.held, lane: a.laneHeld}
	b.used -= a.lease
	b.lane -= a.laneLease
	delete(b.leases, a)
	a.held, a.laneHeld, a.lease, a.laneLease = 0, 0, 0, 0
	a.first, a.slow = false, false
	a.setClaim(next)
	b.serve()
	return h
}

// release gives the blocks of a holding back.
func (h holding) release(blks []block) {
	b := h.b
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, blk := range blks {
		b.slabs.put(blk)
	}
	b.slabs.expire(&b.mu)
	b.filled -= len(blks)
	b.used -= h.used
	b.lane -= h.lane
	b.serve()
}
