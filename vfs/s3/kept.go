package s3

import (
	"context"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// kept is what an object has beside its bytes and has to keep when new bytes
// take its place: CreateMultipartUpload and PutObject begin with nothing, unlike
// CopyObject. Access control lists are not among it: buckets whose owner owns all
// objects, the default, have none.
type kept struct {
	size int64
	etag string

	contentType, contentEncoding, contentDisposition, contentLanguage, cacheControl *string
	expires                                                                         *string
	redirect                                                                        *string
	metadata                                                                        map[string]string
	class                                                                           types.StorageClass
	encryption                                                                      types.ServerSideEncryption
	kmsKey                                                                          *string
	bucketKey                                                                       *bool
	tags                                                                            *string // URL-encoded
}

// keptOf reads the answer to a HeadObject, and the tags where there are any: one request, or two.
func (s *Store) keptOf(ctx context.Context, key string, h *s3.HeadObjectOutput) (*kept, error) {
	k := &kept{
		size:               aws.ToInt64(h.ContentLength),
		etag:               aws.ToString(h.ETag),
		contentType:        h.ContentType,
		contentEncoding:    h.ContentEncoding,
		contentDisposition: h.ContentDisposition,
		contentLanguage:    h.ContentLanguage,
		cacheControl:       h.CacheControl,
		expires:            h.ExpiresString,
		redirect:           h.WebsiteRedirectLocation,
		metadata:           h.Metadata,
		class:              h.StorageClass,
		encryption:         h.ServerSideEncryption,
		kmsKey:             h.SSEKMSKeyId,
		bucketKey:          h.BucketKeyEnabled,
	}
	// The count is only told to those who may read the tags.
	if aws.ToInt32(h.TagCount) > 0 {
		out, err := s.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &s.bucket, Key: &key, VersionId: h.VersionId})
		if err != nil {
			return nil, translate(ctx, "get tags", key, err)
		}
		v := url.Values{}
		for _, t := range out.TagSet {
			v.Add(aws.ToString(t.Key), aws.ToString(t.Value))
		}
		k.tags = aws.String(v.Encode())
	}
	return k, nil
}

// keptOfGet does the same for the answer to a GetObject of a range; size is that of the whole object.
func (s *Store) keptOfGet(ctx context.Context, key string, g *s3.GetObjectOutput, size int64) (*kept, error) {
	return s.keptOf(ctx, key, &s3.HeadObjectOutput{
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

// create gives a multipart upload what the object had. A nil kept gives nothing.
func (k *kept) create(in *s3.CreateMultipartUploadInput) {
	if k == nil {
		return
	}
	in.ContentType, in.ContentEncoding, in.ContentDisposition = k.contentType, k.contentEncoding, k.contentDisposition
	in.ContentLanguage, in.CacheControl, in.Expires = k.contentLanguage, k.cacheControl, k.expiry()
	in.WebsiteRedirectLocation, in.Metadata, in.Tagging = k.redirect, k.metadata, k.tags
	in.StorageClass = cmpClass(k.class, in.StorageClass)
	if k.encryption != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = k.encryption, k.kmsKey, k.bucketKey
	}
}

// put does the same for a PutObject.
func (k *kept) put(in *s3.PutObjectInput) {
	if k == nil {
		return
	}
	in.ContentType, in.ContentEncoding, in.ContentDisposition = k.contentType, k.contentEncoding, k.contentDisposition
	in.ContentLanguage, in.CacheControl, in.Expires = k.contentLanguage, k.cacheControl, k.expiry()
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

// expiry is the Expires header as the SDK takes it: one that is no date cannot be kept.
func (k *kept) expiry() *time.Time {
	t, err := time.Parse(time.RFC1123, aws.ToString(k.expires))
	if err != nil {
		return nil
	}
	return &t
}
