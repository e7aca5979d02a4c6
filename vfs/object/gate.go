package object

import (
	"context"
	"net/http"
)

// Gate bounds how many requests that carry content are under way to one store. A thousand small files that end at once would
// open a thousand connections, which costs memory and descriptors here and there, and makes no store faster. Who waits
// is let in in the order of coming. Requests without content, downloads among them, do not pass it: they may last
// as long as a client likes.
type Gate chan struct{}

// NewGate returns a gate for n requests at once.
func NewGate(n int) Gate { return make(Gate, n) }

// Enter waits until the request may be sent, or until its context is done. The
// function that it returns says that the answer is there.
func (g Gate) Enter(r *http.Request) (leave func(), err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return func() {}, nil
	}
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-r.Context().Done():
		r.Body.Close() // as a RoundTripper has to
		return nil, context.Cause(r.Context())
	}
}
