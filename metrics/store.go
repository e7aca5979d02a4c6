package metrics

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Transport wraps the transport of one back end's client: each request, retries
// included, is counted with its result and its time to the head of the answer.
// Operation names a request, with a word from a closed list.
func (m *Metrics) Transport(backend string, operation func(*http.Request) string, next http.RoundTripper) http.RoundTripper {
	return &transport{m: m, backend: backend, operation: operation, next: next}
}

type transport struct {
	m         *Metrics
	backend   string
	operation func(*http.Request) string
	next      http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	op := t.operation(r)
	start := time.Now()
	resp, err := t.next.RoundTrip(r)
	t.m.storeTime.WithLabelValues(t.backend, op).Observe(time.Since(start).Seconds())
	t.m.storeRequests.WithLabelValues(t.backend, op, result(resp, err)).Inc()
	return resp, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// result is the label of an answer: ok, not_found, denied, conflict, throttled,
// client_error, server_error, canceled, timeout, or error where none came.
func result(resp *http.Response, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case isTimeout(err):
		return "timeout"
	case err != nil || resp == nil:
		return "error"
	}
	switch code := resp.StatusCode; {
	case code == http.StatusPermanentRedirect: // GCS's "308 Resume Incomplete"
		return "ok"
	case code < 300 || code == http.StatusNotModified:
		return "ok"
	case code == http.StatusNotFound:
		return "not_found"
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return "denied"
	case code == http.StatusConflict, code == http.StatusPreconditionFailed:
		return "conflict"
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable: // S3's SlowDown is a 503
		return "throttled"
	case code < 500:
		return "client_error"
	}
	return "server_error"
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

// GCSOperation names requests of Google Cloud Storage: insert (a whole object in
// one request), resumable_start, resumable_chunk, resumable_cancel, media (a download), get, update,
// list, delete, rewrite, move, compose, bucket_get, other (tokens).
func GCSOperation(r *http.Request) string {
	q := r.URL.Query()
	path := r.URL.EscapedPath()
	if q.Has("upload_id") {
		if r.Method == http.MethodDelete {
			return "resumable_cancel"
		}
		return "resumable_chunk"
	}
	before, rest, ok := strings.Cut(path, "/storage/v1/b/")
	if !ok {
		// Downloads go to /bucket/object, the way of the XML API.
		if r.Method == http.MethodGet && strings.Count(path, "/") >= 2 && !strings.Contains(path, "computeMetadata") {
			return "media"
		}
		return "other"
	}
	if strings.HasSuffix(before, "/upload") && r.Method == http.MethodPost {
		if q.Get("uploadType") == "resumable" {
			return "resumable_start"
		}
		return "insert"
	}
	// Slashes in names are escaped, so the elements are bucket, "o", object, verb…
	elem := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	verb := ""
	if len(elem) > 3 {
		verb = elem[3]
	}
	switch {
	case len(elem) == 1 && r.Method == http.MethodGet:
		return "bucket_get"
	case len(elem) == 2 && elem[1] == "o" && r.Method == http.MethodGet:
		return "list"
	case verb == "rewriteTo":
		return "rewrite"
	case verb == "moveTo":
		return "move"
	case verb == "compose":
		return "compose"
	case len(elem) != 3 || elem[1] != "o":
		return "other"
	case r.Method == http.MethodGet && (q.Get("alt") == "media" || strings.HasSuffix(before, "/download")):
		return "media"
	case r.Method == http.MethodGet:
		return "get"
	case r.Method == http.MethodDelete:
		return "delete"
	case r.Method == http.MethodPatch, r.Method == http.MethodPut:
		return "update"
	}
	return "other"
}
