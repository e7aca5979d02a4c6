package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// directoryBucket is how the names of S3 Express One Zone's buckets end: the only ones that know RenameObject.
const directoryBucket = "--x-s3"

// encryption is how an object is encrypted at rest, as HeadObject tells it: CopyObject
// would take the bucket's default.
type encryption struct {
	sse       types.ServerSideEncryption
	key       *string
	bucketKey *bool
}

// Copy implements object.Store: CopyObject, which keeps metadata and tags, told to keep storage class and
// encryption too. An object that is too large for one request is copied in parts, and so is one that must not
// replace another where the server has that condition only for uploads. Where it has
// neither, or CopyOptions.Look is set, it is looked for just before.
func (s *Store) Copy(ctx context.Context, dst string, src object.Attrs, o object.CopyOptions) error {
	if src.ETag == "" {
		var err error
		if src, err = s.Head(ctx, src.Key); err != nil {
			return err
		}
	}
	if o.IfAbsent && !s.profile.condCopyDest && (o.Look || !(s.profile.partCopy && s.profile.condComplete)) {
		// The server knows the condition for no kind of copy, or not for the one that is wanted: it is looked for before.
		switch _, err := s.Head(ctx, dst); {
		case err == nil:
			return &storeError{"copy", dst, fs.ErrExist, errors.New("the object exists")}
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		o.IfAbsent = false
	}
	if src.Size > s.o.MaxCopy && !s.profile.partCopy {
		return &storeError{"copy", src.Key, vfs.ErrTooLarge, errors.New("the server cannot copy in parts")}
	}
	if src.Size > s.o.MaxCopy || o.IfAbsent && !s.profile.condCopyDest && s.profile.condComplete {
		if s.profile.partCopy {
			return s.copyParts(ctx, dst, src, o)
		}
		if src.Size > s.o.MaxCopy {
			return &storeError{"copy", src.Key, vfs.ErrTooLarge, errors.New("the server does not copy in parts")}
		}
	}
	in := &s3.CopyObjectInput{
		Bucket:            &s.bucket,
		Key:               &dst,
		CopySource:        s.copySource(src.Key),
		CopySourceIfMatch: &src.ETag,
		StorageClass:      types.StorageClass(src.Class),
	}
	if o.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	if e, ok := src.Sys.(encryption); ok {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = e.sse, e.key, e.bucketKey
	}
	ctx, attempts := countAttempts(ctx)
	_, err := s.client.CopyObject(ctx, in)
	switch {
	case err == nil:
		return s.copyACL(ctx, dst, src.Key)
	case code(err) == "InvalidRequest" || code(err) == "EntityTooLarge":
		if src.Size > s.sizes.least && s.profile.partCopy { // a server with a limit of its own
			return s.copyParts(ctx, dst, src, o)
		}
	case o.IfAbsent && code(err) == "PreconditionFailed":
		return s.whichCondition(ctx, dst, src, attempts.Load() > 1, err)
	}
	return translate(ctx, "copy", src.Key, err)
}

// whichCondition says which of a copy's two conditions did not hold. With a doubt,
// when an earlier attempt may have been carried out, a target like the source is ours.
func (s *Store) whichCondition(ctx context.Context, dst string, src object.Attrs, doubt bool, err error) error {
	terr := translate(ctx, "copy", src.Key, err)
	now, herr := s.Head(ctx, src.Key)
	if herr != nil || now.ETag != src.ETag {
		return terr
	}
	if doubt {
		if have, herr := s.Head(ctx, dst); herr == nil && have.Size == src.Size && have.ETag == src.ETag {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", fs.ErrExist, terr)
}

// copySource names an object as the source of a copy. An access point has another
// way to do so than a bucket.
func (s *Store) copySource(key string) *string {
	if strings.HasPrefix(s.bucket, "arn:") {
		return aws.String(escape(s.bucket + "/object/" + key))
	}
	return aws.String(escape(s.bucket + "/" + key))
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

// copyACL gives the copy the access control list of its source, where the bucket is said to have such lists: CopyObject does not.
func (s *Store) copyACL(ctx context.Context, dst, src string) error {
	if !s.o.KeepACL {
		return nil
	}
	acl, err := s.client.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: &s.bucket, Key: &src})
	if err == nil {
		_, err = s.client.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: &s.bucket, Key: &dst,
			AccessControlPolicy: &types.AccessControlPolicy{Grants: acl.Grants, Owner: acl.Owner}})
	}
	return translate(ctx, "copy access control list", src, err)
}

// Move implements object.Mover: RenameObject, which only directory buckets know.
func (s *Store) Move(ctx context.Context, dst string, src object.Attrs, o object.CopyOptions) error {
	if !strings.HasSuffix(s.bucket, directoryBucket) {
		return errors.ErrUnsupported
	}
	in := &s3.RenameObjectInput{
		Bucket:       &s.bucket,
		Key:          &dst,
		RenameSource: s.copySource(src.Key),
	}
	if src.ETag != "" {
		in.SourceIfMatch = &src.ETag
	}
	if o.IfAbsent {
		in.DestinationIfNoneMatch = aws.String("*")
	}
	// A client token, which the SDK makes, lets the service recognise an attempt that it has already carried out.
	_, err := s.client.RenameObject(ctx, in)
	if o.IfAbsent && code(err) == "PreconditionFailed" {
		return s.whichCondition(ctx, dst, src, false, err)
	}
	return translate(ctx, "rename", src.Key, err)
}

// Delete implements object.Store: DeleteObject. In a bucket with versions it
// leaves a delete marker.
func (s *Store) Delete(ctx context.Context, key, etag string) error {
	in := &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key}
	if etag != "" && s.profile.condDelete {
		in.IfMatch = &etag
	} else if etag != "" {
		a, err := s.Head(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && a.ETag != etag {
			err = &storeError{"delete", key, vfs.ErrBusy, errors.New("another object has the key by now")}
		}
		if err != nil {
			return err
		}
	}
	_, err := s.client.DeleteObject(ctx, in)
	err = translate(ctx, "delete", key, err)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // some servers say so
	}
	return err
}

// DeleteAll implements object.BatchDeleter: DeleteObjects. Servers that cannot compare remove
// what the listing just before has seen.
func (s *Store) DeleteAll(ctx context.Context, objects []object.Attrs) error {
	if !s.profile.batchDelete {
		var first error
		for _, a := range objects {
			if err := s.Delete(ctx, a.Key, a.ETag); first == nil {
				first = err
			}
		}
		return first
	}
	ids := make([]types.ObjectIdentifier, len(objects))
	for i, a := range objects {
		ids[i].Key = &a.Key
		if s.profile.condDelete && a.ETag != "" {
			ids[i].ETag = &a.ETag
		}
	}
	out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &s.bucket,
		Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return translate(ctx, "delete objects", objects[0].Key, err)
	}
	for _, e := range out.Errors {
		kind, ok := codes[aws.ToString(e.Code)]
		if !ok {
			kind = vfs.ErrUnavailable
		}
		if !errors.Is(kind, fs.ErrNotExist) {
			return &storeError{"delete objects", aws.ToString(e.Key), kind, fmt.Errorf("%s: %s", aws.ToString(e.Code), aws.ToString(e.Message))}
		}
	}
	return nil
}
