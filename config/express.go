package config

import "strings"

// directoryBucket refuses what a directory bucket (S3 Express One Zone, known by its name) answers with 501: the API reference
// of PutObject and CreateMultipartUpload says of each "not supported for directory buckets".
func (k *checker) directoryBucket(at string, s *S3) {
	if !strings.HasSuffix(s.Bucket, "--x-s3") {
		return
	}
	for _, no := range []struct {
		key string
		set bool
	}{
		{"acl", s.ACL != ""},
		{"tags", len(s.Tags) > 0},
		{"customer_key", s.CustomerKey != ""},
		{"encryption", s.Encryption == "aws:kms:dsse"},
		{"lock_mode", s.LockMode != ""},
		{"legal_hold", s.LegalHold},
		{"requester_pays", s.RequesterPays},
		{"accelerate", s.Accelerate},
		{"storage_class", s.StorageClass != "" && s.StorageClass != "EXPRESS_ONEZONE"},
	} {
		if no.set {
			k.errorf(at+"."+no.key, "leave it out", "a directory bucket (S3 Express One Zone) does not know it")
		}
	}
}
