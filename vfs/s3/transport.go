package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// mostSending is how many requests with content are under way at once.
const mostSending = 256

// newTransport returns the transport for one bucket's server, and what
// requests go through.
func newTransport(o Options) (*http.Transport, http.RoundTripper) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{
			Timeout:   10 * time.Second,
			KeepAlive: 30 * time.Second,
		}).DialContext,
		// With few idle connections every second request would begin with a
		// handshake: there are as many as uploads at once.
		MaxIdleConns:          2048,
		MaxIdleConnsPerHost:   1024,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: o.HeaderTimeout,
		ExpectContinueTimeout: time.Second,
		// For heads and small bodies. Larger reads and writes go past the buffers.
		WriteBufferSize: 16 << 10,
		ReadBufferSize:  8 << 10,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            o.RootCAs,
			ClientSessionCache: tls.NewLRUClientSessionCache(1024),
		},
		// An object stored with Content-Encoding: gzip is delivered as it is.
		DisableCompression: true,
		// No HTTP/2: all streams would share one connection.
		Protocols: new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t, &watch{next: t, gate: object.NewGate(mostSending), stall: o.StallTimeout}
}

// errStalled ends a request whose body does not move.
var errStalled error = stalled{}

type stalled struct{}

func (stalled) Error() string   { return "the connection stalled" }
func (stalled) Timeout() bool   { return true } // for the retryer
func (stalled) Temporary() bool { return true }

// attempts counts, in a request's context, how often it was sent.
type attemptsKey struct{}

func countAttempts(ctx context.Context) (context.Context, *atomic.Int32) {
	n := new(atomic.Int32)
	return context.WithValue(ctx, attemptsKey{}, n), n
}

// watch ends requests whose body neither goes out nor comes in. Time-outs of
// the whole request would not do: a large part over a slow line takes long and is well.
type watch struct {
	next  http.RoundTripper
	gate  object.Gate
	stall time.Duration
}

func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	leave, err := w.gate.Enter(r)
	if err != nil {
		return nil, err
	}
	defer leave()
	if n, ok := r.Context().Value(attemptsKey{}).(*atomic.Int32); ok {
		n.Add(1)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(w.stall, func() { cancel(errStalled) })
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		// Until the body is out the timer runs; then the transport's own limit
		// for the answer does.
		r.Body = &watchedRequest{ReadCloser: r.Body, timer: timer, stall: w.stall}
	} else {
		timer.Stop() // dialling and the answer have limits
	}
	resp, err := w.next.RoundTrip(r)
	timer.Stop()
	if err != nil {
		if errors.Is(context.Cause(ctx), errStalled) {
			err = errStalled
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &watchedResponse{body: resp.Body, ctx: ctx, cancel: cancel, stall: w.stall}
	return resp, nil
}

// watchedRequest renews the timer with each read by the transport.
type watchedRequest struct {
	io.ReadCloser
	timer *time.Timer
	stall time.Duration
}

func (b *watchedRequest) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.timer.Stop()
	} else {
		b.timer.Reset(b.stall)
	}
	return n, err
}

// watchedResponse bounds each read of the body. A reader that takes its time
// between two reads is none of its business.
type watchedResponse struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  time.Duration
	timer  *time.Timer
}

func (b *watchedResponse) Read(p []byte) (int, error) {
	if b.timer == nil {
		b.timer = time.AfterFunc(b.stall, func() { b.cancel(errStalled) })
	} else {
		b.timer.Reset(b.stall)
	}
	n, err := b.body.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF && errors.Is(context.Cause(b.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

func (b *watchedResponse) Close() error {
	if b.timer != nil {
		b.timer.Stop()
	}
	err := b.body.Close()
	b.cancel(nil)
	return err
}
