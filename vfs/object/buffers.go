package object

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// blockSize is the unit in which upload memory is handed out. A small file of
	// a slow device costs one block, not a part.
	blockSize = 64 << 10
	// smallArea is what an upload may take block by block before it is known to be more than small.
	smallArea = 256 << 10
	// leaseTime is how long a client may rest while others wait.
	leaseTime = time.Second
	// leasePace is how much longer it has for each block that it has filled: with
	// 512 KiB/s it keeps what is reserved for it.
	leasePace = 125 * time.Millisecond
	// leaseTick is how often leases are looked at while somebody waits.
	leaseTick = 250 * time.Millisecond
	// agedTime is how long a slow upload waits before no new ones are let in.
	agedTime = 2 * time.Second
)

// Budget is the memory that all uploads of the process share. An upload takes
// blocks of 64 KiB from it while bytes arrive from its client, and gives them back when
// the store has confirmed them. Where nothing is left, the upload waits, and
// with it the client: nothing is read from the network that there is no room for.
//
// Blocks alone would end in a deadlock: many uploads, each with half a part and
// none able to get the rest. So an upload has its memory in one of three ways:
//
//   - Loose: the first 256 KiB are taken block by block; most files end there. All loose
//     uploads together have at most a quarter of the budget.
//   - Whole: the rest of the part is reserved at once, and so is every later
//     part before its first byte. Who is served so never waits until the part is full.
//   - Slow: a client that rests for a second while others wait (or fills less than 512 KiB a second
//     of what is reserved for it) has the unfilled rest taken back. It goes on block by block and
//     holds only what it has received.
//
// Loose and slow blocks are only given while more than the largest part stays free, and a whole rest if
// it is free: so there is always an order in which all uploads can fill their parts one after the other,
// the banker's rule, and nobody waits for ever while clients move.
//
// Who waits is served in this order: uploads that hold memory and are not slow, the smallest rest first;
// slow ones, a block each; new ones, which hold nothing, in the order of asking. New ones are let in only
// when none of the first kind waits, nor a slow one for two seconds. So what can be held by
// uploads that are not slow and cannot go on is bounded by the quarter for loose ones, and fast uploads never
// wait for slow ones for longer than a lease, as long as the slow ones hold no more than the
// budget less that quarter and one part.
//
// Where slow ones would hold more, they fill their parts one after the other: the rest of a part
// is lent to one that waits with bytes at hand, and taken back when it rests. They leave
// room for a part of a new upload beside that.
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

	used     int         // blocks reserved or filled
	filled   int         // blocks handed out
	loose    int         // blocks of loose uploads
	parked   int         // filled blocks of parts whose uploads wait or are slow: what does not come back by itself
	begun    int         // uploads that hold a piece of their first part
	pieces   int         // the blocks of these pieces
	usual    float64     // blocks that such an upload comes to, as the last ones did
	trial    *account    // one that was let in beyond that
	claims   map[int]int // part sizes in blocks that open uploads may ask for: how many do
	maxClaim int

	queues  queues
	turn    time.Time             // when a slow upload last got what its part needs because nobody else could go on
	leases  map[*account]struct{} // whose clients have to move
	ticking bool

	aheads  map[*ahead]struct{} // what downloads have fetched before it is wanted
	reading int                 // blocks reserved or filled by them; part of used
}

// NewBudget returns a budget of the given size, rounded down to blocks of 64
// KiB. See [Budget.Fits] for the least that makes sense.
func NewBudget(bytes int64) *Budget {
	return &Budget{
		total:  int(bytes / blockSize),
		usual:  smallArea / blockSize,
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
	return int64(b.used) * blockSize
}

// Waiting returns how many uploads wait for memory.
func (b *Budget) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queues.len()
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
	return b.queues.len() == 0 && 2*b.used < b.total
}

// blocks returns how many blocks hold n bytes.
func blocks(n int64) int { return int((n + blockSize - 1) / blockSize) }

// account is what one upload has of the budget for the part that it fills.
type account struct {
	b     *Budget
	claim int  // blocks of the part, 0 before the first
	first bool // the small area comes before the part
	loose bool // has the blocks of the small area one by one
	piece int  // its part of Budget.pieces
	slow  bool // lost its lease: goes on block by block

	held  int       // filled blocks of this part
	lease int       // reserved ones, not filled yet
	due   time.Time // when it is slow if somebody waits
}

// rest returns how many blocks the part still needs beyond those reserved.
func (a *account) rest() int { return a.claim - a.held - a.lease }

// open starts an account whose first part has the given number of blocks.
func (b *Budget) open(claim int) *account {
	a := &account{b: b, first: true}
	b.mu.Lock()
	defer b.mu.Unlock()
	a.setClaim(claim)
	return a
}

// setClaim says how large the part to be filled will be. What stays free has to be
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
	defer b.mu.Unlock()
	// The lease may be gone again if this goroutine was kept from running
	// for long: then it asks once more, for a block this time.
	for a.lease == 0 {
		if err := b.wait(ctx, a); err != nil {
			return block{}, err
		}
	}
	blk, err := b.slabs.take()
	if err != nil {
		// The system gives no memory: the rest of the lease is of no use.
		a.cede()
		b.serve()
		return block{}, err
	}
	b.filled++
	a.lease--
	a.held++
	a.due = a.due.Add(leasePace)
	if a.slow {
		b.parked++
		if a.lease == 0 {
			delete(b.leases, a)
		}
	}
	return blk, nil
}

// wait returns when a has a lease, or with the cause when ctx is done. The
// budget is locked, but not while a waits.
func (b *Budget) wait(ctx context.Context, a *account) error {
	if b.queues.len() == 0 && b.grant(a) {
		return nil
	}
	w := &waiter{a: a, rest: a.rest(), since: time.Now(), ready: make(chan struct{})}
	if !a.slow { // its client has sent more
		b.parked += a.held
		delete(b.leases, a)
	}
	b.queues.add(w)
	b.serve()
	if !w.queued() {
		return nil
	}
	b.tick()
	revoked := b.unread()
	b.mu.Unlock()
	for _, r := range revoked {
		r.revoke()
	}
	select {
	case <-w.ready:
		b.mu.Lock()
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	if w.queued() { // not granted in the meantime
		b.dequeue(w)
		b.serve()
	}
	return context.Cause(ctx)
}

// dequeue takes a waiter out of its queue.
func (b *Budget) dequeue(w *waiter) {
	b.queues.remove(w)
	if !w.a.slow {
		b.parked -= w.a.held
	}
}

// serve grants what can be granted, in order. The budget is locked.
func (b *Budget) serve() {
	q := &b.queues
	for q.holders.Len() > 0 && b.grant(q.holders.all[0].a) {
		b.served(q.holders.all[0])
	}
	open := q.holders.Len() == 0
	for e := q.slow.Front(); e != nil; e = q.slow.Front() {
		w := e.Value.(*waiter)
		if !b.grant(w.a) {
			now := time.Now()
			if now.Sub(w.since) < agedTime {
				break
			}
			if w.rest > b.free()-b.spare() {
				// Without new ones there will be room; or else it is their turn to fill a part.
				open = open && w.rest > b.total-b.parked-b.spare() && now.Sub(b.turn) < agedTime
				break
			}
			b.reserve(w.a, w.rest)
		}
		b.served(w)
	}
	for e := q.newcomers.Front(); open && e != nil; e = q.newcomers.Front() {
		w := e.Value.(*waiter)
		if !b.grant(w.a) {
			break
		}
		b.served(w)
	}
	// Nothing comes back by itself any more: one of the slow ones gets what its part needs.
	if q.rests.Len() > 0 && b.used == b.parked {
		if w := q.rests.all[0]; w.rest <= b.free() {
			b.turn = time.Now()
			b.reserve(w.a, w.rest)
			b.served(w)
		}
	}
}

// served lets a waiter go on.
func (b *Budget) served(w *waiter) {
	b.dequeue(w)
	close(w.ready)
}

func (b *Budget) free() int { return b.total - b.used }

// spare is what slow uploads leave to others beyond the room that one of them needs.
func (b *Budget) spare() int {
	if b.total < 3*b.maxClaim {
		return 0
	}
	return b.maxClaim
}

// grant makes a reservation for the part that a fills if there is room for it.
func (b *Budget) grant(a *account) bool {
	rest, free := a.rest(), b.free()
	if a.slow {
		if free <= b.maxClaim+b.spare() {
			return false
		}
		b.reserve(a, 1)
		return true
	}
	if a.held == 0 {
		free -= b.expected()
	}
	switch {
	case a.first && a.held < blocks(smallArea) && rest > 1 && b.loose < b.total/4 && free > b.maxClaim:
		a.loose = true
		b.loose++
		b.reserve(a, 1)
	case rest <= free:
		a.tighten()
		b.reserve(a, rest)
	case rest <= b.free() && b.trial == nil:
		b.trial = a
		b.reserve(a, rest)
	default:
		return false
	}
	return true
}

// expected returns how many blocks the uploads that have begun will ask for if they are like those before.
func (b *Budget) expected() int { return max(0, int(float64(b.begun)*b.usual)-b.pieces) }

func (b *Budget) reserve(a *account, n int) {
	b.used += n
	a.lease += n
	a.due = time.Now().Add(leaseTime)
	b.leases[a] = struct{}{}
	a.count()
}

// count keeps Budget.begun and Budget.pieces after a change of what a has.
func (a *account) count() {
	b := a.b
	piece := 0
	if a.first && a.rest() > 0 {
		piece = a.held + a.lease
	}
	b.pieces += piece - a.piece
	switch {
	case piece > 0 && a.piece == 0:
		b.begun++
	case piece == 0 && a.piece > 0:
		b.begun--
	}
	a.piece = piece
}

// tighten ends the time in which a is loose.
func (a *account) tighten() {
	if a.loose {
		a.loose = false
		a.b.loose -= a.held + a.lease
	}
}

// cede gives back what is reserved and not filled.
func (a *account) cede() {
	if a.loose {
		a.b.loose -= a.lease
	}
	a.b.used -= a.lease
	a.lease = 0
	delete(a.b.leases, a)
	if a.b.trial == a {
		a.b.trial = nil
	}
	a.count()
}

// slacken makes an upload whose client rests a slow one.
func (a *account) slacken() {
	a.cede()
	a.tighten()
	if !a.slow {
		a.slow = true
		a.b.parked += a.held
	}
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
		if b.queues.len() == 0 {
			return
		}
		now := time.Now()
		for a := range b.leases {
			if !now.Before(a.due) {
				a.slacken()
			}
		}
		b.serve()
		if b.queues.len() > 0 {
			b.tick()
		}
	})
}

// holding is the memory of a part that is full, or of an upload's end.
type holding struct {
	b    *Budget
	used int
}

// seal ends the part being filled: what was reserved and not needed goes back, and
// the holding, with which the blocks are to be released, is returned. The next part will have
// the given number of blocks; 0 closes the account.
func (a *account) seal(next int) holding {
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	h := holding{b: b, used: a.held}
	a.cede()
	a.tighten()
	if a.slow {
		b.parked -= a.held
	}
	if a.first && a.held > 0 {
		b.usual += (float64(a.held) - b.usual) / 16
	}
	a.held = 0
	a.first, a.slow = false, false
	a.count()
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
	b.serve()
}
