package s3

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// Head implements object.Store: HeadObject.
func (s *Store) Head(ctx context.Context, key string) (object.Attrs, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return object.Attrs{}, translate(ctx, "head", key, err)
	}
	return object.Attrs{
		Key:     key,
		Size:    aws.ToInt64(out.ContentLength),
		ModTime: modTime(out.LastModified, out.Metadata),
		Stored:  aws.ToTime(out.LastModified),
		ETag:    aws.ToString(out.ETag),
		Class:   string(out.StorageClass),
		Sys:     encryption{out.ServerSideEncryption, out.SSEKMSKeyId, out.BucketKeyEnabled},
	}, nil
}

// modTime is the time that somebody has kept with the object, or that of the upload. A listing has only the latter.
func modTime(stored *time.Time, metadata map[string]string) time.Time {
	if t, ok := object.ModTime(metadata); ok {
		return t
	}
	return aws.ToTime(stored)
}

// List implements object.Store: ListObjectsV2 with the delimiter "/".
func (s *Store) List(ctx context.Context, prefix, token string, max int) (object.Page, error) {
	return s.list(ctx, prefix, token, max, aws.String("/"))
}

// ListAll implements object.Store: ListObjectsV2 without a delimiter.
func (s *Store) ListAll(ctx context.Context, prefix, token string, max int) (object.Page, error) {
	return s.list(ctx, prefix, token, max, nil)
}

func (s *Store) list(ctx context.Context, prefix, token string, max int, delimiter *string) (object.Page, error) {
	in := &s3.ListObjectsV2Input{
		Bucket:    &s.bucket,
		Prefix:    &prefix,
		Delimiter: delimiter,
		MaxKeys:   aws.Int32(int32(max)),
	}
	if token != "" {
		in.ContinuationToken = &token
	}
	if s.profile.encodeList {
		in.EncodingType = types.EncodingTypeUrl
	}
	out, err := s.client.ListObjectsV2(ctx, in)
	if err != nil {
		terr := translate(ctx, "list", prefix, err)
		if errors.Is(terr, fs.ErrNotExist) { // of a prefix nobody can say that
			terr = &storeError{"list", prefix, ErrNoSuchBucket, err}
		}
		return object.Page{}, terr
	}
	decode := func(s string) (string, error) { return s, nil }
	if out.EncodingType == types.EncodingTypeUrl {
		decode = url.QueryUnescape
	}
	p := object.Page{
		Objects:  make([]object.Attrs, len(out.Contents)),
		Prefixes: make([]string, len(out.CommonPrefixes)),
	}
	for i, o := range out.Contents {
		key, err := decode(aws.ToString(o.Key))
		if err != nil {
			return p, translate(ctx, "list", prefix, err)
		}
		p.Objects[i] = object.Attrs{Key: key, Size: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified), Stored: aws.ToTime(o.LastModified),
			ETag: aws.ToString(o.ETag), Class: string(o.StorageClass)}
	}
	for i, c := range out.CommonPrefixes {
		if p.Prefixes[i], err = decode(aws.ToString(c.Prefix)); err != nil {
			return p, translate(ctx, "list", prefix, err)
		}
	}
	if aws.ToBool(out.IsTruncated) {
		p.Next = aws.ToString(out.NextContinuationToken)
	}
	return p, nil
}

// Get implements object.Store: GetObject. A body that breaks is continued
// where it broke, as long as it is the same object.
func (s *Store) Get(ctx context.Context, key string, off int64) (io.ReadCloser, object.Attrs, error) {
	return s.get(ctx, &download{s: s, ctx: ctx, key: key, off: off, end: -1})
}

// GetRange implements object.Store: GetObject with a Range, and If-Match where there is an ETag.
func (s *Store) GetRange(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, object.Attrs, error) {
	return s.get(ctx, &download{s: s, ctx: ctx, key: key, attrs: object.Attrs{ETag: etag}, off: off, end: off + n})
}

func (s *Store) get(ctx context.Context, d *download) (io.ReadCloser, object.Attrs, error) {
	err := d.open()
	if errors.Is(err, vfs.ErrBadOffset) {
		// Behind the last byte, or right at it, as in an empty object? Only the size tells.
		a, herr := s.Head(ctx, d.key)
		switch {
		case herr != nil:
			return nil, object.Attrs{}, herr
		case a.Size == d.off && (d.attrs.ETag == "" || d.attrs.ETag == a.ETag):
			return io.NopCloser(strings.NewReader("")), a, nil
		case a.Size < d.off:
			return nil, object.Attrs{}, err
		}
		err = d.open() // it has grown between the two requests
	}
	if err != nil {
		return nil, object.Attrs{}, err
	}
	return d, d.attrs, nil
}
