package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

const bucket = "bench"

// partsAtOnce is how many parts of a big file are under way.
const partsAtOnce = 2

// sdkAlone is no server: it is the SDK in a loop, with nothing before it.
// What it reaches is the limit of what a gateway before the same store can reach.
// It sends what the gateway sends: a CRC32 that the store checks and no SHA-256 of the body.
type sdkAlone struct{}

func (sdkAlone) Name() string { return "sdk-alone" }
func (sdkAlone) Kind() string { return onS3 }

func (sdkAlone) Start(ctx context.Context, dir string) (*target, error) {
	store, err := servers.StartS3(ctx, dir, bucket)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(store.URL()), Region: servers.S3Region, UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(servers.S3Key, servers.S3Secret, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		HTTPClient:                 &http.Client{Transport: transport},
	}, s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
	return &target{
		dial: func(context.Context) (session, error) { return &sdkSession{client}, nil },
		proc: &processes{first: os.Getpid()}, // what it costs is spent here
		stop: func() { transport.CloseIdleConnections(); store.Kill() },
	}, nil
}

// sdkSession shares its client, as programs do.
type sdkSession struct{ client *s3.Client }

// Put implements session: one PutObject, or a multipart upload in the smallest parts.
func (s *sdkSession) Put(ctx context.Context, name string, size int64) error {
	key := aws.String("up/" + name)
	if size <= blockSize {
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: key, Body: bytes.NewReader(content()[:size])})
		return err
	}
	up, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket), Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
	if err != nil {
		return err
	}
	parts := make([]types.CompletedPart, (size+blockSize-1)/blockSize)
	errs := make([]error, partsAtOnce)
	var group sync.WaitGroup
	for worker := range partsAtOnce {
		group.Go(func() { // ends with its last part
			for i := worker; i < len(parts); i += partsAtOnce {
				n := min(size-int64(i)*blockSize, blockSize)
				number := aws.Int32(int32(i + 1))
				out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
					Bucket: aws.String(bucket), Key: key, UploadId: up.UploadId, PartNumber: number,
					ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, Body: bytes.NewReader(content()[:n])})
				if err != nil {
					errs[worker] = err
					return
				}
				parts[i] = types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(bucket), Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	return err
}

// Get implements session.
func (s *sdkSession) Get(ctx context.Context, name string) (int64, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("up/" + name)})
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	b := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(b)
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, out.Body, *b)
}

// Close implements session.
func (s *sdkSession) Close() error { return nil }
