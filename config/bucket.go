package config

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// S3Objects are what an S3 bucket's new objects are given, and what requests say. Empty keys leave it to the bucket.
type S3Objects struct {
	// Storage class of new objects, such as STANDARD_IA.
	StorageClass string `yaml:"storage_class"`
	// Canned access control list of new objects, such as bucket-owner-full-control.
	ACL string `yaml:"acl"`
	// Encryption by the server: AES256 (SSE-S3), aws:kms or aws:kms:dsse.
	Encryption string `yaml:"encryption" enum:"AES256,aws:kms,aws:kms:dsse"`
	// Id or ARN of the key for aws:kms. Default: the account's own.
	KMSKey string `yaml:"kms_key"`
	// Let the bucket derive keys, which saves requests to KMS.
	BucketKey bool `yaml:"bucket_key"`
	// A key of 32 bytes, in base64, with which the server encrypts and that it does not keep (SSE-C). Objects can only be
	// read with the same key.
	CustomerKey Secret `yaml:"customer_key"`
	// File that holds the same.
	CustomerKeyFile Path `yaml:"customer_key_file"`
	// New versions cannot be deleted for lock_for, by anybody with COMPLIANCE, by most with GOVERNANCE. The bucket needs Object
	// Lock. A file of the same name can be stored again: that is another version.
	LockMode string `yaml:"lock_mode" enum:"GOVERNANCE,COMPLIANCE"`
	// How long, for example 720h.
	LockFor time.Duration `yaml:"lock_for"`
	// Keep new versions until somebody lifts their legal hold.
	LegalHold bool `yaml:"legal_hold"`
	// Tags of new files. In the values {user} stands for the name of the user, {remote} for the address of the client, as in homes.
	Tags map[string]string `yaml:"tags"`
	// Further metadata of new files, with the same names in braces.
	Metadata map[string]string `yaml:"metadata"`
	// How MFMT sets a file's time: off refuses it, copy copies the object onto itself, the only way on S3. In a bucket with
	// versions each is a new version.
	MFMT string `yaml:"mfmt" enum:"off,copy"`
	// Accept the costs of requests to a bucket of somebody else.
	RequesterPays bool `yaml:"requester_pays"`
	// The account that the bucket has to belong to.
	BucketOwner string `yaml:"bucket_owner"`
	// Use Amazon's Transfer Acceleration.
	Accelerate bool `yaml:"accelerate"`
	// Use Amazon's endpoints that have IPv6 addresses too.
	DualStack bool `yaml:"dual_stack"`
	// Use Amazon's endpoints with FIPS 140 cryptography.
	FIPS bool `yaml:"fips"`
	// Credentials of its own for each login, by AssumeRole. Without it all requests are made by the back end's.
	Role *S3Role `yaml:"role"`
}

// S3Role is the role of a login.
type S3Role struct {
	// The role, in which {user} stands for the name of the user. Servers that know no roles (MinIO) take any.
	ARN string `yaml:"arn" need:"yes"`
	// The external id that the role's trust asks for.
	ExternalID string `yaml:"external_id"`
	// The name of the session in the store's log.
	SessionName string `yaml:"session_name"`
	// Tags of the session, for use in the role's policies. {user} and {remote} as above.
	Tags map[string]string `yaml:"tags"`
	// How long credentials last before they are asked for anew.
	Duration time.Duration `yaml:"duration"`
	// The URL of STS. Default: AWS in the back end's region.
	Endpoint string `yaml:"endpoint"`
	// Give the session a policy under which it reaches the user's own tree and nothing else.
	Confine bool `yaml:"confine"`
}

func (r *S3Role) setDefaults() {
	r.SessionName, r.Duration, r.Confine = "ftp-{user}", time.Hour, true
}

// GCSObjects are what a GCS bucket's new objects are given, and by whom requests are made.
type GCSObjects struct {
	// Storage class of new objects, such as NEARLINE.
	StorageClass string `yaml:"storage_class"`
	// Predefined access control list of new objects, such as bucketOwnerFullControl. Buckets with uniform access refuse it.
	ACL string `yaml:"acl"`
	// Key of Cloud KMS: projects/P/locations/L/keyRings/R/cryptoKeys/K.
	KMSKey string `yaml:"kms_key"`
	// Metadata of new files. In the values {user} stands for the name of the user, {remote} for the address of the client, as in homes.
	Metadata map[string]string `yaml:"metadata"`
	// The project that pays for requests to a "requester pays" bucket.
	UserProject string `yaml:"user_project"`
	// PEM file with the authorities to trust for the endpoint, in addition to the system's.
	CAFile Path `yaml:"ca_file"`
	// Act as this service account for each login; {user} stands for the name of the user.
	Impersonate string `yaml:"impersonate"`
	// Exchange each login's token for one that reaches the user's own tree and nothing else (Credential Access
	// Boundary). The bucket needs uniform access.
	Confine bool `yaml:"confine"`
}

// filled checks values in which names in braces are replaced at the login.
func (k *checker) filled(at string, values map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name == "" || strings.ContainsAny(values[name], "\r\n") {
			k.errorf(at+"."+name, "", "%q: %q cannot be sent", name, values[name])
		}
		k.names(at+"."+name, values[name])
	}
}

func (k *checker) names(at, value string) {
	if b := badPlaceholder(value); b != "" {
		k.errorf(at, "the names in braces are "+strings.Join(placeholders, " "), "nobody knows what %s stands for", b)
	}
}

func (k *checker) s3Objects(at string, s *S3Objects) {
	if s.CustomerKey != "" {
		if key, err := s.Key(); err != nil || len(key) != 32 {
			k.errorf(at+".customer_key", `make one with "openssl rand -base64 32"`, "is not the base64 of 32 bytes")
		}
		if s.Encryption != "" {
			k.errorf(at+".encryption", "keep one of them", "contradicts customer_key")
		}
	}
	if s.KMSKey != "" && !strings.HasPrefix(s.Encryption, "aws:kms") {
		k.errorf(at+".kms_key", "set encryption: aws:kms", "is for aws:kms only")
	}
	if (s.LockMode == "") != (s.LockFor == 0) {
		k.errorf(at, "give both, or none for the bucket's default", "lock_mode and lock_for belong together")
	}
	if len(s.Tags) > 10 {
		k.errorf(at+".tags", "", "%d are more than the ten that an object can have", len(s.Tags))
	}
	k.filled(at+".tags", s.Tags)
	k.filled(at+".metadata", s.Metadata)
	if r := s.Role; r != nil {
		if r.ARN == "" {
			k.errorf(at+".role", "", `the key "arn" is missing`)
		}
		k.names(at+".role.arn", r.ARN)
		k.names(at+".role.session_name", r.SessionName)
		k.filled(at+".role.tags", r.Tags)
		if r.Endpoint != "" {
			k.endpoint(at+".role.endpoint", r.Endpoint)
		}
		if r.Duration < 15*time.Minute || r.Duration > 12*time.Hour {
			k.errorf(at+".role.duration", "", "%v is not between 15m and 12h", r.Duration)
		}
	}
}

func (k *checker) gcsObjects(at string, g *GCSObjects, anonymous bool) {
	k.filled(at+".metadata", g.Metadata)
	k.names(at+".impersonate", g.Impersonate)
	if g.Impersonate != "" && !strings.Contains(g.Impersonate, "@") {
		k.errorf(at+".impersonate", "", "%q is not the address of a service account", g.Impersonate)
	}
	if anonymous && (g.Impersonate != "" || g.Confine) {
		k.errorf(at+".anonymous", "", "without credentials there are none to exchange for others")
	}
	if g.CAFile != "" {
		k.authorities(at+".ca_file", g.CAFile)
	}
}

// Key returns the bytes of the customer key, nil if there is none.
func (s *S3Objects) Key() ([]byte, error) {
	if s.CustomerKey == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(string(s.CustomerKey))
	if err != nil {
		return nil, fmt.Errorf("customer_key: %w", err)
	}
	return key, nil
}
