package gcs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// folderPoll is the pause between two questions after a folder rename: at first, and at most.
const (
	folderPoll    = 100 * time.Millisecond
	folderPollMax = 5 * time.Second
)

// folders knows whether the bucket has a hierarchical namespace, in which directories are
// something of their own and can be renamed in one step.
type folders struct {
	address string // of the bucket in the JSON API

	mu     sync.Mutex
	known  bool
	exists bool
}

// operation is a long-running operation of the JSON API.
type operation struct {
	Name  string `json:"name"`
	Done  bool   `json:"done"`
	Error *struct {
		Code    int    `json:"code"` // of google.rpc.Code
		Message string `json:"message"`
	} `json:"error"`
}

// MovePrefix implements [object.PrefixMover] (folders.rename, a long-running operation, in buckets with a
// hierarchical namespace).
func (s *Store) MovePrefix(ctx context.Context, dst, src string) error {
	if ok, err := s.hierarchical(ctx); err != nil || !ok {
		return errors.Join(errors.ErrUnsupported, err)
	}
	// The names of folders end with a slash here.
	address := s.folders.address + "/folders/" + url.PathEscape(src) + "/renameTo/folders/" + url.PathEscape(dst)
	var op operation
	// Not repeated where it may have been carried out: a second one would find no source.
	if err := s.ask(ctx, http.MethodPost, address, &op); err != nil {
		return translate(ctx, "rename folder", src, err)
	}
	for wait := folderPoll; !op.Done; wait = min(2*wait, folderPollMax) {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return translate(ctx, "rename folder", src, ctx.Err())
		case <-t.C:
		}
		name := op.Name
		if err := s.ask(ctx, http.MethodGet, s.folders.address+"/operations/"+url.PathEscape(path.Base(name)), &op); err != nil && !retryable(err) {
			return translate(ctx, "rename folder", src, err)
		}
	}
	if op.Error != nil {
		return fmt.Errorf("gcs: rename folder %q: %w: code %d: %s", src, kindOfRPC(op.Error.Code), op.Error.Code, op.Error.Message)
	}
	return nil
}

// kindOfRPC names the codes of google.rpc.Code that mean something to a client.
func kindOfRPC(code int) error {
	switch code {
	case 6, 9: // ALREADY_EXISTS, FAILED_PRECONDITION
		return vfs.ErrNotEmpty
	case 10: // ABORTED
		return vfs.ErrBusy
	}
	return vfs.ErrUnavailable
}

// hierarchical asks once per process what kind of bucket it is. Who may not ask has an ordinary one: its
// directories are renamed object by object.
func (s *Store) hierarchical(ctx context.Context) (bool, error) {
	f := &s.folders
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known {
		return f.exists, nil
	}
	var b struct {
		HierarchicalNamespace struct {
			Enabled bool `json:"enabled"`
		} `json:"hierarchicalNamespace"`
	}
	err := s.ask(ctx, http.MethodGet, f.address+"?fields=hierarchicalNamespace", &b)
	switch c := status(err); {
	case err == nil, c == http.StatusForbidden, c == http.StatusBadRequest, c == http.StatusNotFound:
		f.known, f.exists = true, err == nil && b.HierarchicalNamespace.Enabled
		return f.exists, nil
	}
	return false, translate(ctx, "look at bucket", s.bucket, err)
}

// ask sends a request without a body, once, and reads the JSON of its answer.
func (s *Store) ask(ctx context.Context, method, address string, into any) error {
	if s.project != "" {
		sep := "?"
		if strings.Contains(address, "?") {
			sep = "&"
		}
		address += sep + url.Values{"userProject": {s.project}}.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	if err != nil {
		return err
	}
	res, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := googleapi.CheckResponse(res); err != nil {
		return err
	}
	return json.NewDecoder(io.LimitReader(res.Body, maxReply)).Decode(into)
}
