package fault_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/integration/fault"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

const bucket = "bucket"

func newS3(t *testing.T) (*fault.Proxy, *store.S3) {
	t.Helper()
	p, err := fault.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	s, err := servers.StartS3(t.Context(), t.TempDir(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	p.SetTarget(s.Addr)
	return p, store.NewS3(p.URL(), servers.S3Region, servers.S3Key, servers.S3Secret, bucket)
}

// TestOperationsOfS3 sends each request with the SDK through the proxy: it is
// passed on with its signature valid, and named.
func TestOperationsOfS3(t *testing.T) {
	p, s := newS3(t)
	ctx := t.Context()
	c := s.Client
	key, b := aws.String("dir/a b+ü.bin"), aws.String(bucket)
	part := bytes.Repeat([]byte("x"), 5<<20)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Put(ctx, *key, []byte("one")))
	got, err := s.Get(ctx, *key)
	if err != nil || string(got) != "one" {
		t.Fatalf("Get = %q, %v", got, err)
	}
	_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: key})
	must(err)
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: aws.String("copy"), CopySource: aws.String(bucket + "/dir/a%20b%2B%C3%BC.bin")})
	must(err)
	_, err = s.Names(ctx, "")
	must(err)
	_, err = c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b})
	must(err)
	mp, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: aws.String("big")})
	must(err)
	up, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: aws.String("big"), UploadId: mp.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(part)})
	must(err)
	open, err := s.Uploads(ctx)
	if err != nil || len(open) != 1 {
		t.Errorf("Uploads = %q, %v; want the one", open, err)
	}
	_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: aws.String("big"), UploadId: mp.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: up.ETag, PartNumber: aws.Int32(1), ChecksumCRC32: up.ChecksumCRC32}}}})
	must(err)
	mp, err = c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: aws.String("big")})
	must(err)
	_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: aws.String("big"), UploadId: mp.UploadId})
	must(err)
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: key})
	must(err)
	for op, n := range map[string]int{"PutObject": 1, "GetObject": 1, "HeadObject": 1, "CopyObject": 1, "ListObjectsV2": 1, "HeadBucket": 1,
		"CreateMultipartUpload": 2, "UploadPart": 1, "CompleteMultipartUpload": 1, "AbortMultipartUpload": 1, "ListMultipartUploads": 1, "DeleteObject": 1} {
		if p.Count(op) != n {
			t.Errorf("%s counted %d times, want %d; all: %v", op, p.Count(op), n, p.Counts())
		}
	}
}

func TestOperationsOfGCS(t *testing.T) {
	p, err := fault.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	g, err := servers.StartGCS(t.Context(), t.TempDir(), p.Addr(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Kill)
	p.SetTarget(g.Addr)
	s, err := store.NewGCS(context.WithoutCancel(t.Context()), p.URL(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := s.Put(ctx, "dir/a b.bin", []byte("one")); err != nil {
		t.Fatal(err)
	}
	// Two chunks and a rest.
	w := s.Bucket.Object("big").NewWriter(ctx)
	w.ChunkSize = 256 << 10
	if _, err := w.Write(make([]byte, 600<<10)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "big"); err != nil || len(got) != 600<<10 {
		t.Fatalf("Get = %d bytes, %v", len(got), err)
	}
	if _, err := s.Bucket.Object("big").Attrs(ctx); err != nil {
		t.Fatal(err)
	}
	if names, err := s.Names(ctx, ""); err != nil || len(names) != 2 {
		t.Fatalf("Names = %q, %v", names, err)
	}
	if err := s.Bucket.Object("big").Delete(ctx); err != nil {
		t.Fatal(err)
	}
	for op, n := range map[string]int{"objects.insert": 1, "resumable.start": 1, "resumable.chunk": 2, "resumable.last": 1,
		"objects.media": 1, "objects.get": 1, "objects.list": 1, "objects.delete": 1} {
		if p.Count(op) != n {
			t.Errorf("%s counted %d times, want %d; all: %v", op, p.Count(op), n, p.Counts())
		}
	}
}

// TestFaults shows that each fault does to a client what its name says.
func TestFaults(t *testing.T) {
	p, s := newS3(t)
	once := func(r fault.Rule) {
		p.Clear()
		r.Match, r.Times = fault.Op("PutObject"), 1
		p.Add(r)
	}
	put := func(name string) error {
		return s.Put(t.Context(), name, []byte(strings.Repeat("x", 100_000)))
	}
	// The SDK tries again: two requests, and the object is there.
	for name, r := range map[string]fault.Rule{
		"status":   {Status: 503, Body: "<Error><Code>SlowDown</Code></Error>"},
		"cut":      {Cut: true},
		"cutafter": {CutAfter: 50_000},
		"lose":     {Lose: true},
	} {
		once(r)
		if err := put(name); err != nil {
			t.Errorf("%s: %v; want the second try to work", name, err)
		}
		if n := p.Count("PutObject"); n != 2 {
			t.Errorf("%s: %d requests, want 2", name, n)
		}
	}

	// A held reply: the store has the object, the client does not know it.
	gate := fault.NewGate()
	once(fault.Rule{Hold: gate})
	done := make(chan error, 1)
	go func() { done <- put("held") }() // ends when the gate has opened
	if op := <-gate.Arrived(); op != "PutObject" {
		t.Errorf("held %s", op)
	}
	if _, err := s.Get(t.Context(), "held"); err != nil {
		t.Errorf("the store does not have the object: %v", err)
	}
	select {
	case err := <-done:
		t.Errorf("the reply got through the gate: %v", err)
	default:
	}
	gate.Open()
	if err := <-done; err != nil {
		t.Error(err)
	}

	// A cut request must not leave anything.
	p.Clear()
	p.Add(fault.Rule{Match: fault.Op("PutObject"), Cut: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Put(ctx, "never", []byte("x")); err == nil {
		t.Error("a put through a broken line gave no error")
	}
	if _, err := s.Get(ctx, "never"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get = %v, want none", err)
	}
}
