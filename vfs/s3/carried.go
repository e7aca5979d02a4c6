package s3

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// carried is what an object has beside its bytes and has to keep when new bytes
// take its place: CreateMultipartUpload and PutObject begin with nothing, unlike
// CopyObject. Access control lists are not among it: buckets whose owner owns all
// objects, the default, have none.
type carried struct {
	size int64
	etag string

	contentType, contentEncoding, contentDisposition, contentLanguage, cacheControl *string
	expires                                                                         *time.Time
	redirect                                                                        *string
	metadata                                                                        map[string]string
	class                                                                           types.StorageClass
	encryption                                                                      types.ServerSideEncryption
	kmsKey                                                                          *string
	bucketKey                                                                       *bool
	tags                                                                            *string // URL-encoded
}

// carriedOf reads the answer to a HeadObject, and the tags where there are any: one request, or two.
func (s *Store) carriedOf(ctx context.Context, key string, h *s3.HeadObjectOutput) (*carried, error) {
	k := &carried{
		size:               aws.ToInt64(h.ContentLength),
		etag:               aws.ToString(h.ETag),
		contentType:        h.ContentType,
		contentEncoding:    h.ContentEncoding,
		contentDisposition: h.ContentDisposition,
		contentLanguage:    h.ContentLanguage,
		cacheControl:       h.CacheControl,
		expires:            expires(h),
		redirect:           h.WebsiteRedirectLocation,
		metadata:           object.WithoutModTime(h.Metadata), // the content will be another
		class:              h.StorageClass,
		encryption:         h.ServerSideEncryption,
		kmsKey:             h.SSEKMSKeyId,
		bucketKey:          h.BucketKeyEnabled,
	}
	// The count is only told to those who may read the tags.
	if aws.ToInt32(h.TagCount) > 0 {
		var err error
		if k.tags, err = s.tags(ctx, key); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// carriedOfGet does the same for the answer to a GetObject of a range; size is that of the whole object.
func (s *Store) carriedOfGet(ctx context.Context, key string, g *s3.GetObjectOutput, size int64) (*carried, error) {
	return s.carriedOf(ctx, key, &s3.HeadObjectOutput{
		ContentLength:           &size,
		ETag:                    g.ETag,
		ContentType:             g.ContentType,
		ContentEncoding:         g.ContentEncoding,
		ContentDisposition:      g.ContentDisposition,
		ContentLanguage:         g.ContentLanguage,
		CacheControl:            g.CacheControl,
		ExpiresString:           g.ExpiresString,
		WebsiteRedirectLocation: g.WebsiteRedirectLocation,
		Metadata:                g.Metadata,
		StorageClass:            g.StorageClass,
		ServerSideEncryption:    g.ServerSideEncryption,
		SSEKMSKeyId:             g.SSEKMSKeyId,
		BucketKeyEnabled:        g.BucketKeyEnabled,
		TagCount:                g.TagCount,
		VersionId:               g.VersionId,
	})
}

// create gives a multipart upload what the object had. A nil one gives nothing.
func (k *carried) create(in *s3.CreateMultipartUploadInput) {
	if k == nil {
		return
	}
	in.ContentType, in.ContentEncoding, in.ContentDisposition = k.contentType, k.contentEncoding, k.contentDisposition
	in.ContentLanguage, in.CacheControl, in.Expires = k.contentLanguage, k.cacheControl, k.expires
	in.WebsiteRedirectLocation, in.Metadata, in.Tagging = k.redirect, k.metadata, k.tags
	in.StorageClass = cmpClass(k.class, in.StorageClass)
	if k.encryption != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = k.encryption, k.kmsKey, k.bucketKey
	}
}

// put does the same for a PutObject.
func (k *carried) put(in *s3.PutObjectInput) {
	if k == nil {
		return
	}
	in.ContentType, in.ContentEncoding, in.ContentDisposition = k.contentType, k.contentEncoding, k.contentDisposition
	in.ContentLanguage, in.CacheControl, in.Expires = k.contentLanguage, k.cacheControl, k.expires
	in.WebsiteRedirectLocation, in.Metadata, in.Tagging = k.redirect, k.metadata, k.tags
	in.StorageClass = cmpClass(k.class, in.StorageClass)
	if k.encryption != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = k.encryption, k.kmsKey, k.bucketKey
	}
}

// cmpClass returns the object's storage class. An answer has none for STANDARD: then
// an object that was moved there by hand must not go back to the configured one.
func cmpClass(old, configured types.StorageClass) types.StorageClass {
	if old != "" {
		return old
	}
	if configured != "" {
		return types.StorageClassStandard
	}
	return ""
}
