package gcs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// maxPage is what the service gives at most in one page, whatever is asked for.
const maxPage = 1000

// Head implements [object.Store] (objects.get).
func (s *Store) Head(ctx context.Context, key string) (object.Attrs, error) {
	if err := checkKey("head", key); err != nil {
		return object.Attrs{}, err
	}
	a, err := s.handle().Object(key).Attrs(ctx)
	if err != nil {
		return object.Attrs{}, translate(ctx, "head", key, err)
	}
	return attrs(a), nil
}

// attrs takes the time that somebody has kept in the metadata, else that of the object's creation: each new content is a new object. Its
// "updated" would also move when only metadata or the storage class changes.
func attrs(a *storage.ObjectAttrs) object.Attrs {
	t, ok := object.ModTime(a.Metadata)
	if !ok {
		t = cmp.Or(a.Created, a.Updated)
	}
	return object.Attrs{
		Key:     a.Name,
		Size:    a.Size,
		ModTime: t,
		Stored:  cmp.Or(a.Created, a.Updated),
		ETag:    strconv.FormatInt(a.Generation, 10),
		Class:   a.StorageClass,
		Sys:     checksum(a.CRC32C),
	}
}

// checksum is the CRC32C of an object, its Attrs.Sys.
type checksum uint32

// List implements [object.Store] (objects.list with the delimiter "/"). One call is one request, but
// for pages that the service leaves empty.
func (s *Store) List(ctx context.Context, prefix, token string, max int) (object.Page, error) {
	return s.list(ctx, prefix, token, "/", max)
}

// ListAll implements [object.Store] (objects.list without a delimiter).
func (s *Store) ListAll(ctx context.Context, prefix, token string, max int) (object.Page, error) {
	return s.list(ctx, prefix, token, "", max)
}

func (s *Store) list(ctx context.Context, prefix, token, delimiter string, max int) (object.Page, error) {
	q := &storage.Query{Prefix: prefix, Delimiter: delimiter, Projection: storage.ProjectionNoACL}
	if err := q.SetAttrSelection([]string{"Name", "Size", "Created", "Updated", "Generation", "CRC32C", "Metadata"}); err != nil {
		return object.Page{}, fmt.Errorf("gcs: list %q: %w", prefix, err)
	}
	it := s.handle().Objects(ctx, q)
	info := it.PageInfo()
	info.Token = token
	info.MaxSize = min(max, maxPage)

	var p object.Page
	for first := true; first || info.Remaining() > 0; first = false {
		a, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return object.Page{}, translate(ctx, "list", prefix, err)
		}
		if a.Prefix != "" {
			p.Prefixes = append(p.Prefixes, a.Prefix)
		} else {
			p.Objects = append(p.Objects, attrs(a))
		}
	}
	p.Next = info.Token
	// The order is documented for the page as a whole; a sort that finds all in order costs little.
	slices.Sort(p.Prefixes)
	return p, nil
}

// Get implements [object.Store] (objects.get with alt=media). The SDK opens a body that
// broke anew at the byte where it broke, of the same generation; where that
// generation is gone, the stream ends with an error. The content of objects
// stored with Content-Encoding gzip is delivered as it is stored, so that sizes and offsets
// are true. The CRC32C is checked where one request reads the whole object.
func (s *Store) Get(ctx context.Context, key string, off int64) (io.ReadCloser, object.Attrs, error) {
	return s.GetRange(ctx, key, "", off, -1)
}

// GetRange implements [object.Store]. The ETag is the generation that is asked for.
func (s *Store) GetRange(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, object.Attrs, error) {
	if err := checkKey("get", key); err != nil {
		return nil, object.Attrs{}, err
	}
	if off < 0 {
		return nil, object.Attrs{}, fmt.Errorf("gcs: get %q from %d: %w", key, off, vfs.ErrBadOffset)
	}
	rctx, cancel := context.WithCancelCause(ctx)
	rctx = context.WithValue(rctx, patienceKey{}, &patience{cancel: cancel, limit: s.limits.attempts})
	o := s.handle().Object(key)
	if etag != "" {
		g, err := strconv.ParseInt(etag, 10, 64)
		if err != nil {
			cancel(nil)
			return nil, object.Attrs{}, fmt.Errorf("gcs: get %q: generation %q: %w", key, etag, err)
		}
		o = o.Generation(g)
	}
	r, err := o.NewRangeReader(rctx, off, n)
	if err != nil {
		err = translate(rctx, "get", key, err)
		cancel(nil)
		if etag != "" && errors.Is(err, fs.ErrNotExist) {
			return nil, object.Attrs{}, fmt.Errorf("gcs: get %q: generation %s has gone: %w: %v", key, etag, vfs.ErrBusy, err)
		}
		if status(err) == http.StatusRequestedRangeNotSatisfiable {
			return s.getBehind(ctx, key, off, err)
		}
		return nil, object.Attrs{}, err
	}
	a := object.Attrs{
		Key:     key,
		Size:    r.Attrs.Size,
		ModTime: r.Attrs.LastModified,
		ETag:    strconv.FormatInt(r.Attrs.Generation, 10),
	}
	if t, ok := object.ModTime(r.Metadata()); ok {
		a.ModTime = t
	}
	if a.Size < 0 || a.ModTime.IsZero() {
		// A proxy that sends the body in chunks hides its length, and the time
		// comes in a header that the service sends but does not promise.
		oa, err := s.handle().Object(key).Generation(r.Attrs.Generation).Attrs(ctx)
		if err != nil {
			r.Close()
			cancel(nil)
			return nil, object.Attrs{}, translate(ctx, "get", key, err)
		}
		a = attrs(oa)
	}
	d := &download{r: r, ctx: rctx, cancel: cancel, key: key}
	// The SDK compares what came with the CRC32C only where no range was asked for.
	d.check = off == 0 && n >= a.Size && r.Attrs.CRC32C != 0
	return d, a, nil
}

// getBehind tells, after a 416, an offset at the very end from one behind it.
func (s *Store) getBehind(ctx context.Context, key string, off int64, refusal error) (io.ReadCloser, object.Attrs, error) {
	a, err := s.Head(ctx, key)
	if err != nil {
		return nil, object.Attrs{}, err
	}
	if off == 0 && a.Size > 0 {
		return nil, object.Attrs{}, fmt.Errorf("gcs: get %q: not empty any more: %w: %v", key, vfs.ErrBusy, refusal)
	}
	if a.Size != off {
		return nil, object.Attrs{}, refusal
	}
	return io.NopCloser(bytes.NewReader(nil)), a, nil
}

// download is the body of an object, with its errors translated.
type download struct {
	r      *storage.Reader
	ctx    context.Context // of this body alone
	cancel context.CancelCauseFunc
	key    string
	check  bool   // this is the whole object, and its checksum is known
	sum    uint32 // of what has been read
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if d.check {
		d.sum = crc32.Update(d.sum, castagnoli, p[:n])
	}
	if err != nil && err != io.EOF {
		return n, d.explain(err)
	}
	if d.check && d.r.Remain() == 0 && d.sum != d.r.Attrs.CRC32C {
		d.check = false
		return 0, fmt.Errorf("gcs: get %q: %w: the content has CRC32C %08x, want %08x", d.key, vfs.ErrUnavailable, d.sum, d.r.Attrs.CRC32C)
	}
	return n, err
}

// explain names a failure in the middle: the pinned generation that is gone by
// now is a file that somebody changed.
func (d *download) explain(err error) error {
	if status(err) == http.StatusNotFound || errors.Is(err, storage.ErrObjectNotExist) {
		return fmt.Errorf("gcs: get %q: %w: %w", d.key, vfs.ErrBusy, err)
	}
	return translate(d.ctx, "get", d.key, err)
}

// Close ends the download at once, also in the middle.
func (d *download) Close() error {
	err := d.r.Close()
	d.cancel(nil)
	return err
}
