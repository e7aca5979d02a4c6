package gcs

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"cloud.google.com/go/storage"
)

// Copy implements [object.Store] (objects.rewrite, repeated by the SDK until
// the service says that all is copied). The new object has the old one's
// metadata, and appears when it is whole.
func (s *Store) Copy(ctx context.Context, dst, src string) error {
	for _, key := range []string{dst, src} {
		if err := checkKey("copy", key); err != nil {
			return err
		}
	}
	b := s.handle()
	_, err := b.Object(dst).CopierFrom(b.Object(src)).Run(ctx)
	return translate(ctx, "copy", src, err)
}

// Delete implements [object.Store] (objects.delete).
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey("delete", key); err != nil {
		return err
	}
	err := s.handle().Object(key).Delete(ctx)
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
