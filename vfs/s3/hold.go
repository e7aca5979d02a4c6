package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

var _ object.Holder = (*Store)(nil)

// Holds implements object.Holder. Directory buckets rename in one step, without a copy.
func (s *Store) Holds() bool { return !strings.HasSuffix(s.bucket, directoryBucket) }

// PutHeld implements object.Holder: a multipart upload, also of a small file, that is not completed.
func (s *Store) PutHeld(ctx context.Context, key string, o object.PutOptions, held func(context.Context, string, []object.Part) error) (object.Upload, error) {
	return object.NewUpload(ctx, s.o.Budget, &sink{s: s, key: key, o: o, held: held}, object.UploadOptions{
		FirstPart: s.sizes.at(0),
		PartSize:  s.sizes.at,
		Parallel:  s.o.Parallel,
		MaxParts:  maxParts,
		Begun:     true, // so that one that fails in its only part is aborted too
	}), nil
}

// holdSingle stores the only part of an upload that is held.
func (k *sink) holdSingle(ctx context.Context, body object.Body) error {
	if err := k.Begin(ctx); err != nil {
		return err
	}
	if err := k.Part(ctx, 1, body); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.hold(ctx)
}

// hold ends an upload whose parts the server has. It stays there, and is one of this process until somebody can find it.
func (k *sink) hold(ctx context.Context) error {
	var sum uint32
	parts := make([]object.Part, len(k.parts))
	for i, p := range k.parts {
		sum = combine(sum, p.sum, p.size)
		parts[i] = object.Part{Number: p.number, Size: p.size, ETag: p.etag, Sum: p.sum, Summed: p.summed}
	}
	if err := k.held(ctx, k.id, parts); err != nil {
		if errors.Is(err, object.ErrInDoubt) {
			k.over()
			k.id = "" // nothing to abort
		}
		return err
	}
	k.stored(nil, sum, true)
	k.over()
	return nil
}

// Publish implements object.Holder (CompleteMultipartUpload).
func (s *Store) Publish(ctx context.Context, key, id string, parts []object.Part, o object.PutOptions) (string, error) {
	k := &sink{s: s, key: key, o: o, id: id}
	for _, p := range parts {
		k.first = append(k.first, part{p.Number, p.ETag, p.Sum, p.Summed, p.Size})
	}
	k.begin(id) // the janitor leaves it alone
	defer k.over()
	err := k.Complete(ctx)
	if errors.Is(err, fs.ErrExist) {
		err = k.earlier(ctx, err)
	}
	if errors.Is(err, errNoSuchUpload) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return k.etag, err
}

// earlier looks whether the object that must not be replaced is this upload's own, of an earlier call whose answer was lost: then
// there is no such upload any more.
func (k *sink) earlier(ctx context.Context, refused error) error {
	_, err := k.s.Parts(ctx, k.key, k.id)
	if !errors.Is(err, errNoSuchUpload) {
		return refused
	}
	all, size, sum, summed := k.whole()
	if same, lerr := k.same(ctx, size, sum, summed, etagOf(all)); same || lerr != nil {
		return lerr
	}
	return err
}
