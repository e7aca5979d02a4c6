package s3

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

var _ object.Continuer = (*Store)(nil)

// PutParkable implements object.Continuer: the id is that of the multipart upload.
func (s *Store) PutParkable(ctx context.Context, key, _ string, o object.PutOptions, begun func(context.Context, string) error) (object.Upload, error) {
	return s.parkable(ctx, &sink{s: s, key: key, o: o, begun: begun}, 0, s.sizes), nil
}

// Continue implements object.Continuer.
func (s *Store) Continue(ctx context.Context, key, id string, parts []object.Part, last int, o object.PutOptions) (object.Upload, error) {
	k := &sink{s: s, key: key, o: o, id: id, after: last}
	var size int64
	for _, p := range parts {
		k.first = append(k.first, part{p.Number, p.ETag, p.Sum, p.Summed, p.Size})
		size += p.Size
	}
	z := s.sizes
	if z.uniform > 0 && len(parts) > 0 {
		// As long as those of the process that has begun it, whatever its settings were.
		z.uniform = max(parts[0].Size, z.least)
		if err := s.o.Budget.Fits(z.uniform); err != nil {
			return nil, &storeError{"continue", key, vfs.ErrBadOffset, err}
		}
	}
	k.begin(id)
	return s.parkable(ctx, k, size, z), nil
}

// parkable begins an upload behind so many bytes that the server has.
func (s *Store) parkable(ctx context.Context, k *sink, before int64, z sizes) object.Upload {
	return object.NewUpload(ctx, s.o.Budget, k, object.UploadOptions{
		FirstPart: max(z.whole(), z.at(before)),
		PartSize:  func(offset int64) int64 { return z.at(before + offset) },
		Parallel:  s.o.Parallel,
		MaxParts:  maxParts - k.after,
		Parkable:  true,
		Begun:     k.id != "",
	})
}

// Leave implements object.Leaver: the upload is no longer one of this process, and stays.
func (k *sink) Leave() { k.over() }

// Parts implements object.Continuer (ListParts).
func (s *Store) Parts(ctx context.Context, key, id string) ([]object.Part, error) {
	in := &s3.ListPartsInput{Bucket: &s.bucket, Key: &key, UploadId: &id}
	var list []object.Part
	for {
		out, err := s.client.ListParts(ctx, in)
		if err != nil {
			err = translate(ctx, "list parts", key, err)
			if errors.Is(err, errNoSuchUpload) {
				err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
			}
			return nil, err
		}
		for _, p := range out.Parts {
			part := object.Part{Number: int(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size), ETag: aws.ToString(p.ETag)}
			part.Sum, part.Summed = parseCRC(aws.ToString(p.ChecksumCRC32))
			list = append(list, part)
		}
		next := aws.ToString(out.NextPartNumberMarker)
		if !aws.ToBool(out.IsTruncated) || next == "" || next == aws.ToString(in.PartNumberMarker) {
			return list, nil
		}
		in.PartNumberMarker = &next
	}
}

// Forget implements object.Continuer (AbortMultipartUpload).
func (s *Store) Forget(ctx context.Context, key, id string) error { return s.abort(ctx, key, id) }

// Save implements object.Continuer (PutObject).
func (s *Store) Save(ctx context.Context, key string, body object.Body, o object.PutOptions) (string, error) {
	k := &sink{s: s, key: key, o: o}
	err := k.Single(ctx, body)
	return k.etag, err
}

// Sums implements object.Continuer.
func (s *Store) Sums() *crc32.Table { return crc32.IEEETable }
