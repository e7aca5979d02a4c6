package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Settings are what new objects are given and what requests say besides the
// bucket and the key. The zero value leaves everything to the bucket.
type Settings struct {
	// StorageClass of new objects, such as STANDARD_IA. Empty: the bucket's.
	StorageClass string
	// ACL is a canned ACL for new objects, such as bucket-owner-full-control.
	ACL string

	// Encryption is the server's: AES256 (SSE-S3), aws:kms or aws:kms:dsse. Empty: the bucket's default.
	Encryption string
	// KMSKey is the id or ARN of a key for aws:kms. Empty: the account's own.
	KMSKey string
	// BucketKey lets the bucket derive keys, which saves requests to KMS.
	BucketKey bool
	// CustomerKey are the 32 bytes of a key that the server gets with each
	// request and does not keep (SSE-C). Objects can only be read with the same key.
	CustomerKey []byte

	// LockMode is GOVERNANCE or COMPLIANCE: new versions cannot be deleted for
	// LockFor. Empty: the bucket's default.
	LockMode string
	LockFor  time.Duration
	// LegalHold keeps new versions until somebody lifts it.
	LegalHold bool

	// RequesterPays accepts the costs of requests to a bucket of somebody else.
	RequesterPays bool
	// BucketOwner is the account that the bucket has to belong to.
	BucketOwner string

	// Accelerate, DualStack and FIPS choose endpoints of Amazon's.
	Accelerate, DualStack, FIPS bool
}

func (t *Settings) check() error {
	if t.CustomerKey != nil && len(t.CustomerKey) != 32 {
		return fmt.Errorf("s3: a customer key of %d bytes: want 32", len(t.CustomerKey))
	}
	if t.CustomerKey != nil && t.Encryption != "" {
		return fmt.Errorf("s3: a customer key and encryption %q exclude each other", t.Encryption)
	}
	if (t.LockMode == "") != (t.LockFor == 0) {
		return fmt.Errorf("s3: lock mode %q for %v: give both or none", t.LockMode, t.LockFor)
	}
	return nil
}

// customer are the three headers of SSE-C.
type customer struct{ algorithm, key, sum *string }

// decorate puts the settings into the inputs of requests. That it is done in one place, behind the
// calls, means that no operation can be forgotten where it is called. What a call
// has set itself stays: a copy keeps what its source has.
func (t *Settings) decorate(stack *middleware.Stack) error {
	var c customer
	if t.CustomerKey != nil {
		sum := md5.Sum(t.CustomerKey)
		c = customer{aws.String("AES256"), aws.String(base64.StdEncoding.EncodeToString(t.CustomerKey)),
			aws.String(base64.StdEncoding.EncodeToString(sum[:]))}
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("FTPGatewaySettings",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			switch p := in.Parameters.(type) {
			case *s3.PutObjectInput:
				t.put(p)
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			case *s3.CreateMultipartUploadInput:
				t.begin(p)
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			case *s3.UploadPartInput:
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			case *s3.CompleteMultipartUploadInput:
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			case *s3.ListPartsInput:
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			case *s3.GetObjectInput:
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			case *s3.HeadObjectInput:
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			case *s3.CopyObjectInput:
				t.copied(p)
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
				p.CopySourceSSECustomerAlgorithm, p.CopySourceSSECustomerKey, p.CopySourceSSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			case *s3.UploadPartCopyInput:
				t.ownSource(&p.ExpectedSourceBucketOwner)
				p.SSECustomerAlgorithm, p.SSECustomerKey, p.SSECustomerKeyMD5 = c.algorithm, c.key, c.sum
				p.CopySourceSSECustomerAlgorithm, p.CopySourceSSECustomerKey, p.CopySourceSSECustomerKeyMD5 = c.algorithm, c.key, c.sum
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
}

// or sets what is not set.
func or[T comparable](field *T, value T) {
	if zero := *new(T); *field == zero {
		*field = value
	}
}

// set is or for what is a pointer in the SDK.
func set[T comparable](field **T, value T) {
	if zero := *new(T); *field == nil && value != zero {
		*field = &value
	}
}

func (t *Settings) put(p *s3.PutObjectInput) {
	or(&p.StorageClass, types.StorageClass(t.StorageClass))
	or(&p.ACL, types.ObjectCannedACL(t.ACL))
	if p.ServerSideEncryption == "" {
		p.ServerSideEncryption = types.ServerSideEncryption(t.Encryption)
		set(&p.SSEKMSKeyId, t.KMSKey)
		set(&p.BucketKeyEnabled, t.BucketKey)
	}
	mode, until, hold := t.lock(time.Now())
	or(&p.ObjectLockMode, mode)
	if p.ObjectLockRetainUntilDate == nil {
		p.ObjectLockRetainUntilDate = until
	}
	or(&p.ObjectLockLegalHoldStatus, hold)
}

func (t *Settings) begin(p *s3.CreateMultipartUploadInput) {
	or(&p.StorageClass, types.StorageClass(t.StorageClass))
	or(&p.ACL, types.ObjectCannedACL(t.ACL))
	if p.ServerSideEncryption == "" {
		p.ServerSideEncryption = types.ServerSideEncryption(t.Encryption)
		set(&p.SSEKMSKeyId, t.KMSKey)
		set(&p.BucketKeyEnabled, t.BucketKey)
	}
	mode, until, hold := t.lock(time.Now())
	or(&p.ObjectLockMode, mode)
	if p.ObjectLockRetainUntilDate == nil {
		p.ObjectLockRetainUntilDate = until
	}
	or(&p.ObjectLockLegalHoldStatus, hold)
}

// copied completes a copy. The server gives a copy the bucket's own class, ACL, encryption and
// lock, not the source's; what the call knows of the source it has set.
func (t *Settings) copied(p *s3.CopyObjectInput) {
	t.ownSource(&p.ExpectedSourceBucketOwner)
	or(&p.ACL, types.ObjectCannedACL(t.ACL))
	if p.ServerSideEncryption == "" {
		p.ServerSideEncryption = types.ServerSideEncryption(t.Encryption)
		set(&p.SSEKMSKeyId, t.KMSKey)
		set(&p.BucketKeyEnabled, t.BucketKey)
	}
	mode, until, hold := t.lock(time.Now())
	or(&p.ObjectLockMode, mode)
	if p.ObjectLockRetainUntilDate == nil {
		p.ObjectLockRetainUntilDate = until
	}
	or(&p.ObjectLockLegalHoldStatus, hold)
}

func (t *Settings) ownSource(owner **string) { set(owner, t.BucketOwner) }

// lock returns the retention of an object that is stored now.
func (t *Settings) lock(now time.Time) (mode types.ObjectLockMode, until *time.Time, hold types.ObjectLockLegalHoldStatus) {
	if t.LockMode != "" {
		mode, until = types.ObjectLockMode(t.LockMode), aws.Time(now.Add(t.LockFor).UTC())
	}
	if t.LegalHold {
		hold = types.ObjectLockLegalHoldStatusOn
	}
	return mode, until, hold
}

// apply sets the settings in the options of a client.
func (t *Settings) apply(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, t.decorate)
	if t.RequesterPays {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Request-Payer", "requester"))
	}
	if t.BucketOwner != "" {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Expected-Bucket-Owner", t.BucketOwner))
	}
	o.UseAccelerate = t.Accelerate
	// An access point says itself in which region it is.
	o.UseARNRegion = true
	if t.DualStack {
		o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	if t.FIPS {
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
}
