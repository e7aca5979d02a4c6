package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"google.golang.org/api/googleapi"
)

// maxReply bounds the replies read here; an object's resource has a few KiB.
const maxReply = 1 << 20

// reply is what the store has answered, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// incomplete tells the answer of a resumable session that wants more. 308 has another meaning in
// HTTP, so the store is asked to write it in a header of its own; some emulators write it plainly.
func (r *reply) incomplete() bool {
	return r.status == http.StatusPermanentRedirect || r.header.Get("X-Http-Status-Code-Override") == "308"
}

// do sends one request, once. A status of 400 and above is a *googleapi.Error.
// When do returns, nobody reads body any more.
func (s *Store) do(ctx context.Context, method, address string, h http.Header, body io.Reader, size int64) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header = h
	if size > 0 {
		l := &loan{r: body}
		defer l.Close()
		r.Body, r.ContentLength = l, size
	} else {
		r.Body = http.NoBody
	}
	res, err := s.http.Do(r)
	if err != nil {
		// The text of this error has the address, and a session's address is
		// as good as a key: whoever knows it can write.
		var u *url.Error
		if errors.As(err, &u) {
			err = &url.Error{Op: u.Op, URL: s.upload, Err: u.Err}
		}
		return nil, err
	}
	defer res.Body.Close()
	a := &reply{status: res.StatusCode, header: res.Header}
	if a.incomplete() {
		// Read to the end, so that the connection can be used again.
		_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxReply))
		return a, err
	}
	if res.StatusCode >= 300 {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxReply), res.Body}
		if err := googleapi.CheckResponse(res); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("unexpected status %s", res.Status)
	}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, maxReply)); err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	return a, nil
}

// loan is a request's body in memory that can be taken back: net/http may go
// on reading for a moment after it has returned, when the memory already
// belongs to the next attempt or to somebody else. It hides the body's
// WriteTo, which could not be interrupted.
type loan struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *loan) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.r == nil {
		return 0, errors.New("body taken back")
	}
	return l.r.Read(p)
}

// Close takes the body back. When it returns, no Read is under way.
func (l *loan) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.r = nil
	return nil
}

// pauses are the waits between the attempts of one request.
type pauses struct {
	l    limits
	most int // attempts, 0 for as many as the context allows
	done int
}

// again waits before the next attempt. It is false when there shall be none.
func (p *pauses) again(ctx context.Context) bool {
	p.done++
	if p.most > 0 && p.done >= p.most {
		return false
	}
	d := p.l.longest
	if n := p.done - 1; n < 30 {
		d = min(d, p.l.first<<n)
	}
	// Up to half of it by chance, so that uploads refused together do not come back together.
	d -= rand.N(d/2 + 1)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// progress forgets the attempts that went before.
func (p *pauses) progress() { p.done = 0 }

// unsure tells whether a request that ended with err may have been carried out.
func unsure(err error) bool {
	return retryable(err) && status(err) != http.StatusTooManyRequests && status(err) != http.StatusForbidden
}
