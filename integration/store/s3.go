package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// S3 is a bucket.
type S3 struct {
	Client *s3.Client
	Bucket string
}

// NewS3 returns the bucket at an endpoint with path-style requests.
func NewS3(endpoint, region, key, secret, bucket string) *S3 {
	return &S3{Bucket: bucket, Client: s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint), Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
	})}
}

// Create makes the bucket.
func (s *S3) Create(ctx context.Context) error {
	_, err := s.Client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.Bucket})
	return err
}

// Put implements Store.
func (s *S3) Put(ctx context.Context, name string, data []byte) error {
	_, err := s.Client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.Bucket, Key: &name, Body: bytes.NewReader(data)})
	return err
}

// Get implements Store.
func (s *S3) Get(ctx context.Context, name string) ([]byte, error) {
	out, err := s.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &name})
	if none := (*types.NoSuchKey)(nil); errors.As(err, &none) {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// Names implements Store.
func (s *S3) Names(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			names = append(names, aws.ToString(o.Key))
		}
	}
	return names, nil
}

// Uploads implements Store: the multipart uploads that are open.
func (s *S3) Uploads(ctx context.Context) ([]string, error) {
	var names []string
	pages := s3.NewListMultipartUploadsPaginator(s.Client, &s3.ListMultipartUploadsInput{Bucket: &s.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			names = append(names, aws.ToString(u.Key))
		}
	}
	return names, nil
}

// Delete removes an object.
func (s *S3) Delete(ctx context.Context, name string) error {
	_, err := s.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: &name})
	return err
}

// Empty implements Emptier, open uploads included. Names are deleted from the last to the first: a server over
// a file system removes a directory only after what is in it.
func (s *S3) Empty(ctx context.Context) error {
	names, err := s.Names(ctx, "")
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(names) {
		if _, err := s.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: &n}); err != nil {
			return err
		}
	}
	open, err := s.Client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.Bucket})
	if err != nil {
		return err
	}
	for _, u := range open.Uploads {
		if _, err := s.Client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.Bucket, Key: u.Key, UploadId: u.UploadId}); err != nil {
			return err
		}
	}
	return nil
}
