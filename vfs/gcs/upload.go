package gcs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// defaultPartSize: at 30 ms of latency parts of 8 MiB reach four fifths of a
// connection's speed, and each upload past its first part holds up to two of them.
const defaultPartSize = 8 << 20

// maxObject is the largest object of the service.
const maxObject = 5 << 40

// defaultType is what the service itself would say; some emulators do not.
const defaultType = "application/octet-stream"

// Put implements [object.Store].
func (s *Store) Put(ctx context.Context, key string, o object.PutOptions) (object.Upload, error) {
	if err := checkKey("put", key); err != nil {
		return nil, err
	}
	if o.ContentType == "" || strings.ContainsAny(o.ContentType, "\r\n") {
		o.ContentType = defaultType
	}
	return s.put(ctx, &sink{s: s, key: key, o: o}), nil
}

func (s *Store) put(ctx context.Context, k *sink) object.Upload {
	return object.NewUpload(ctx, s.budget, k, object.UploadOptions{
		FirstPart: s.part,
		// A session takes its bytes in order. While one part is sent, the next one fills.
		Parallel:     1,
		MaxSize:      maxObject,
		Table:        castagnoli,
		AbortTimeout: s.limits.cleanup,
	})
}

// sink makes the requests of one upload.
type sink struct {
	s   *Store
	key string
	o   object.PutOptions
	old *storage.ObjectAttrs // the object that is replaced, whose attributes the new one gets; nil for none

	// Of a resumable session, see resumable.go.
	session string
	size    int64  // bytes given to Part
	sum     uint32 // their CRC32C
	carry   []byte // the last of them, not sent yet

	receipt object.Receipt
}

var _ object.Sink = (*sink)(nil)

// resource is the part of an object's resource that tells what was stored.
type resource struct {
	Size       string `json:"size"`
	CRC32C     string `json:"crc32c"`
	Generation string `json:"generation"`
}

// address is where an upload begins (objects.insert).
func (k *sink) address(kind string) string {
	q := url.Values{"uploadType": {kind}, "name": {k.key}, "projection": {"noAcl"}, "fields": {"size,crc32c,generation"}}
	if k.o.IfAbsent {
		q.Set("ifGenerationMatch", "0")
	} else if k.o.IfMatch != "" {
		q.Set("ifGenerationMatch", k.o.IfMatch)
	}
	for name, value := range map[string]string{"userProject": k.s.project, "predefinedAcl": k.s.set.ACL, "kmsKeyName": k.s.set.KMSKey} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return k.s.upload + "?" + q.Encode()
}

// metadata is the resource that the upload begins with; without sum the checksum comes at the end.
func (k *sink) metadata(sum string) ([]byte, error) {
	m := struct {
		Name               string            `json:"name"`
		ContentType        string            `json:"contentType"`
		CRC32C             string            `json:"crc32c,omitempty"`
		ContentEncoding    string            `json:"contentEncoding,omitempty"`
		ContentLanguage    string            `json:"contentLanguage,omitempty"`
		ContentDisposition string            `json:"contentDisposition,omitempty"`
		CacheControl       string            `json:"cacheControl,omitempty"`
		StorageClass       string            `json:"storageClass,omitempty"`
		CustomTime         *time.Time        `json:"customTime,omitempty"`
		Metadata           map[string]string `json:"metadata,omitempty"`
	}{Name: k.key, ContentType: k.o.ContentType, CRC32C: sum, StorageClass: k.s.set.StorageClass, Metadata: k.o.Metadata}
	if k.old != nil {
		m.ContentEncoding, m.ContentLanguage, m.ContentDisposition = k.old.ContentEncoding, k.old.ContentLanguage, k.old.ContentDisposition
		m.CacheControl, m.StorageClass, m.Metadata = k.old.CacheControl, k.old.StorageClass, k.old.Metadata
		if !k.old.CustomTime.IsZero() {
			m.CustomTime = &k.old.CustomTime
		}
	}
	return json.Marshal(m)
}

// Single implements [object.Sink]: metadata and content in one request.
func (k *sink) Single(ctx context.Context, body object.Body) error {
	var (
		sum    = body.Sum32()
		token  = rand.Text() // the same for all attempts, so that the service may tell them from new requests
		p      = pauses{l: k.s.limits, most: k.s.limits.attempts}
		doubt  bool // an attempt that failed may have been carried out
		resent bool
	)
	for {
		err := k.insert(ctx, token, body)
		if err == nil || ctx.Err() != nil {
			return translate(ctx, "put", k.key, err)
		}
		if damaged(err) && !resent {
			// Damaged on the way, or in our memory: then the second is as bad.
			resent = true
			continue
		}
		doubt = doubt || unsure(err)
		if retryable(err) && p.again(ctx) {
			continue
		}
		return k.settle(ctx, err, doubt, body.Size(), sum)
	}
}

// insert is one attempt at Single.
func (k *sink) insert(ctx context.Context, token string, body object.Body) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	meta, err := k.metadata(encodeSum(body.Sum32()))
	if err != nil {
		return err
	}
	// multipart/related (RFC 2387) by hand: its length must be known before.
	border := rand.Text()
	head := fmt.Appendf(nil, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n--%s\r\nContent-Type: %s\r\n\r\n",
		border, meta, border, k.o.ContentType)
	tail := fmt.Appendf(nil, "\r\n--%s--\r\n", border)
	h := http.Header{
		"Content-Type":                 {"multipart/related; boundary=" + border},
		"X-Goog-Gcs-Idempotency-Token": {token},
	}
	content := io.MultiReader(bytes.NewReader(head), body, bytes.NewReader(tail))
	a, err := k.s.do(ctx, http.MethodPost, k.address("multipart"), h, content, int64(len(head)+len(tail))+body.Size())
	if err != nil {
		return err
	}
	return k.verify(ctx, a, body.Size(), body.Sum32())
}

// verify compares what the store says it has with what was sent. A store that checks
// what it is told never differs; from one that does not, the damaged object is taken back.
func (k *sink) verify(ctx context.Context, a *reply, size int64, sum uint32) error {
	var r resource
	if err := json.Unmarshal(a.body, &r); err != nil {
		return fmt.Errorf("%w: reply to the upload: %w", vfs.ErrUnavailable, err)
	}
	if r.Size == strconv.FormatInt(size, 10) && (r.CRC32C == encodeSum(sum) || r.CRC32C == "") {
		k.stored(r.Generation, sum)
		return nil
	}
	err := fmt.Errorf("%w: stored size %s and CRC32C %s, sent %d and %s", vfs.ErrUnavailable, r.Size, r.CRC32C, size, encodeSum(sum))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.s.limits.cleanup)
	defer cancel()
	return errors.Join(err, k.s.discard(ctx, k.key, r.Generation))
}

// settle ends an upload whose last request failed with err. With a doubt, that is when an
// attempt may have been carried out although no reply to it came, the object
// itself is asked: the same size and checksum mean that it is stored.
func (k *sink) settle(ctx context.Context, err error, doubt bool, size int64, sum uint32) error {
	if doubt {
		h := k.s.handle().Object(k.key).Retryer(storage.WithMaxAttempts(3))
		if a, herr := h.Attrs(ctx); herr == nil && a.Size == size && a.CRC32C == sum {
			k.stored(strconv.FormatInt(a.Generation, 10), sum)
			return nil
		}
	}
	if k.o.IfAbsent && status(err) == http.StatusPreconditionFailed {
		return fmt.Errorf("gcs: put %q: %w: %w", k.key, fs.ErrExist, err)
	}
	return translate(ctx, "put", k.key, err)
}

// stored keeps what the receipt tells.
func (k *sink) stored(generation string, sum uint32) {
	k.receipt = object.Receipt{Version: generation, Checksum: fmt.Sprintf("crc32c:%08x", sum)}
}

// Receipt implements [object.Receipter].
func (k *sink) Receipt() object.Receipt { return k.receipt }
