package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

const (
	// copyParallel is how many parts of a copy are under way at once. The bytes do not pass through here.
	copyParallel = 8
	// copyAbort bounds the cleaning up behind a copy that failed.
	copyAbort = 30 * time.Second
)

// copyParts makes a copy as a multipart upload whose parts are ranges of the
// source, all pinned to its ETag. What CopyObject would have kept
// is read from the source and given to the upload.
func (s *Store) copyParts(ctx context.Context, dst string, src object.Attrs, o object.CopyOptions) error {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &src.Key,
		IfMatch: &src.ETag, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return translate(ctx, "copy", src.Key, err)
	}
	var tags *string
	if aws.ToInt32(head.TagCount) > 0 {
		if tags, err = s.tags(ctx, src.Key); err != nil {
			return err
		}
	}
	if aws.ToInt64(head.ContentLength) == 0 {
		if err := s.copyEmpty(ctx, dst, head, tags, o); err != nil {
			return err
		}
		return s.copyACL(ctx, dst, src.Key)
	}
	c := &partCopy{s: s, dst: dst, src: src, o: o, size: aws.ToInt64(head.ContentLength)}
	in := &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: &dst, Tagging: tags,
		CacheControl: head.CacheControl, ContentDisposition: head.ContentDisposition, ContentEncoding: head.ContentEncoding,
		ContentLanguage: head.ContentLanguage, ContentType: head.ContentType, Expires: expires(head), Metadata: head.Metadata,
		StorageClass: head.StorageClass, ServerSideEncryption: head.ServerSideEncryption, SSEKMSKeyId: head.SSEKMSKeyId,
		BucketKeyEnabled: head.BucketKeyEnabled, WebsiteRedirectLocation: head.WebsiteRedirectLocation,
	}
	if s.profile.crc32 && s.profile.partCopyChecksum && head.ChecksumCRC32 != nil && head.ChecksumType != types.ChecksumTypeComposite {
		c.sum = head.ChecksumCRC32
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc32, types.ChecksumTypeFullObject
	}
	out, err := s.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return translate(ctx, "begin copy", dst, err)
	}
	c.id = aws.ToString(out.UploadId)
	s.mu.Lock()
	s.active[c.id] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.active, c.id)
		s.mu.Unlock()
	}()
	if err = c.copyAll(ctx); err == nil {
		err = c.complete(ctx)
	}
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), copyAbort)
		defer cancel()
		return errors.Join(err, s.abort(clean, dst, c.id))
	}
	return s.copyACL(ctx, dst, src.Key)
}

// expires reads the header that the SDK gives as text, since some objects have nonsense there.
func expires(head *s3.HeadObjectOutput) *time.Time {
	t, err := http.ParseTime(aws.ToString(head.ExpiresString))
	if err != nil {
		return nil
	}
	return &t
}

// tags returns an object's tags as an upload wants them.
func (s *Store) tags(ctx context.Context, key string) (*string, error) {
	out, err := s.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, translate(ctx, "get tags", key, err)
	}
	v := url.Values{}
	for _, t := range out.TagSet {
		v.Set(aws.ToString(t.Key), aws.ToString(t.Value))
	}
	return aws.String(v.Encode()), nil
}

// copyEmpty stores an empty object with the metadata of another: there is no range of it that could be a part.
func (s *Store) copyEmpty(ctx context.Context, dst string, head *s3.HeadObjectOutput, tags *string, o object.CopyOptions) error {
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &dst, Tagging: tags, ContentLength: aws.Int64(0),
		CacheControl: head.CacheControl, ContentDisposition: head.ContentDisposition, ContentEncoding: head.ContentEncoding,
		ContentLanguage: head.ContentLanguage, ContentType: head.ContentType, Expires: expires(head), Metadata: head.Metadata,
		StorageClass: head.StorageClass, ServerSideEncryption: head.ServerSideEncryption, SSEKMSKeyId: head.SSEKMSKeyId,
		BucketKeyEnabled: head.BucketKeyEnabled, WebsiteRedirectLocation: head.WebsiteRedirectLocation,
	}
	if o.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	if s.profile.crc32 {
		in.ChecksumCRC32 = crc(0)
	}
	_, err := s.client.PutObject(ctx, in)
	terr := translate(ctx, "copy", dst, err)
	if o.IfAbsent && code(err) == "PreconditionFailed" {
		return fmt.Errorf("%w: %w", fs.ErrExist, terr)
	}
	return terr
}

// partCopy is a copy in parts under way.
type partCopy struct {
	s    *Store
	dst  string
	src  object.Attrs
	o    object.CopyOptions
	size int64
	id   string
	sum  *string // CRC32 of the whole, nil where it is not known or not wanted

	mu    sync.Mutex
	parts []types.CompletedPart
	err   error
}

// copyAll copies all ranges, some at once. Its goroutines end with the last one, or soon after the first failure.
func (c *partCopy) copyAll(ctx context.Context) error {
	part := max(c.s.o.CopyPart, (c.size+maxParts-1)/maxParts)
	n := int((c.size + part - 1) / part)
	if n > 1 && c.size-int64(n-1)*part < c.s.sizes.least && part+c.s.sizes.least <= maxPart && !c.s.profile.uniformParts {
		n-- // what is left goes with the part before: some servers refuse a small copy
	}
	c.parts = make([]types.CompletedPart, n)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(copyParallel, n) {
		wg.Go(func() {
			for i := range next {
				last := int64(i+1)*part - 1
				if i == n-1 {
					last = c.size - 1
				}
				if err := c.copyPart(ctx, i, int64(i)*part, last); err != nil {
					c.mu.Lock()
					if c.err == nil {
						c.err = err
					}
					c.mu.Unlock()
					cancel(err)
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	if c.err == nil && ctx.Err() != nil {
		c.err = context.Cause(ctx)
	}
	return c.err
}

func (c *partCopy) copyPart(ctx context.Context, i int, first, last int64) error {
	out, err := c.s.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket:            &c.s.bucket,
		Key:               &c.dst,
		UploadId:          &c.id,
		PartNumber:        aws.Int32(int32(i + 1)),
		CopySource:        c.s.copySource(c.src.Key),
		CopySourceIfMatch: &c.src.ETag,
		CopySourceRange:   aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
	})
	if err != nil {
		return translate(ctx, "copy part", c.src.Key, err)
	}
	c.parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.CopyPartResult.ETag}
	if c.sum != nil {
		c.parts[i].ChecksumCRC32 = out.CopyPartResult.ChecksumCRC32
	}
	return nil
}

// complete makes the copy visible. When the answer was lost, the object itself is asked.
func (c *partCopy) complete(ctx context.Context) error {
	in := &s3.CompleteMultipartUploadInput{
		Bucket:          &c.s.bucket,
		Key:             &c.dst,
		UploadId:        &c.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: c.parts},
	}
	if c.o.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	if c.sum != nil {
		in.ChecksumCRC32, in.ChecksumType, in.MpuObjectSize = c.sum, types.ChecksumTypeFullObject, &c.size
	}
	_, err := c.s.client.CompleteMultipartUpload(ctx, in)
	if err == nil {
		return nil
	}
	terr := translate(ctx, "complete copy", c.dst, err)
	switch {
	case errors.Is(terr, vfs.ErrUnavailable): // no such upload is one of them
		// Completed by an attempt whose answer was lost, or taken away by somebody. Younger
		// than the source by its time, and as long: ours.
		if a, herr := c.s.Head(ctx, c.dst); herr == nil && a.Size == c.size && !a.ModTime.Before(c.src.ModTime) && c.ours(a.ETag) {
			return nil
		}
	case c.o.IfAbsent && code(err) == "PreconditionFailed":
		return fmt.Errorf("%w: %w", fs.ErrExist, terr)
	}
	return terr
}

// ours reports whether the ETag is that of an object of these parts.
func (c *partCopy) ours(etag string) bool {
	parts := make([]part, len(c.parts))
	for i, p := range c.parts {
		parts[i].etag = aws.ToString(p.ETag)
	}
	want := etagOf(parts)
	return want != "" && want == etag
}
