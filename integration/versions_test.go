package integration

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/integration/fault"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

// TestVersionedBucket deletes a file of a bucket with versions: a delete marker
// is put over it, and for FTP it is gone; the version is still there.
func TestVersionedBucket(t *testing.T) {
	w := newWorld(t, s3Kind)
	raw := w.store.(*store.S3)
	if _, err := raw.Client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &raw.Bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, w)
	c := g.login(t, false)
	if r, err := c.Store(t.Context(), "a.jpg", []byte("one")); err != nil || r.Code != 226 {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	for _, step := range []struct {
		line string
		code int
	}{{"TYPE I", 200}, {"SIZE a.jpg", 213}, {"DELE a.jpg", 250}, {"SIZE a.jpg", 550}, {"DELE a.jpg", 550}} {
		if _, err := c.Expect(step.code, step.line); err != nil {
			t.Error(err)
		}
	}
	v, err := raw.Client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &raw.Bucket})
	if err != nil || len(v.DeleteMarkers) != 1 || len(v.Versions) != 1 {
		t.Errorf("%d versions, %d delete markers, %v; want one of each", len(v.Versions), len(v.DeleteMarkers), err)
	}
}

// TestObjectLockBucket stores into a bucket that keeps what is put there: it
// works, since each upload has a checksum, with the back end's own retention as well. Nobody can
// take a version away, over FTP or past it.
func TestObjectLockBucket(t *testing.T) {
	w := newWorld(t, s3Kind)
	raw := w.store.(*store.S3)
	const locked = "locked"
	if _, err := raw.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(locked), ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	w.yaml = strings.Replace(w.yaml, "bucket: "+bucket, "bucket: "+locked+", profile: versitygw, lock_mode: GOVERNANCE, lock_for: 24h, legal_hold: true", 1)
	raw = &store.S3{Client: raw.Client, Bucket: locked}
	g := newGateway(t, w)
	c := g.login(t, false)
	for _, f := range []struct {
		name string
		data []byte
	}{{"small.jpg", []byte("one")}, {"big.bin", random(1, 6<<20)}} {
		if r, err := c.Store(t.Context(), f.name, f.data); err != nil || r.Code != 226 {
			t.Fatalf("STOR %s: %v, %v", f.name, r, err)
		}
		h, err := raw.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &raw.Bucket, Key: &f.name})
		if err != nil {
			t.Fatal(err)
		}
		if h.ObjectLockMode != types.ObjectLockModeGovernance || h.ObjectLockLegalHoldStatus != types.ObjectLockLegalHoldStatusOn || h.ObjectLockRetainUntilDate == nil {
			t.Errorf("%s: lock %q until %v, hold %q", f.name, h.ObjectLockMode, h.ObjectLockRetainUntilDate, h.ObjectLockLegalHoldStatus)
		}
		// A store without versions that may not delete says so.
		w.proxy.Add(fault.Rule{Match: fault.Op("DeleteObject"), Times: 1, Status: 403,
			Body: "<Error><Code>AccessDenied</Code><Message>Object is WORM protected and cannot be overwritten</Message></Error>"})
		if _, err := c.Expect(550, "DELE "+f.name); err != nil {
			t.Error(err)
		}
		if got, err := raw.Get(t.Context(), f.name); err != nil || !bytes.Equal(got, f.data) {
			t.Errorf("%s behind a refused DELE: %d bytes, %v", f.name, len(got), err)
		}
		// With versions a delete marker hides it, and the version stays.
		if _, err := c.Expect(250, "DELE "+f.name); err != nil {
			t.Error(err)
		}
		v, err := raw.Client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &raw.Bucket, Prefix: &f.name})
		if err != nil || len(v.Versions) != 1 {
			t.Fatalf("%s: %d versions, %v; want one", f.name, len(v.Versions), err)
		}
		if _, err := raw.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &raw.Bucket, Key: &f.name, VersionId: v.Versions[0].VersionId}); err == nil {
			t.Errorf("%s: the locked version could be deleted", f.name)
		}
	}
}
