package s3

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func isExist(err error) bool { return errors.Is(err, fs.ErrExist) }

// Each setting is in the requests that it is for, as a server sees them (our
// own fake, which does not act on them).
func TestSettings(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	sum := md5.Sum(key)
	ssec := map[string]string{
		"X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256",
		"X-Amz-Server-Side-Encryption-Customer-Key":       base64.StdEncoding.EncodeToString(key),
		"X-Amz-Server-Side-Encryption-Customer-Key-Md5":   base64.StdEncoding.EncodeToString(sum[:]),
	}
	source := map[string]string{
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm": "AES256",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key":       base64.StdEncoding.EncodeToString(key),
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key-Md5":   base64.StdEncoding.EncodeToString(sum[:]),
	}
	all := []string{"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "GetObject", "HeadObject", "ListObjectsV2",
		"CopyObject", "DeleteObject", "HeadBucket"}
	created := []string{"PutObject", "CreateMultipartUpload"}
	for name, c := range map[string]struct {
		set  Settings
		put  object.PutOptions
		ops  []string // that have the headers; no other has
		want map[string]string
	}{
		"storage class":    {set: Settings{StorageClass: "STANDARD_IA"}, ops: created, want: map[string]string{"X-Amz-Storage-Class": "STANDARD_IA"}},
		"canned ACL":       {set: Settings{ACL: "bucket-owner-full-control"}, ops: append(created, "CopyObject"), want: map[string]string{"X-Amz-Acl": "bucket-owner-full-control"}},
		"SSE-S3":           {set: Settings{Encryption: "AES256"}, ops: append(created, "CopyObject"), want: map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}},
		"SSE-KMS":          {set: Settings{Encryption: "aws:kms", KMSKey: "alias/k", BucketKey: true}, ops: append(created, "CopyObject"), want: map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/k", "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true"}},
		"SSE-C":            {set: Settings{CustomerKey: key}, ops: append(created, "UploadPart", "CompleteMultipartUpload", "GetObject", "HeadObject", "CopyObject"), want: ssec},
		"SSE-C source":     {set: Settings{CustomerKey: key}, ops: []string{"CopyObject"}, want: source},
		"object lock":      {set: Settings{LockMode: "GOVERNANCE", LockFor: time.Hour}, ops: append(created, "CopyObject"), want: map[string]string{"X-Amz-Object-Lock-Mode": "GOVERNANCE"}},
		"legal hold":       {set: Settings{LegalHold: true}, ops: append(created, "CopyObject"), want: map[string]string{"X-Amz-Object-Lock-Legal-Hold": "ON"}},
		"requester pays":   {set: Settings{RequesterPays: true}, ops: all, want: map[string]string{"X-Amz-Request-Payer": "requester"}},
		"bucket owner":     {set: Settings{BucketOwner: "123456789012"}, ops: all, want: map[string]string{"X-Amz-Expected-Bucket-Owner": "123456789012"}},
		"owner of sources": {set: Settings{BucketOwner: "123456789012"}, ops: []string{"CopyObject"}, want: map[string]string{"X-Amz-Source-Expected-Bucket-Owner": "123456789012"}},
		"tags":             {put: object.PutOptions{Tags: map[string]string{"user": "cam 7", "device": "10.0.0.7"}}, ops: created, want: map[string]string{"X-Amz-Tagging": "device=10.0.0.7&user=cam+7"}},
		"metadata":         {put: object.PutOptions{Metadata: map[string]string{"device": "10.0.0.7"}}, ops: created, want: map[string]string{"X-Amz-Meta-Device": "10.0.0.7"}},
		"content type":     {put: object.PutOptions{ContentType: "image/jpeg"}, ops: created, want: map[string]string{"Content-Type": "image/jpeg"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s, r := f.record(func(o *Options) { o.Settings = c.set })
			for _, size := range []int{10, minPart + 1} {
				if err := put(s, t.Context(), "f", random(size), c.put); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := get(s, t.Context(), "f", 0); err != nil {
				t.Fatal(err)
			}
			a, err := s.Head(t.Context(), "f")
			if err != nil {
				t.Fatal(err)
			}
			a.Class, a.Sys = "", nil // what a source has would be kept
			if _, err := s.List(t.Context(), "", "", 9); err != nil {
				t.Fatal(err)
			}
			if err := s.Copy(t.Context(), "g", a, object.CopyOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(t.Context(), "g", ""); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, op := range all {
				sent := r.of(op)
				if len(sent) == 0 {
					t.Fatalf("no %s", op)
				}
				for _, q := range sent {
					for h, want := range c.want {
						has := strings.Contains(" "+strings.Join(c.ops, " ")+" ", " "+op+" ")
						switch got := q.Header.Get(h); {
						case has && got != want:
							t.Errorf("%s has %s %q, want %q", op, h, got, want)
						case !has && got == want:
							t.Errorf("%s has %s %q", op, h, got)
						}
						if has && h != "Content-Type" && !strings.Contains(q.Header.Get("Authorization"), strings.ToLower(h)) {
							t.Errorf("%s: %s is not signed", op, h)
						}
					}
				}
			}
		})
	}
}

// The retention ends so long after the request.
func TestLockUntil(t *testing.T) {
	f := newFake(t)
	s, r := f.record(func(o *Options) { o.Settings = Settings{LockMode: "COMPLIANCE", LockFor: 48 * time.Hour} })
	before := time.Now().Truncate(time.Millisecond)
	if err := put(s, t.Context(), "f", []byte("x"), object.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	h := r.of("PutObject")[0].Header
	until, err := time.Parse(time.RFC3339, h.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if err != nil || until.Before(before.Add(48*time.Hour)) || until.After(time.Now().Add(48*time.Hour)) {
		t.Errorf("retained until %s (%v), want in 48 hours", h.Get("X-Amz-Object-Lock-Retain-Until-Date"), err)
	}
	// Buckets with a lock want a checksum.
	if h.Get("X-Amz-Checksum-Crc32") == "" {
		t.Error("no checksum")
	}
}

// Where requests go, by region, switches and access point.
func TestHosts(t *testing.T) {
	f := newFake(t)
	const ap = "arn:aws:s3:eu-west-3:123456789012:accesspoint/cams"
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"plain":        {func(*Options) {}, "bucket.s3.eu-west-1.amazonaws.com"},
		"path style":   {func(o *Options) { o.PathStyle = true }, "s3.eu-west-1.amazonaws.com"},
		"dual-stack":   {func(o *Options) { o.Settings.DualStack = true }, "bucket.s3.dualstack.eu-west-1.amazonaws.com"},
		"FIPS":         {func(o *Options) { o.Region = "us-east-1"; o.Settings.FIPS = true }, "bucket.s3-fips.us-east-1.amazonaws.com"},
		"accelerate":   {func(o *Options) { o.Settings.Accelerate = true }, "bucket.s3-accelerate.amazonaws.com"},
		"access point": {func(o *Options) { o.Bucket = ap }, "cams-123456789012.s3-accesspoint.eu-west-3.amazonaws.com"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := f.record(func(o *Options) {
				o.Profile, o.Endpoint, o.Region = "", "", "eu-west-1"
				c.change(o)
			})
			if err := put(s, t.Context(), "f", nil, object.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			q := r.of("PutObject")[0]
			if q.URL.Host != c.want || q.URL.Scheme != "https" {
				t.Errorf("sent to %s://%s, want %s", q.URL.Scheme, q.URL.Host, c.want)
			}
		})
	}
	s, r := f.record(func(o *Options) { o.Profile, o.Endpoint, o.Region, o.Bucket = "", "", "eu-west-1", ap })
	s.Copy(t.Context(), "g", object.Attrs{Key: "f", ETag: "e"}, object.CopyOptions{})
	if got := r.of("CopyObject")[0].Header.Get("X-Amz-Copy-Source"); got != "arn%3Aaws%3As3%3Aeu-west-3%3A123456789012%3Aaccesspoint/cams/object/f" {
		t.Errorf("copy source %q", got)
	}
}

func TestSettingsRefused(t *testing.T) {
	for name, set := range map[string]Settings{
		"short key":         {CustomerKey: []byte("short")},
		"two encryptions":   {CustomerKey: make([]byte, 32), Encryption: "AES256"},
		"mode without time": {LockMode: "GOVERNANCE"},
		"time without mode": {LockFor: time.Hour},
	} {
		o := Options{Bucket: "b", Region: "r", AccessKey: "a", SecretKey: "s", Budget: object.NewBudget(64 << 20), Settings: set}
		if _, err := New(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
