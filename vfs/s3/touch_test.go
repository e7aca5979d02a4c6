package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// What the copy onto itself says: everything that would be lost otherwise.
func TestTouch(t *testing.T) {
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	f := newFake(t)
	f.set("f", []byte("x"))
	old, _ := f.object("f")
	s, _ := f.open(nil)
	if err := s.Touch(t.Context(), "f", when); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("not allowed: %v, want errors.ErrUnsupported", err)
	}
	if n := f.count("head") + f.count("copy"); n != 0 {
		t.Errorf("not allowed, and yet %d requests", n)
	}

	s, _ = f.open(func(o *Options) { o.TouchByCopy = true; o.Profile = "aws"; o.PathStyle = true })
	f.setBefore(func(op string, _ int, w http.ResponseWriter, _ *http.Request) bool {
		if op != "head" {
			return false
		}
		h := w.Header()
		h.Set("ETag", old.etag)
		h.Set("Content-Length", "1")
		h.Set("Content-Type", "image/jpeg")
		h.Set("Content-Disposition", "attachment")
		h.Set("Content-Language", "sv")
		h.Set("Cache-Control", "no-store")
		h.Set("Expires", "Wed, 21 Oct 2026 07:28:00 GMT")
		h.Set("X-Amz-Meta-Device", "7")
		h.Set("X-Amz-Meta-Gcsfuse_mtime", "1999-01-01T00:00:00Z")
		h.Set("X-Amz-Storage-Class", "STANDARD_IA")
		h.Set("X-Amz-Server-Side-Encryption", "aws:kms")
		h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "k")
		return true
	})
	if err := s.Touch(t.Context(), "f", when); err != nil {
		t.Fatal(err)
	}
	h := f.sent("copy")[0]
	for name, want := range map[string]string{
		"X-Amz-Copy-Source": "bucket/f", "X-Amz-Copy-Source-If-Match": old.etag, "If-Match": old.etag,
		"X-Amz-Metadata-Directive": "REPLACE", "X-Amz-Tagging-Directive": "COPY", "X-Amz-Meta-Mtime": "981173106", "X-Amz-Meta-Device": "7",
		"X-Amz-Meta-Gcsfuse_mtime": "", "Content-Type": "image/jpeg", "Content-Disposition": "attachment", "Content-Language": "sv",
		"Cache-Control": "no-store", "Expires": "Wed, 21 Oct 2026 07:28:00 GMT", "X-Amz-Storage-Class": "STANDARD_IA",
		"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "k",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Digests come with HeadObject, and only those that are of the whole content.
func TestDigest(t *testing.T) {
	f := newFake(t)
	data := random(1000)
	s, _ := f.open(nil)
	if err := put(s, t.Context(), "f", data, object.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	sum := crc32.ChecksumIEEE(data)
	if got, err := s.Digest(t.Context(), "f", "CRC32"); err != nil || string(got) != string([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) {
		t.Errorf("CRC32 %x, %v; want %08x", got, err, sum)
	}
	m := md5.Sum(data)
	if got, err := s.Digest(t.Context(), "f", "MD5"); err != nil || string(got) != string(m[:]) {
		t.Errorf("MD5 %x, %v; want %x", got, err, m)
	}
	if _, err := s.Digest(t.Context(), "f", "SHA-256"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SHA-256: %v, want errors.ErrUnsupported", err)
	}
	if f.count("get") != 0 {
		t.Error("the object was read")
	}
	etag := aws.String(`"` + hex.EncodeToString(m[:]) + `"`)
	whole := aws.String(base64.StdEncoding.EncodeToString([]byte{1, 2, 3, 4}))
	for name, c := range map[string]struct {
		h       s3.HeadObjectOutput
		profile string
		algo    string
		want    bool
	}{
		"composite":          {s3.HeadObjectOutput{ChecksumCRC32: whole, ChecksumType: types.ChecksumTypeComposite}, "aws", "CRC32", false},
		"of parts, no type":  {s3.HeadObjectOutput{ChecksumCRC32: aws.String(*whole + "-3")}, "aws", "CRC32", false},
		"whole":              {s3.HeadObjectOutput{ChecksumCRC32: whole, ChecksumType: types.ChecksumTypeFullObject}, "aws", "CRC32", true},
		"no type":            {s3.HeadObjectOutput{ChecksumCRC32: whole}, "aws", "CRC32", true},
		"ETag":               {s3.HeadObjectOutput{ETag: etag}, "aws", "MD5", true},
		"ETag of parts":      {s3.HeadObjectOutput{ETag: aws.String(`"` + hex.EncodeToString(m[:]) + `-2"`)}, "aws", "MD5", false},
		"ETag with KMS":      {s3.HeadObjectOutput{ETag: etag, ServerSideEncryption: "aws:kms"}, "aws", "MD5", false},
		"ETag with SSE-S3":   {s3.HeadObjectOutput{ETag: etag, ServerSideEncryption: "AES256"}, "aws", "MD5", true},
		"ETag with SSE-C":    {s3.HeadObjectOutput{ETag: etag, SSECustomerAlgorithm: aws.String("AES256")}, "aws", "MD5", false},
		"ETag, nobody knows": {s3.HeadObjectOutput{ETag: etag}, "generic", "MD5", false},
		"unknown":            {s3.HeadObjectOutput{ETag: etag}, "aws", "WHIRLPOOL", false},
		"wrong length":       {s3.HeadObjectOutput{ChecksumSHA256: whole}, "aws", "SHA-256", false},
	} {
		s := &Store{profile: profiles[c.profile]}
		if _, ok := s.digestOf(&c.h, c.algo); ok != c.want {
			t.Errorf("%s: known %v, want %v", name, ok, c.want)
		}
	}
}
