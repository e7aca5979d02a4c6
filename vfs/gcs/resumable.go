package gcs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// chunkUnit: all requests of a session but the last carry a multiple of it
// (https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload).
const chunkUnit = 256 << 10

// errChunkTime ends a part that could not be sent, with all its repetitions, in time.
var errChunkTime = fmt.Errorf("%w: part not taken in time", vfs.ErrUnavailable)

// Begin implements [object.Sink]: it opens a resumable session. Nothing
// exists under the key before the session's last request; a session that is
// left behind goes away after a week and is not listed anywhere.
func (k *sink) Begin(ctx context.Context) error {
	meta, err := k.metadata("")
	if err != nil {
		return err
	}
	p := pauses{l: k.s.limits, most: k.s.limits.attempts}
	h := http.Header{
		"Content-Type":                 {"application/json; charset=UTF-8"},
		"X-Upload-Content-Type":        {k.o.ContentType},
		"X-Goog-Gcs-Idempotency-Token": {rand.Text()},
	}
	for {
		a, err := k.s.do(ctx, http.MethodPost, k.address("resumable"), h.Clone(), bytes.NewReader(meta), int64(len(meta)))
		if err == nil {
			k.session, err = k.location(a.header.Get("Location"))
			return translate(ctx, "put", k.key, err)
		}
		if ctx.Err() == nil && retryable(err) && p.again(ctx) {
			continue
		}
		return k.settle(ctx, err, false, 0, 0)
	}
}

// location is the session's address, which may be relative.
func (k *sink) location(l string) (string, error) {
	if l == "" {
		return "", fmt.Errorf("%w: session without an address", vfs.ErrUnavailable)
	}
	base, err := url.Parse(k.s.upload)
	if err != nil {
		return "", err
	}
	u, err := base.Parse(l)
	if err != nil {
		return "", fmt.Errorf("%w: session's address: %w", vfs.ErrUnavailable, err)
	}
	return u.String(), nil
}

// Part implements [object.Sink]. Parts come one after the other. What is over a
// multiple of chunkUnit is kept, a copy of less than 256 KiB, and goes with
// the next request.
func (k *sink) Part(ctx context.Context, n int, body object.Body) error {
	have := k.size - int64(len(k.carry))
	all := int64(len(k.carry)) + body.Size()
	send := all - all%chunkUnit
	if send > 0 {
		c := chunk{start: have, carry: k.carry, body: body, size: send, total: -1}
		a, err := k.push(ctx, c)
		if err != nil {
			return err
		}
		if a != nil {
			// Only a broken store completes what nobody has completed.
			return fmt.Errorf("gcs: put %q: %w: part %d ended the session", k.key, vfs.ErrUnavailable, n)
		}
	}
	rest := make([]byte, all-send)
	if err := (&chunk{carry: k.carry, body: body, size: all}).readAt(rest, send); err != nil {
		return fmt.Errorf("gcs: put %q: read part %d: %w", k.key, n, err)
	}
	k.carry = rest
	k.size += body.Size()
	k.sum = combine(k.sum, body.Sum32(), body.Size())
	return nil
}

// Complete implements [object.Sink]: the last request, with the length and the CRC32C of the whole.
func (k *sink) Complete(ctx context.Context) error {
	a, err := k.push(ctx, chunk{
		start: k.size - int64(len(k.carry)),
		carry: k.carry,
		size:  int64(len(k.carry)),
		total: k.size,
	})
	if err != nil || a == nil {
		return err
	}
	k.session = "" // it has ended; Abort has nothing to do
	return translate(ctx, "put", k.key, k.verify(ctx, a, k.size, k.sum))
}

// Abort implements [object.Sink]: it ends the session, so that the store can
// forget its bytes at once. Nothing of it was visible.
func (k *sink) Abort(ctx context.Context) error {
	if k.session == "" {
		return nil
	}
	p := pauses{l: k.s.limits, most: k.s.limits.attempts}
	for {
		_, err := k.s.do(ctx, http.MethodDelete, k.session, http.Header{}, nil, 0)
		switch status(err) {
		case 499, http.StatusNotFound, http.StatusGone:
			// 499 ("client closed request") is the service's way to say that it is done.
			err = nil
		}
		if err == nil {
			k.session = ""
			return nil
		}
		if ctx.Err() != nil || !retryable(err) || !p.again(ctx) {
			return translate(ctx, "abort", k.key, err)
		}
	}
}

// chunk is what one request of a session carries: bytes kept from before,
// then a part's.
type chunk struct {
	start int64  // offset in the object
	carry []byte // comes first
	body  object.Body
	size  int64 // of both together, or less
	total int64 // of the object, -1 where it is not known yet
}

func (c *chunk) final() bool { return c.total >= 0 }

// from returns what follows the first skip bytes.
func (c *chunk) from(skip int64) (io.Reader, error) {
	kept := int64(len(c.carry))
	var rs []io.Reader
	if skip < kept {
		rs = append(rs, bytes.NewReader(c.carry[skip:]))
	}
	if c.body != nil {
		if _, err := c.body.Seek(max(0, skip-kept), io.SeekStart); err != nil {
			return nil, err
		}
		rs = append(rs, c.body)
	}
	return io.LimitReader(io.MultiReader(rs...), c.size-skip), nil
}

func (c *chunk) readAt(p []byte, skip int64) error {
	r, err := c.from(skip)
	if err == nil {
		_, err = io.ReadFull(r, p)
	}
	return err
}

// push sends c until the store has all of it. What the store has taken when a
// request broke is asked for, and the rest is sent again. The reply is nil but for the
// final chunk, where it has the object's resource; it is nil there too
// when the object was found to be stored although the reply was lost.
func (k *sink) push(ctx context.Context, c chunk) (*reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, k.s.limits.chunk, errChunkTime)
	defer cancel()
	var (
		p     = pauses{l: k.s.limits}
		token = rand.Text()
		at    = c.start
		end   = c.start + c.size
		ask   bool // send nothing, only ask
		doubt bool // the final request may have been carried out
	)
	for {
		a, err := k.chunk(ctx, token, &c, at, ask)
		if err == nil && !a.incomplete() {
			return a, nil
		}
		if err == nil {
			var has int64
			has, err = persisted(a)
			switch {
			case err == nil && (has < at || has > end):
				// What was confirmed is not held here any more.
				err = fmt.Errorf("%w: session has %d bytes, want %d to %d", vfs.ErrUnavailable, has, at, end)
			case err == nil && has == end && !c.final():
				return nil, nil
			case err == nil:
				if has > at {
					p.progress()
				} else if !ask && !p.again(ctx) {
					return nil, translate(ctx, "put", k.key, errors.New("session takes nothing"))
				}
				at, ask = has, false
				continue
			}
			return nil, translate(ctx, "put", k.key, err)
		}
		if ctx.Err() != nil {
			return nil, translate(ctx, "put", k.key, err)
		}
		doubt = doubt || c.final() && unsure(err)
		if retryable(err) && p.again(ctx) {
			ask = true
			continue
		}
		if err = k.settle(ctx, gone(err), doubt, c.total, k.sum); err == nil {
			k.session = ""
		}
		return nil, err
	}
}

// sessionGone is the end of a session from the store's side: it is no file that is missing.
type sessionGone struct{ err error }

func (e sessionGone) Error() string { return "upload session is gone: " + e.err.Error() }
func (e sessionGone) Unwrap() error { return e.err }

func gone(err error) error {
	if code := status(err); code == http.StatusNotFound || code == http.StatusGone {
		return sessionGone{err}
	}
	return err
}

// chunk is one request of the session: the bytes of c from offset at on, or only the question what the store has.
func (k *sink) chunk(ctx context.Context, token string, c *chunk, at int64, ask bool) (*reply, error) {
	var (
		end   = c.start + c.size
		total = "*"
		body  io.Reader
		size  int64
	)
	h := http.Header{
		"Content-Type":                 {k.o.ContentType},
		"X-Guploader-No-308":           {"yes"},
		"X-Goog-Gcs-Idempotency-Token": {token},
	}
	if c.final() {
		total = strconv.FormatInt(c.total, 10)
		h.Set("X-Goog-Hash", "crc32c="+encodeSum(k.sum))
	}
	span := "*"
	if !ask && at < end {
		r, err := c.from(at - c.start)
		if err != nil {
			return nil, err
		}
		body, size = r, end-at
		span = fmt.Sprintf("%d-%d", at, end-1)
	}
	h.Set("Content-Range", "bytes "+span+"/"+total)
	return k.s.do(ctx, http.MethodPut, k.session, h, body, size)
}

// persisted reads how many bytes the session has from "Range: bytes=0-N". No such header means none.
func persisted(a *reply) (int64, error) {
	r := a.header.Get("Range")
	if r == "" {
		return 0, nil
	}
	last, ok := strings.CutPrefix(r, "bytes=0-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("%w: session answers Range %q", vfs.ErrUnavailable, r)
	}
	return n + 1, nil
}
