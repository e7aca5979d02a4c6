package object

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// digests are what is asked for to compare two objects: what some store keeps of all it has copied.
var digests = [...]string{"CRC32", "CRC32C", "MD5"}

// sameContent reports whether two objects have the same bytes: by their ETags, by digests that the store keeps, or where
// it has none of both, as of an object that was uploaded in parts and its copy in one, by reading them.
func (t *tree) sameContent(ctx context.Context, a, b Attrs) (bool, error) {
	switch {
	case a.Size != b.Size:
		return false, nil
	case a.Size == 0 || a.ETag != "" && a.ETag == b.ETag:
		return true, nil
	}
	if d, ok := t.store.(Digester); ok {
		for _, algo := range digests {
			sum, err := d.Digest(ctx, a.Key, algo)
			if err == nil {
				var other []byte
				if other, err = d.Digest(ctx, b.Key, algo); err == nil {
					return bytes.Equal(sum, other), nil
				}
			}
			if !errors.Is(err, errors.ErrUnsupported) {
				return false, err
			}
		}
	}
	return t.sameBytes(ctx, a, b)
}

func (t *tree) sameBytes(ctx context.Context, a, b Attrs) (bool, error) {
	ra, _, err := t.store.GetRange(ctx, a.Key, a.ETag, 0, a.Size)
	if err != nil {
		return false, err
	}
	defer ra.Close()
	rb, _, err := t.store.GetRange(ctx, b.Key, b.ETag, 0, b.Size)
	if err != nil {
		return false, err
	}
	defer rb.Close()
	var ba, bb [32 << 10]byte
	for left := a.Size; left > 0; {
		n := min(left, int64(len(ba)))
		if _, err := io.ReadFull(ra, ba[:n]); err != nil {
			return false, errors.Join(err, vfs.ErrUnavailable)
		}
		if _, err := io.ReadFull(rb, bb[:n]); err != nil {
			return false, errors.Join(err, vfs.ErrUnavailable)
		}
		if !bytes.Equal(ba[:n], bb[:n]) {
			return false, nil
		}
		left -= n
	}
	return true, nil
}
