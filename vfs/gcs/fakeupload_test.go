package gcs

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

type session struct {
	key, ctype string
	attrs      resourceAttrs
	match      string // ifGenerationMatch
	data       []byte
	done       *stored
}

func (f *fake) insert(w http.ResponseWriter, r *http.Request) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		f.t.Errorf("insert: %v", err)
	}
	mr := multipart.NewReader(r.Body, params["boundary"])
	var meta struct {
		Name, ContentType, CRC32C string
		resourceAttrs
	}
	part, err := mr.NextPart()
	if err == nil {
		err = json.NewDecoder(part).Decode(&meta)
	}
	var data []byte
	if err == nil {
		if part, err = mr.NextPart(); err == nil {
			data, err = io.ReadAll(part)
		}
	}
	if err == nil {
		if _, err = mr.NextPart(); err == io.EOF {
			err = nil
		}
	}
	if err != nil {
		return // the client broke off
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if meta.CRC32C != "" && meta.CRC32C != encodeSum(crc32.Checksum(data, castagnoli)) {
		fail(w, 400, "invalid", "Provided CRC32C does not match calculated")
		return
	}
	if f.refused(w, r.URL.Query().Get("ifGenerationMatch"), meta.Name) {
		return
	}
	o := f.put(meta.Name, data, meta.ContentType)
	o.attrs = meta.resourceAttrs
	answer(w, meta.Name, o)
}

func (f *fake) begin(w http.ResponseWriter, r *http.Request) {
	var meta struct {
		Name, ContentType string
		resourceAttrs
	}
	if err := json.NewDecoder(r.Body).Decode(&meta); err != nil {
		f.t.Errorf("begin: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	match := r.URL.Query().Get("ifGenerationMatch")
	if f.refused(w, match, meta.Name) {
		return
	}
	id := fmt.Sprint("s", len(f.sessions))
	f.sessions[id] = &session{key: meta.Name, ctype: meta.ContentType, attrs: meta.resourceAttrs, match: match}
	w.Header().Set("Location", "/upload/storage/v1/b/"+testBucket+"/o?uploadType=resumable&upload_id="+id)
}

func (f *fake) chunk(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	s := f.sessions[r.URL.Query().Get("upload_id")]
	f.mu.Unlock()
	if s == nil {
		fail(w, 404, "notFound", "Not Found")
		return
	}
	span, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	var data []byte
	if span != "*" {
		// What has come before the connection broke is kept, in whole units.
		data, _ = io.ReadAll(r.Body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.done != nil {
		answer(w, s.key, s.done)
		return
	}
	if span != "*" {
		from, _, _ := strings.Cut(span, "-")
		if start, err := strconv.Atoi(from); err != nil || start != len(s.data) {
			f.t.Errorf("chunk %q, but the session has %d bytes", span, len(s.data))
		}
		want := r.ContentLength
		if total == "*" && want%chunkUnit != 0 {
			f.t.Errorf("chunk of %d bytes is no multiple of 256 KiB", want)
		}
		if f.maxPersist > 0 {
			data = data[:min(len(data), f.maxPersist)]
		}
		if int64(len(data)) < want {
			data = data[:len(data)/chunkUnit*chunkUnit]
		}
		s.data = append(s.data, data...)
	}
	if n, err := strconv.Atoi(total); err == nil && n == len(s.data) {
		if h := r.Header.Get("X-Goog-Hash"); h != "crc32c="+encodeSum(crc32.Checksum(s.data, castagnoli)) {
			fail(w, 400, "invalid", "Provided hash does not match: "+h)
			return
		}
		if f.refused(w, s.match, s.key) {
			return
		}
		s.done = f.put(s.key, s.data, s.ctype)
		s.done.attrs = s.attrs
		answer(w, s.key, s.done)
		return
	}
	w.Header().Set("X-Http-Status-Code-Override", "308")
	if len(s.data) > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(s.data)-1))
	}
}

// upload writes data in one piece and commits it.
func upload(ctx context.Context, s *Store, key string, data []byte, o object.PutOptions) error {
	u, err := s.Put(ctx, key, o)
	if err != nil {
		return err
	}
	if _, err := u.Write(data); err != nil {
		u.Abort(ctx)
		return err
	}
	return u.Commit(ctx)
}

// content returns n bytes that do not repeat at any part's border.
func content(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) | 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}
