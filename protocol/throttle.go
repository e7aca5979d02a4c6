package protocol

import (
	"context"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

const (
	// throttleStep is the most that moves between two waits, and steps how many of them a second has
	// at low rates: who shares a meter takes turns, step by step, so that all get the same.
	throttleStep = 64 << 10
	steps        = 20
	// catchUp is how long a meter remembers what was not used: longer than timers are late, too
	// short for a burst that anybody would see.
	catchUp = 100 * time.Millisecond
)

// meter lets bytes pass at a rate. Many transfers may share one; they are served in the order in
// which they ask, a step each.
type meter struct {
	*rate.Limiter
	step int
}

// newMeter makes a meter for a rate in bytes per second, or nil for no limit. It begins empty: the first second has no more
// than any other.
func newMeter(perSecond int64) *meter {
	if perSecond <= 0 {
		return nil
	}
	step := int(min(max(1, perSecond/steps), throttleStep))
	burst := max(step, int(min(float64(perSecond)*catchUp.Seconds(), 1<<30)))
	m := &meter{rate.NewLimiter(rate.Limit(perSecond), burst), step}
	m.AllowN(time.Now(), burst)
	return m
}

// throttle holds the meters that transfers share.
type throttle struct {
	mu    sync.Mutex
	begun bool
	total map[bool]*meter // by upload
	users map[userMeter]*sharedMeter
}

// userMeter is one direction of one user at a rate; accounts may change, running transfers keep theirs.
type userMeter struct {
	name   string
	upload bool
	rate   int64
}

type sharedMeter struct {
	*meter
	users int // transfers
}

// meters are those of a new transfer of a, to be released at its end.
func (t *throttle) meters(srv *Server, a *auth.Account, upload bool) (all []*meter, release func()) {
	connection, u := srv.Download, userMeter{a.Name, upload, a.Limits.Download}
	if upload {
		connection, u.rate = srv.Upload, a.Limits.Upload
	}
	if m := newMeter(connection); m != nil {
		all = append(all, m)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.begun = true
		t.total = map[bool]*meter{true: newMeter(srv.TotalUpload), false: newMeter(srv.TotalDownload)}
		t.users = map[userMeter]*sharedMeter{}
	}
	if m := t.total[u.upload]; m != nil {
		all = append(all, m)
	}
	if u.rate <= 0 {
		return all, func() {}
	}
	m := t.users[u]
	if m == nil {
		m = &sharedMeter{meter: newMeter(u.rate)}
		t.users[u] = m
	}
	m.users++
	return append(all, m.meter), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if m.users--; m.users == 0 {
			delete(t.users, u)
		}
	}
}

// slowDown puts the meters before the connection. Without any the kernel goes on moving the bytes.
func (c *dataConn) slowDown(ctx context.Context, meters []*meter) {
	if len(meters) == 0 {
		return
	}
	step := throttleStep
	for _, m := range meters {
		step = min(step, m.step)
	}
	c.Conn, c.tcp = &throttled{Conn: c.Conn, ctx: ctx, meters: meters, step: step}, nil
}

// throttled is a data connection whose bytes pay at one or more meters. It lies above TLS and
// below MODE Z. While it waits no deadline runs, so that it never looks like a stall, and the end of
// its context ends the waiting.
type throttled struct {
	net.Conn
	ctx    context.Context
	meters []*meter
	step   int
	due    int // of what was read, less than a step
	owed   [3]*rate.Reservation
}

// Read pays for what has arrived; what is not read makes the client's kernel wait. It pays by the step, however little
// comes at a time: a turn is as long for TLS and MODE Z, whose reads are small.
func (c *throttled) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), c.step-c.due)])
	if c.due += n; c.due < c.step && err == nil {
		return n, nil
	}
	due := c.due
	c.due = 0
	if perr := c.pay(due); perr != nil {
		return n, perr
	}
	return n, err
}

// Write pays in advance, step by step.
func (c *throttled) Write(b []byte) (int, error) {
	done := 0
	for {
		step := b[done:min(len(b), done+c.step)]
		if err := c.pay(len(step)); err != nil {
			return done, err
		}
		n, err := c.Conn.Write(step)
		if done += n; err != nil || done == len(b) {
			return done, err
		}
	}
}

// pay waits until n bytes, a step at most, may pass all meters.
func (c *throttled) pay(n int) error {
	if n == 0 {
		return nil
	}
	now := time.Now()
	var wait time.Duration
	owed := c.owed[:0]
	for _, m := range c.meters {
		r := m.ReserveN(now, n)
		owed = append(owed, r)
		wait = max(wait, r.DelayFrom(now))
	}
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.ctx.Done():
		for _, r := range owed {
			r.Cancel() // others may use it
		}
		return context.Cause(c.ctx)
	}
}
