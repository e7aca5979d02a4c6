package gcs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"

	"cloud.google.com/go/storage"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

var _ object.Appender = (*Store)(nil)

// Append implements [object.Appender]. What is appended to a whole object is stored under the
// scratch key and joined to it inside the service (objects.compose), both pinned by their
// generations. GCS joins whole objects only: to begin behind a part of one, that
// part goes through this program, up to Options.AppendThrough.
func (s *Store) Append(ctx context.Context, key string, n int64, scratch string) (object.Upload, int64, error) {
	if err := checkKey("append", key); err != nil {
		return nil, 0, err
	}
	old, err := s.handle().Object(key).Attrs(ctx)
	if err != nil {
		return nil, 0, translate(ctx, "append", key, err)
	}
	old.Metadata = object.WithoutModTime(old.Metadata) // the content will be another
	if n < 0 {
		n = old.Size
	}
	if n > old.Size {
		return nil, 0, fmt.Errorf("gcs: append %q: %d is behind the end at %d: %w", key, n, old.Size, vfs.ErrBadOffset)
	}
	if n == old.Size && n > 0 {
		u, err := s.Put(ctx, scratch, object.PutOptions{})
		if err != nil {
			return nil, 0, err
		}
		return &appended{s: s, key: key, old: old, scratch: scratch, u: u}, n, nil
	}
	if n > s.through {
		return nil, 0, fmt.Errorf("gcs: append %q: %d bytes of %d would have to go through: %w", key, n, old.Size, vfs.ErrTooLarge)
	}
	o := object.PutOptions{ContentType: cmp.Or(old.ContentType, defaultType), IfMatch: strconv.FormatInt(old.Generation, 10)}
	u := s.put(ctx, &sink{s: s, key: key, o: o, old: old})
	if n == 0 {
		return u, 0, nil
	}
	return object.Headed(ctx, u, func(ctx context.Context) (io.ReadCloser, error) {
		r, _, err := s.GetRange(ctx, key, o.IfMatch, 0, n)
		return r, err
	}), n, nil
}

// appended is an upload that is joined to an object.
type appended struct {
	s       *Store
	key     string
	old     *storage.ObjectAttrs
	scratch string
	u       object.Upload
	size    int64
	sum     uint32
	receipt object.Receipt
}

func (a *appended) Write(p []byte) (int, error) {
	n, err := a.u.Write(p)
	a.size += int64(n)
	a.sum = crc32.Update(a.sum, castagnoli, p[:n])
	return n, err
}

func (a *appended) Abort(ctx context.Context) error { return a.u.Abort(ctx) }

// Commit stores what was written and joins it. Where nothing was, nothing is done.
func (a *appended) Commit(ctx context.Context) error {
	if a.size == 0 {
		return a.u.Abort(ctx)
	}
	err := a.u.Commit(ctx)
	if err == nil {
		err = a.join(ctx)
	}
	// What cannot be removed now is the janitor's.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.s.limits.cleanup)
	defer cancel()
	if derr := a.s.Delete(clean, a.scratch, ""); err != nil && derr != nil {
		err = errors.Join(err, derr)
	}
	return err
}

// join makes one object of the two, in the place of the first and with all that it
// had beside its bytes. The service compares the whole with the CRC32C.
func (a *appended) join(ctx context.Context) error {
	b := a.s.handle()
	is := storage.Conditions{GenerationMatch: a.old.Generation}
	size, sum := a.old.Size+a.size, combine(a.old.CRC32C, a.sum, a.size)
	c := b.Object(a.key).If(is).ComposerFrom(b.Object(a.key).If(is), b.Object(a.scratch))
	c.ObjectAttrs = storage.ObjectAttrs{
		ContentType: a.old.ContentType, ContentEncoding: a.old.ContentEncoding, ContentLanguage: a.old.ContentLanguage,
		ContentDisposition: a.old.ContentDisposition, CacheControl: a.old.CacheControl, Metadata: a.old.Metadata,
		StorageClass: a.old.StorageClass, CustomTime: a.old.CustomTime, CRC32C: sum,
	}
	c.SendCRC32C = true
	now, err := c.Run(ctx)
	if err != nil && ctx.Err() == nil {
		// The answer to an attempt that was carried out may have been lost: then the next one was refused.
		h := b.Object(a.key).Retryer(storage.WithMaxAttempts(3))
		if have, herr := h.Attrs(ctx); herr == nil && have.Generation != a.old.Generation && have.Size == size && have.CRC32C == sum {
			now, err = have, nil
		}
	}
	if err != nil {
		err = translate(ctx, "append", a.key, err)
		if status(err) == http.StatusNotFound {
			err = fmt.Errorf("%w: %w", vfs.ErrBusy, err) // removed by somebody
		}
		return err
	}
	a.receipt = object.Receipt{Version: strconv.FormatInt(now.Generation, 10), Checksum: fmt.Sprintf("crc32c:%08x", sum)}
	return nil
}

// Receipt implements [object.Receipter].
func (a *appended) Receipt() object.Receipt { return a.receipt }
