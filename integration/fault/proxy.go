// Package fault is an HTTP proxy that stands between the gateway and an object
// store and does what networks and stores do on bad days: it delays, holds a
// reply back until it is told to let go, answers 500 or 503 by itself, cuts the connection before
// or in the middle of a request, and loses a reply after the store has acted.
//
// It passes on everything else unchanged, Host header and escaped path included,
// so that signatures stay valid, and counts the requests by operation.
package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// Rule is what happens to the requests that it matches. The first rule that
// matches and has a turn left decides about a request. Of the fields after
// Times any number may be set; they act in the order of their declaration.
type Rule struct {
	// Match picks requests; nil picks all of them. See Op.
	Match func(*http.Request) bool
	// Times is how many requests the rule applies to; 0 means all.
	Times int

	// Delay waits before the request is passed on.
	Delay time.Duration
	// Status answers with this code and Body instead of asking the store.
	Status int
	Body   string
	// Cut ends the connection with a reset instead of asking the store.
	Cut bool
	// CutAfter passes on so many bytes of the request's body and then resets both connections; 0 means off.
	CutAfter int64
	// ReplyAfter passes on so many bytes of the reply's body and then cuts the connection; 0 means off.
	ReplyAfter int64
	// Hold asks the store and keeps its reply back until the gate opens.
	Hold *Gate
	// Lose asks the store and resets the client's connection instead of replying.
	Lose bool
}

// Op matches requests of one of the named operations; see Operation.
func Op(names ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		op := Operation(r)
		for _, n := range names {
			if n == op {
				return true
			}
		}
		return false
	}
}

// Gate holds replies back.
type Gate struct {
	once    sync.Once
	open    chan struct{}
	arrived chan string
}

// NewGate returns a closed gate.
func NewGate() *Gate {
	return &Gate{open: make(chan struct{}), arrived: make(chan string, 1024)}
}

// Open lets all replies go, those that are held and those that come later.
func (g *Gate) Open() { g.once.Do(func() { close(g.open) }) }

// Arrived receives the operation of each request whose reply is held.
func (g *Gate) Arrived() <-chan string { return g.arrived }

func (g *Gate) wait(ctx context.Context, op string) error {
	select {
	case g.arrived <- op:
	default: // nobody reads so many
	}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Proxy is a running fault proxy.
type Proxy struct {
	l   net.Listener
	srv *http.Server

	mu     sync.Mutex
	target string
	rules  []*rule
	counts map[string]int
	active int           // requests under way
	change chan struct{} // closed and replaced when counts change
}

type rule struct {
	Rule
	left int // -1: no limit
}

type ruleKey struct{}

// errLost makes the proxy reset the client's connection.
var errLost = errors.New("fault: reply lost on purpose")

// Listen starts a proxy on a free port of loopback. It has to be given a target
// before the first request. Close ends it.
func Listen() (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{l: l, counts: map[string]int{}, change: make(chan struct{})}
	transport := &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true}
	rp := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", p.currentTarget()
			r.Out.Host = r.In.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ModifyResponse: func(resp *http.Response) error {
			r, _ := resp.Request.Context().Value(ruleKey{}).(*rule)
			if r == nil {
				return nil
			}
			if r.Hold != nil {
				if err := r.Hold.wait(resp.Request.Context(), Operation(resp.Request)); err != nil {
					return err
				}
			}
			if r.Lose {
				return errLost
			}
			if r.ReplyAfter > 0 {
				resp.Body = &cutBody{ReadCloser: resp.Body, left: r.ReplyAfter}
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			reset(w)
		},
	}
	p.srv = &http.Server{
		ErrorLog: log.New(io.Discard, "", 0),
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(rp, w, r) }),
	}
	go p.srv.Serve(l) // ends with Close
	return p, nil
}

func (p *Proxy) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	chosen := p.take(r)
	defer p.done()
	if chosen == nil {
		next.ServeHTTP(w, r)
		return
	}
	if chosen.Delay > 0 {
		t := time.NewTimer(chosen.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case chosen.Status != 0:
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(chosen.Status)
		fmt.Fprint(w, chosen.Body)
		return
	case chosen.Cut:
		reset(w)
		return
	case chosen.CutAfter > 0:
		r.Body = &cutBody{ReadCloser: r.Body, left: chosen.CutAfter}
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ruleKey{}, chosen)))
}

// take counts the request and returns the rule for it, if any.
func (p *Proxy) take(r *http.Request) *rule {
	op := Operation(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[op]++
	p.active++
	close(p.change)
	p.change = make(chan struct{})
	for _, ru := range p.rules {
		if ru.left == 0 || ru.Match != nil && !ru.Match(r) {
			continue
		}
		if ru.left > 0 {
			ru.left--
		}
		return ru
	}
	return nil
}

func (p *Proxy) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active--
}

// Active returns how many requests are under way.
func (p *Proxy) Active() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.active
}

// reset ends the client's connection with a TCP reset.
func reset(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tc, ok := c.(*net.TCPConn); ok {
		tc.SetLinger(0)
	}
	c.Close()
}

// cutBody gives an error after some bytes, which makes the transport break off
// its request and the proxy reset the client, or cut the reply.
type cutBody struct {
	io.ReadCloser
	left int64
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLost
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// Add puts a rule behind the present ones.
func (p *Proxy) Add(r Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := r.Times
	if left == 0 {
		left = -1
	}
	p.rules = append(p.rules, &rule{r, left})
}

// Clear removes all rules and sets the counts to zero.
func (p *Proxy) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.counts = nil, map[string]int{}
}

// SetTarget says to which host:port requests go from now on.
func (p *Proxy) SetTarget(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = addr
}

func (p *Proxy) currentTarget() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

// Addr returns the host:port of the proxy, URL its address as an endpoint.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// URL returns the address of the proxy as an endpoint.
func (p *Proxy) URL() string { return "http://" + p.Addr() }

// Count returns how many requests of the operation have come since the last Clear.
func (p *Proxy) Count(op string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[op]
}

// Counts returns all counts.
func (p *Proxy) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := make(map[string]int, len(p.counts))
	for k, v := range p.counts {
		m[k] = v
	}
	return m
}

// WaitCount waits until the operation has been asked for n times.
func (p *Proxy) WaitCount(ctx context.Context, op string, n int) error {
	for {
		p.mu.Lock()
		have, change := p.counts[op], p.change
		p.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("fault: %d of %d requests %s: %w", have, n, op, ctx.Err())
		}
	}
}

// Close ends the proxy and resets all its connections.
func (p *Proxy) Close() error { return p.srv.Close() }
