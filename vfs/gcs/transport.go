package gcs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// mostSending is how many requests with content are under way at once.
const mostSending = 256

// newTransport makes the pool of connections. Sessions come and go by the
// hundred, and each request wants a connection at once: many are kept, since a
// new one costs a TLS handshake. HTTP/2 would put all transfers on one
// connection, whose flow control then ties them to each other.
func newTransport(l limits) *http.Transport {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(256),
		},
		TLSHandshakeTimeout:   10 * time.Second,
		Protocols:             http1,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   1024,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: l.answer,
		// For heads and small bodies. Larger reads and writes go past the buffers.
		WriteBufferSize: 16 << 10,
		ReadBufferSize:  8 << 10,
	}
}

// stalled is the error of a request that the watchdog ended. It is temporary:
// on another connection it may go well.
type stalled struct{ doing string }

func (e stalled) Error() string { return "no progress while " + e.doing }

// Temporary and Timeout tell net.Error's users, the SDK's retry among them.
func (e stalled) Temporary() bool { return true }
func (e stalled) Timeout() bool   { return true }

// watchdog ends requests that make no progress. net/http has no such limit
// for bodies: a peer that stopped reading, or writing, holds them for ever.
//
// It counts the time in which the body sent is not asked for more, the time
// from its end to the reply's header, and the time in which a read of the
// reply's body waits. The time in which our own side does not read is free: a slow
// FTP client is no stalled store.
type watchdog struct {
	base          http.RoundTripper
	gate          object.Gate
	stall, answer time.Duration
}

func (w *watchdog) RoundTrip(r *http.Request) (*http.Response, error) {
	leave, err := w.gate.Enter(r)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithCancelCause(r.Context())
	t := newAlarm(func() { cancel(stalled{"sending the request"}) })
	t.set(w.answer)
	r2 := r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r2.Body = &sent{body: r.Body, alarm: t, stall: w.stall, answer: w.answer}
		r2.GetBody = nil // a copy would not be watched
	}
	p := patienceFrom(ctx)
	if p != nil {
		// A download wants the bytes as they are stored. Without this header the
		// service unpacks what was stored with Content-Encoding gzip, and ignores
		// the range. The SDK's own way to say so, ReadCompressed, is refused by its JSON client.
		r2.Header = r.Header.Clone()
		r2.Header.Set("Accept-Encoding", "gzip")
	}
	res, err := w.base.RoundTrip(r2)
	t.retire()
	if err != nil {
		err = blame(ctx, err)
		cancel(nil)
		return nil, err
	}
	if p != nil {
		// The SDK takes these for a body that was unpacked, whose range was
		// ignored, and skips what it has seen already: a download that goes on after
		// a break would lose bytes. Without them it insists on the range.
		res.Header.Del("Content-Encoding")
		res.Header.Del("X-Goog-Stored-Content-Encoding")
	}
	res.Body = &received{
		body:     res.Body,
		ctx:      ctx,
		cancel:   cancel,
		alarm:    newAlarm(func() { cancel(stalled{"reading the reply"}) }),
		stall:    w.stall,
		patience: p,
	}
	return res, nil
}

// blame adds the watchdog's word to an error that it has caused.
func blame(ctx context.Context, err error) error {
	var s stalled
	if errors.As(context.Cause(ctx), &s) {
		return fmt.Errorf("%w (%v)", s, err)
	}
	return err
}

// alarm is a timer that can be put away for good, also while somebody sets it.
type alarm struct {
	mu      sync.Mutex
	timer   *time.Timer
	retired bool
}

// newAlarm makes an alarm that is not set; f runs on a goroutine of its own.
func newAlarm(f func()) *alarm {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return &alarm{timer: t}
}

func (a *alarm) set(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.retired {
		a.timer.Reset(d)
	}
}

func (a *alarm) stop() { a.timer.Stop() }

func (a *alarm) retire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.retired = true
	a.timer.Stop()
}

// sent is a request's body. The transport reads it from a goroutine of its own
// and may do so for a moment after the reply.
type sent struct {
	body          io.ReadCloser
	alarm         *alarm
	stall, answer time.Duration
}

func (b *sent) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == nil {
		b.alarm.set(b.stall)
	} else {
		b.alarm.set(b.answer)
	}
	return n, err
}

func (b *sent) Close() error { return b.body.Close() }

// received is a reply's body.
type received struct {
	body     io.ReadCloser
	ctx      context.Context // the request's, for its cause
	cancel   context.CancelCauseFunc
	alarm    *alarm
	stall    time.Duration
	patience *patience
	some     bool // bytes have come
}

func (b *received) Read(p []byte) (int, error) {
	b.alarm.set(b.stall)
	n, err := b.body.Read(p)
	b.alarm.stop()
	b.some = b.some || n > 0
	if err != nil && err != io.EOF {
		err = blame(b.ctx, err)
		b.patience.broken(b.some, err)
	}
	return n, err
}

func (b *received) Close() error {
	b.alarm.retire()
	err := b.body.Close()
	b.cancel(nil)
	return err
}

// patience ends a download whose body breaks again and again without a byte:
// the SDK would open it anew for ever.
type patience struct {
	cancel context.CancelCauseFunc
	limit  int
	barren int // bodies in a row
}

type patienceKey struct{}

func patienceFrom(ctx context.Context) *patience {
	p, _ := ctx.Value(patienceKey{}).(*patience)
	return p
}

// broken is told of a body that ended with err; some says whether bytes had come.
func (p *patience) broken(some bool, err error) {
	if p == nil {
		return
	}
	if some {
		p.barren = 0
		return
	}
	if p.barren++; p.barren >= p.limit {
		p.cancel(fmt.Errorf("%d bodies in a row broke without a byte: %w", p.barren, err))
	}
}
