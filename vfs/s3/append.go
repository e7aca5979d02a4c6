package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

var _ object.Appender = (*Store)(nil)

// Append implements object.Appender. A head that is less than a part is read and sent again with what
// follows; a larger one is copied inside the server, as the first parts of a
// multipart upload, and where all parts have to be alike, the rest of it is read. Where the server copies no parts, all of it goes through
// this program, up to Options.AppendThrough.
func (s *Store) Append(ctx context.Context, key string, n int64, _ string) (object.Upload, int64, error) {
	if n < s.sizes.whole() { // or -1
		return s.appendSmall(ctx, key, n)
	}
	h, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, 0, translate(ctx, "head", key, err)
	}
	old, err := s.carriedOf(ctx, key, h)
	if err != nil {
		return nil, 0, err
	}
	return s.appendTo(ctx, key, old, n)
}

// appendSmall asks for what it needs if the head is small, and learns what it is if it is not.
func (s *Store) appendSmall(ctx context.Context, key string, n int64) (object.Upload, int64, error) {
	last := s.sizes.whole() - 1
	if n > 0 {
		last = n - 1
	}
	g, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: aws.String(fmt.Sprintf("bytes=0-%d", last))})
	if terr := translate(ctx, "get", key, err); errors.Is(terr, vfs.ErrBadOffset) {
		// An empty object has no byte 0.
		h, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
		if err != nil {
			return nil, 0, translate(ctx, "head", key, err)
		}
		old, err := s.carriedOf(ctx, key, h)
		if err != nil {
			return nil, 0, err
		}
		return s.appendTo(ctx, key, old, n)
	} else if terr != nil {
		return nil, 0, terr
	}
	defer g.Body.Close() // once more, perhaps
	size := aws.ToInt64(g.ContentLength)
	if g.ContentRange != nil { // a server may answer the range of a whole object with the object
		start, whole, ok := contentRange(*g.ContentRange)
		if !ok || start != 0 {
			return nil, 0, translate(ctx, "get", key, fmt.Errorf("asked for bytes 0-%d, got %q", last, *g.ContentRange))
		}
		size = whole
	}
	old, err := s.carriedOfGet(ctx, key, g, size)
	if err != nil {
		return nil, 0, err
	}
	if n < 0 {
		n = size
	}
	if n > size || n >= s.sizes.whole() {
		return s.appendTo(ctx, key, old, n)
	}
	u := s.replace(ctx, key, old, nil, n)
	return u, n, s.fill(ctx, u, g.Body, key, old.etag, 0, n)
}

// appendTo begins an upload behind the first n bytes (-1: all) of an object that is known.
func (s *Store) appendTo(ctx context.Context, key string, old *carried, n int64) (object.Upload, int64, error) {
	if n < 0 {
		n = old.size
	}
	switch {
	case n > old.size:
		return nil, 0, &storeError{"append", key, vfs.ErrBadOffset, fmt.Errorf("%d is behind the end at %d", n, old.size)}
	case n == 0:
		return s.replace(ctx, key, old, nil, 0), 0, nil
	case n < s.sizes.whole():
		u := s.replace(ctx, key, old, nil, n)
		return u, n, s.fill(ctx, u, nil, key, old.etag, 0, n)
	case s.profile.partCopy && s.o.AppendCopy > 0 && n > s.o.AppendCopy:
		return nil, 0, &storeError{"append", key, vfs.ErrTooLarge, fmt.Errorf("a head of %d bytes would have to be copied", n)}
	case s.profile.partCopy:
		head := s.spans(n)
		if len(head) > maxParts-2 {
			return nil, 0, &storeError{"append", key, vfs.ErrTooLarge, fmt.Errorf("a head of %d bytes has too many parts of one size", n)}
		}
		copied := head[len(head)-1].to
		u := s.replace(ctx, key, old, head, n-copied)
		return u, n, s.fill(ctx, u, nil, key, old.etag, copied, n)
	case n > s.o.AppendThrough:
		return nil, 0, &storeError{"append", key, vfs.ErrTooLarge, fmt.Errorf("a head of %d bytes, and the server copies no parts", n)}
	}
	u := s.replace(ctx, key, old, nil, 0)
	return object.Headed(ctx, u, func(ctx context.Context) (io.ReadCloser, error) {
		r, _, err := s.GetRange(ctx, key, old.etag, 0, n)
		return r, err
	}), n, nil
}

// replace begins an upload that takes the place of old, and gets its attributes. The ranges head are
// copied inside the server; the writing begins behind them, with again bytes of the old object.
func (s *Store) replace(ctx context.Context, key string, old *carried, head []span, again int64) object.Upload {
	k := &sink{s: s, key: key, o: object.PutOptions{IfMatch: old.etag}, old: old, head: head, again: again, after: len(head)}
	var n int64
	if len(head) > 0 {
		n = head[len(head)-1].to
	}
	return object.NewUpload(ctx, s.o.Budget, k, object.UploadOptions{
		FirstPart: s.sizes.whole(),
		PartSize:  func(offset int64) int64 { return s.sizes.at(n + offset) },
		Parallel:  s.o.Parallel,
		MaxParts:  maxParts - k.after,
	})
}

// fill writes a range of the object to u, and gives u up if it cannot. Body, if there is one, begins with the range.
func (s *Store) fill(ctx context.Context, u object.Upload, body io.ReadCloser, key, etag string, from, to int64) error {
	if from == to {
		return nil
	}
	d := &download{s: s, ctx: ctx, key: key, attrs: object.Attrs{ETag: etag}, off: from, end: to, body: body}
	defer d.Close()
	if _, err := io.Copy(u, d); err != nil {
		return errors.Join(err, s.giveUp(ctx, u))
	}
	return nil
}

func (s *Store) giveUp(ctx context.Context, u object.Upload) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.HeaderTimeout)
	defer cancel()
	return u.Abort(ctx)
}

// copyHead makes the first parts of the upload out of the object that it replaces.
func (k *sink) copyHead(ctx context.Context) error {
	parts, err := k.s.headParts(ctx, k.key, k.id, k.key, k.old.etag, k.head, 1)
	if errors.Is(err, vfs.ErrBadOffset) || errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", vfs.ErrBusy, err) // shorter than it was, or gone
	}
	if err == nil {
		k.first = parts
	}
	return err
}

// last ends an upload whose own bytes are no more than one part, behind the ones
// that the server has.
func (k *sink) last(ctx context.Context, body object.Body) (err error) {
	if k.old != nil && k.id == "" && body.Size() == k.again && k.head[len(k.head)-1].to+k.again == k.old.size {
		return nil // nothing was added: it is what it was
	}
	begun := k.id != ""
	if !begun {
		if err := k.Begin(ctx); err != nil {
			return err
		}
	}
	defer func() {
		if err == nil || begun {
			return
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.s.o.HeaderTimeout)
		defer cancel()
		err = errors.Join(err, k.Abort(clean))
	}()
	if body.Size() > 0 {
		err = k.Part(ctx, 1, body)
	} else if k.first == nil {
		err = k.copyHead(ctx)
	}
	if err != nil {
		return err
	}
	return k.Complete(ctx)
}
