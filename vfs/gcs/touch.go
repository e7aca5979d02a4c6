package gcs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cloud.google.com/go/storage"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

var (
	_ object.Toucher  = (*Store)(nil)
	_ object.Digester = (*Store)(nil)
)

// Touch implements [object.Toucher] (objects.patch): the time goes into the metadata under the names of
// rclone and gsutil. The rest of the metadata and the content stay, and so does the generation.
func (s *Store) Touch(ctx context.Context, key string, t time.Time) error {
	if err := checkKey("touch", key); err != nil {
		return err
	}
	_, err := s.handle().Object(key).Update(ctx, storage.ObjectAttrsToUpdate{Metadata: map[string]string{
		object.MetaMtime:    t.UTC().Format(time.RFC3339Nano),
		object.MetaReserved: strconv.FormatInt(t.Unix(), 10),
	}})
	return translate(ctx, "touch", key, err)
}

// Digest implements [object.Digester] (objects.get): CRC32C, which each object has, and MD5, which a composed one has not.
// Those of an object stored with Content-Encoding gzip are of what is stored, which is what is delivered.
func (s *Store) Digest(ctx context.Context, key, algo string) ([]byte, error) {
	if err := checkKey("digest", key); err != nil {
		return nil, err
	}
	a, err := s.handle().Object(key).Attrs(ctx)
	if err != nil {
		return nil, translate(ctx, "digest", key, err)
	}
	switch {
	case algo == "CRC32C":
		return binary.BigEndian.AppendUint32(nil, a.CRC32C), nil
	case algo == "MD5" && len(a.MD5) == 16:
		return a.MD5, nil
	}
	return nil, fmt.Errorf("gcs: digest %q: %w: the service has no %s of it", key, errors.ErrUnsupported, algo)
}
