package s3

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Confine returns an inline session policy under which credentials reach the
// objects below prefix, which is empty or ends with a slash, and nothing else of the bucket: neither
// objects nor names. What the role itself may not do it does not allow. The one exception is the list of
// multipart uploads under way, which IAM cannot confine to a prefix; it has names and no content.
//
// What only some settings need (access control lists, locks, keys of KMS) is allowed with these settings; which
// keys, the role's own policy says.
func (s *Store) Confine(prefix string) (string, error) {
	t, actions := &s.o.Settings, []string{
		"s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging",
		"s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
	}
	if t.ACL != "" || s.o.KeepACL {
		actions = append(actions, "s3:GetObjectAcl", "s3:PutObjectAcl")
	}
	if t.LockMode != "" {
		actions = append(actions, "s3:PutObjectRetention")
	}
	if t.LegalHold {
		actions = append(actions, "s3:PutObjectLegalHold")
	}
	return confine(s.bucket, prefix, actions, strings.HasPrefix(t.Encryption, "aws:kms"))
}

func confine(bucket, prefix string, actions []string, kms bool) (string, error) {
	type statement struct {
		Effect    string
		Action    []string
		Resource  string
		Condition map[string]map[string][]string `json:",omitempty"`
	}
	where, objects := "arn:aws:s3:::"+bucket, "arn:aws:s3:::"+bucket+"/"
	if strings.HasPrefix(bucket, "arn:") {
		where, objects = bucket, bucket+"/object/"
	} else if strings.ContainsAny(bucket, "*?$/") {
		return "", fmt.Errorf("s3: a policy for bucket %q", bucket)
	}
	below := literal(prefix) + "*"
	policy := struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{
		{Effect: "Allow", Resource: objects + below, Action: actions},
		{Effect: "Allow", Resource: where, Action: []string{"s3:ListBucket"},
			Condition: map[string]map[string][]string{"StringLike": {"s3:prefix": {below}}}},
		{Effect: "Allow", Resource: where, Action: []string{"s3:ListBucketMultipartUploads"}},
	}}
	if kms {
		policy.Statement = append(policy.Statement, statement{Effect: "Allow", Resource: "*", Action: []string{"kms:GenerateDataKey", "kms:Decrypt"}})
	}
	text, err := json.Marshal(policy)
	if err != nil {
		return "", err
	}
	// AssumeRole takes no more (API reference).
	if len(text) > 2048 {
		return "", fmt.Errorf("s3: the policy for prefix %q has %d characters, more than a session can have", prefix, len(text))
	}
	return string(text), nil
}

// literal takes the meaning from the characters that have one in a policy: a
// user who is called "*" must not get everything.
func literal(s string) string {
	return strings.NewReplacer("$", "${$}", "*", "${*}", "?", "${?}").Replace(s)
}
