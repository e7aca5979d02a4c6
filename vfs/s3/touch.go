package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

var (
	_ object.Toucher  = (*Store)(nil)
	_ object.Digester = (*Store)(nil)
)

// Touch implements object.Toucher where Options.TouchByCopy allows it: S3 changes the metadata of no
// object. The object is copied onto itself with all that a copy with new metadata would forget. What cannot be
// copied with one request is errors.ErrUnsupported.
func (s *Store) Touch(ctx context.Context, key string, t time.Time) error {
	if !s.o.TouchByCopy {
		return &storeError{"touch", key, errors.ErrUnsupported, errors.New("it would need a copy of the object")}
	}
	h, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return translate(ctx, "head", key, err)
	}
	if aws.ToInt64(h.ContentLength) > s.o.MaxCopy {
		return &storeError{"touch", key, errors.ErrUnsupported, fmt.Errorf("%d bytes cannot be copied at once", *h.ContentLength)}
	}
	metadata := map[string]string{}
	maps.Copy(metadata, object.WithoutModTime(h.Metadata))
	metadata[object.MetaMtime] = object.FormatModTime(t)
	in := &s3.CopyObjectInput{
		Bucket: &s.bucket, Key: &key, CopySource: s.copySource(key), CopySourceIfMatch: h.ETag,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: metadata, TaggingDirective: types.TaggingDirectiveCopy,
		CacheControl: h.CacheControl, ContentDisposition: h.ContentDisposition, ContentEncoding: h.ContentEncoding,
		ContentLanguage: h.ContentLanguage, ContentType: h.ContentType, Expires: expires(h), StorageClass: h.StorageClass,
		ServerSideEncryption: h.ServerSideEncryption, SSEKMSKeyId: h.SSEKMSKeyId, BucketKeyEnabled: h.BucketKeyEnabled,
		WebsiteRedirectLocation: h.WebsiteRedirectLocation, ObjectLockLegalHoldStatus: h.ObjectLockLegalHoldStatus,
		ObjectLockMode: h.ObjectLockMode, ObjectLockRetainUntilDate: h.ObjectLockRetainUntilDate,
	}
	if s.profile.condCopyDest {
		in.IfMatch = h.ETag
	}
	var acl *s3.GetObjectAclOutput
	if s.o.KeepACL {
		if acl, err = s.client.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: &s.bucket, Key: &key}); err != nil {
			return translate(ctx, "get access control list", key, err)
		}
	}
	if _, err := s.client.CopyObject(ctx, in); err != nil {
		return translate(ctx, "touch", key, err)
	}
	if acl != nil {
		_, err = s.client.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: &s.bucket, Key: &key,
			AccessControlPolicy: &types.AccessControlPolicy{Grants: acl.Grants, Owner: acl.Owner}})
	}
	return translate(ctx, "put access control list", key, err)
}

// Digest implements object.Digester with one HeadObject: the checksums of whole objects that
// the server keeps, and the ETag where that is an MD5.
func (s *Store) Digest(ctx context.Context, key, algo string) ([]byte, error) {
	h, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return nil, translate(ctx, "head", key, err)
	}
	if sum, ok := s.digestOf(h, algo); ok {
		return sum, nil
	}
	return nil, &storeError{"digest", key, errors.ErrUnsupported, fmt.Errorf("the server has no %s of it", algo)}
}

// digestOf finds a digest in what HeadObject tells.
func (s *Store) digestOf(h *s3.HeadObjectOutput, algo string) ([]byte, bool) {
	d, ok := map[string]struct {
		sum  *string
		size int
	}{
		"CRC32":   {h.ChecksumCRC32, 4},
		"CRC32C":  {h.ChecksumCRC32C, 4},
		"SHA-1":   {h.ChecksumSHA1, 20},
		"SHA-256": {h.ChecksumSHA256, 32},
		"SHA-512": {h.ChecksumSHA512, 64},
		"MD5":     {h.ChecksumMD5, 16},
	}[algo]
	if ok && d.sum != nil && h.ChecksumType != types.ChecksumTypeComposite {
		// One that was composed of parts' has a number behind it where no type is told.
		if sum, err := base64.StdEncoding.DecodeString(*d.sum); err == nil && len(sum) == d.size {
			return sum, true
		}
	}
	if algo != "MD5" || !s.profile.etagMD5 || h.SSECustomerAlgorithm != nil || strings.HasPrefix(string(h.ServerSideEncryption), "aws:") {
		return nil, false
	}
	sum, err := hex.DecodeString(strings.Trim(aws.ToString(h.ETag), `"`))
	return sum, err == nil && len(sum) == 16
}
