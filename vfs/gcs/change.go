package gcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"

	"cloud.google.com/go/storage"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// generation reads an ETag of this store; 0 is none.
func generation(etag string) (int64, error) {
	if etag == "" {
		return 0, nil
	}
	return strconv.ParseInt(etag, 10, 64)
}

// ends checks both keys of a copy and returns the source with the precondition that
// it is still what was seen, and the generation.
func (s *Store) ends(op, dst string, src object.Attrs) (*storage.ObjectHandle, int64, error) {
	for _, key := range []string{dst, src.Key} {
		if err := checkKey(op, key); err != nil {
			return nil, 0, err
		}
	}
	g, err := generation(src.ETag)
	if err != nil {
		return nil, 0, fmt.Errorf("gcs: %s %q: %w", op, src.Key, err)
	}
	from := s.handle().Object(src.Key)
	if g != 0 {
		from = from.If(storage.Conditions{GenerationMatch: g})
	}
	return from, g, nil
}

// Copy implements [object.Store] (objects.rewrite, repeated by the SDK until
// the service says that all is copied). The new object has the old one's
// metadata and storage class, and appears when it is whole.
func (s *Store) Copy(ctx context.Context, dst string, src object.Attrs, o object.CopyOptions) error {
	from, _, err := s.ends("copy", dst, src)
	if err != nil {
		return err
	}
	to := s.handle().Object(dst)
	if o.IfAbsent {
		to = to.If(storage.Conditions{DoesNotExist: true})
	}
	_, err = to.CopierFrom(from).Run(ctx)
	return s.condition(ctx, "copy", dst, src, o, err)
}

// condition says which of two preconditions did not hold: only where the target must be
// absent there are two.
func (s *Store) condition(ctx context.Context, op, dst string, src object.Attrs, o object.CopyOptions, err error) error {
	terr := translate(ctx, op, src.Key, err)
	if err == nil || !o.IfAbsent || status(err) != http.StatusPreconditionFailed {
		return terr
	}
	if _, herr := s.Head(ctx, dst); herr == nil {
		return fmt.Errorf("%w: %w", fs.ErrExist, terr)
	}
	return terr
}

// Delete implements [object.Store] (objects.delete).
func (s *Store) Delete(ctx context.Context, key, etag string) error {
	if err := checkKey("delete", key); err != nil {
		return err
	}
	g, err := generation(etag)
	if err != nil {
		return fmt.Errorf("gcs: delete %q: %w", key, err)
	}
	o := s.handle().Object(key)
	if g != 0 {
		// Not the generation as a part of the name: in a bucket with versions that would remove
		// the version itself instead of making it an old one.
		o = o.If(storage.Conditions{GenerationMatch: g})
	}
	err = o.Delete(ctx)
	if err = translate(ctx, "delete", key, err); err == nil || errors.Is(err, ErrNoSuchBucket) {
		return err
	}
	if status(err) == http.StatusNotFound || errors.Is(err, storage.ErrObjectNotExist) {
		return nil
	}
	return err
}

// discard removes exactly the generation that a request of ours has made.
func (s *Store) discard(ctx context.Context, key, generation string) error {
	g, err := strconv.ParseInt(generation, 10, 64)
	if err != nil {
		return err
	}
	return translate(ctx, "delete", key, s.handle().Object(key).Generation(g).Delete(ctx))
}

// Move implements [object.Mover] (objects.move): one step, without a copy of the bytes. A bucket or server
// that does not know it is asked once.
func (s *Store) Move(ctx context.Context, dst string, src object.Attrs, o object.CopyOptions) error {
	if s.noMove.Load() {
		return errors.ErrUnsupported
	}
	from, g, err := s.ends("move", dst, src)
	if err != nil {
		return err
	}
	to := storage.MoveObjectDestination{Object: dst}
	if o.IfAbsent {
		to.Conditions = &storage.Conditions{DoesNotExist: true}
	}
	attempts := 0
	_, err = from.Retryer(storage.WithErrorFunc(func(err error) bool {
		attempts++
		return retryable(err)
	})).Move(ctx, to)
	switch {
	case err == nil:
		return nil
	case unknownMethod(err):
		s.noMove.Store(true)
		return errors.ErrUnsupported
	case attempts > 1 && g != 0 && s.moved(ctx, dst, src):
		return nil // an earlier attempt did it, and its answer was lost
	case status(err) == http.StatusBadRequest:
		return errors.ErrUnsupported // this object, or a server that takes it for another request; the copy will tell
	case status(err) == http.StatusNotFound:
		// An object that is not there, or a server that does not know the path?
		if _, herr := s.Head(ctx, src.Key); herr == nil {
			s.noMove.Store(true)
			return errors.ErrUnsupported
		}
	}
	return s.condition(ctx, "move", dst, src, o, err)
}

// unknownMethod reports whether the server does not know what it was asked to do.
func unknownMethod(err error) bool {
	return status(err) == http.StatusMethodNotAllowed || status(err) == http.StatusNotImplemented
}

// moved reports whether the source is gone and the target is what the source was, by size and checksum.
func (s *Store) moved(ctx context.Context, dst string, src object.Attrs) bool {
	sum, ok := src.Sys.(checksum)
	if _, err := s.Head(ctx, src.Key); !errors.Is(err, fs.ErrNotExist) || !ok {
		return false
	}
	have, err := s.Head(ctx, dst)
	return err == nil && have.Size == src.Size && have.Sys == sum
}
