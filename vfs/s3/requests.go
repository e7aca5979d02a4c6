package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"

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
		ModTime: aws.ToTime(out.LastModified),
		ETag:    aws.ToString(out.ETag),
	}, nil
}

// List implements object.Store: ListObjectsV2 with the delimiter "/".
func (s *Store) List(ctx context.Context, prefix, token string, max int) (object.Page, error) {
	in := &s3.ListObjectsV2Input{
		Bucket:    &s.bucket,
		Prefix:    &prefix,
		Delimiter: aws.String("/"),
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
		p.Objects[i] = object.Attrs{Key: key, Size: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified), ETag: aws.ToString(o.ETag)}
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

// Copy implements object.Store: CopyObject, which keeps all metadata. An object
// above 5 GB gives vfs.ErrTooLarge.
func (s *Store) Copy(ctx context.Context, dst, src string) error {
	_, err := s.client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket:     &s.bucket,
		Key:        &dst,
		CopySource: aws.String(s.source(src)),
	})
	if err == nil {
		return nil
	}
	if code(err) == "InvalidRequest" || code(err) == "EntityTooLarge" {
		if a, herr := s.Head(ctx, src); herr == nil && a.Size > maxCopy {
			return &storeError{"copy", src, vfs.ErrTooLarge, err}
		}
	}
	return translate(ctx, "copy", src, err)
}

// source names an object as the source of a copy. An access point has another
// way to do so than a bucket.
func (s *Store) source(key string) string {
	if strings.HasPrefix(s.bucket, "arn:") {
		return escape(s.bucket + "/object/" + key)
	}
	return escape(s.bucket + "/" + key)
}

// escape encodes the source of a copy. The server decodes it as it does a
// query, so "+" has to be encoded too.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Delete implements object.Store: DeleteObject. In a bucket with versions it
// leaves a delete marker.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	err = translate(ctx, "delete", key, err)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // some servers say so
	}
	return err
}
