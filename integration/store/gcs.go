package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

// GCS is a bucket.
type GCS struct{ Bucket *storage.BucketHandle }

// NewGCS returns the bucket of a server at an endpoint, without authentication.
// It reads through the JSON API: fake-gcs-server serves downloads of the other kind only under its public name.
func NewGCS(ctx context.Context, endpoint, bucket string) (*GCS, error) {
	c, err := storage.NewClient(ctx, option.WithEndpoint(endpoint+"/storage/v1/"), option.WithoutAuthentication(), storage.WithJSONReads())
	if err != nil {
		return nil, err
	}
	return &GCS{c.Bucket(bucket)}, nil
}

// Put implements Store.
func (g *GCS) Put(ctx context.Context, name string, data []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // gives the object up when Write has failed
	w := g.Bucket.Object(name).NewWriter(ctx)
	w.ChunkSize = 0
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Close()
}

// Get implements Store.
func (g *GCS) Get(ctx context.Context, name string) ([]byte, error) {
	r, err := g.Bucket.Object(name).NewReader(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Names implements Store.
func (g *GCS) Names(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	it := g.Bucket.Objects(ctx, &storage.Query{Prefix: prefix})
	for {
		a, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, a.Name)
	}
}

// Uploads implements Store; GCS has no request for it.
func (g *GCS) Uploads(context.Context) ([]string, error) { return nil, nil }

// Empty implements Emptier.
func (g *GCS) Empty(ctx context.Context) error {
	names, err := g.Names(ctx, "")
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := g.Bucket.Object(n).Delete(ctx); err != nil {
			return err
		}
	}
	return nil
}
