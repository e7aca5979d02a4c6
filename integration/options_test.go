package integration

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ftp-gateway/ftp-gateway/integration/fault"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

// TestS3Options sets what a back end can be told about new objects and looks at
// the requests on their way, and at the objects where versitygw keeps what they say.
func TestS3Options(t *testing.T) {
	w := newWorld(t, s3Kind)
	w.yaml = strings.Replace(w.yaml, "{", `{profile: versitygw, storage_class: STANDARD, acl: private, encryption: AES256,
    tags: {user: "{user}", device: "{remote}", kind: picture}, metadata: {origin: "{user}@{remote}"}, requester_pays: true, mfmt: copy, `, 1)
	g := newGateway(t, w)
	var mu sync.Mutex
	seen := map[string]http.Header{}
	w.proxy.Add(fault.Rule{Match: func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		seen[fault.Operation(r)] = r.Header.Clone()
		return false
	}})
	c := g.login(t, false)
	if r, err := c.Store(t.Context(), "a.jpg", random(1, 1000)); err != nil || r.Code != 226 {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	if r, err := c.Store(t.Context(), "big.mp4", random(2, 6<<20)); err != nil || r.Code != 226 {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	if _, err := c.Expect(213, "MFMT 20010203040506 a.jpg"); err != nil {
		t.Error(err)
	}
	if r, err := c.Expect(213, "MDTM a.jpg"); err != nil || !strings.Contains(r.Text, "20010203040506") {
		t.Errorf("MDTM behind MFMT: %v, %v", r, err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, op := range []string{"PutObject", "CreateMultipartUpload"} {
		for name, want := range map[string]string{
			"X-Amz-Storage-Class": "STANDARD", "X-Amz-Acl": "private", "X-Amz-Server-Side-Encryption": "AES256", "X-Amz-Request-Payer": "requester",
			"X-Amz-Tagging": "device=127.0.0.1&kind=picture&user=" + user, "X-Amz-Meta-Origin": user + "@127.0.0.1",
		} {
			if got := seen[op].Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", op, name, got, want)
			}
		}
	}
	raw := w.store.(*store.S3)
	for key, mtime := range map[string]string{"a.jpg": "981173106", "big.mp4": ""} {
		tags, err := raw.Client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &raw.Bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, tag := range tags.TagSet {
			got[*tag.Key] = *tag.Value
		}
		if want := map[string]string{"user": user, "device": "127.0.0.1", "kind": "picture"}; !maps.Equal(got, want) {
			t.Errorf("%s: tags %v, want %v", key, got, want)
		}
		h, err := raw.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &raw.Bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if h.Metadata["origin"] != user+"@127.0.0.1" || h.Metadata["mtime"] != mtime {
			t.Errorf("%s: metadata %v", key, h.Metadata)
		}
		if want := map[string]string{"a.jpg": "image/jpeg", "big.mp4": "video/mp4"}[key]; aws.ToString(h.ContentType) != want {
			t.Errorf("%s: content type %q, want %q", key, aws.ToString(h.ContentType), want)
		}
	}
}

// TestMDTMOfOtherTools reads the times that other tools keep with their objects.
func TestMDTMOfOtherTools(t *testing.T) {
	w := newWorld(t, s3Kind)
	g := newGateway(t, w)
	raw := w.store.(*store.S3)
	c := g.login(t, false)
	for tool, metadata := range map[string]map[string]string{
		"rclone":  {"mtime": "981173106.123456789"},
		"s3fs":    {"mtime": "981173106", "uid": "0", "mode": "33188"},
		"gcsfuse": {"gcsfuse_mtime": "2001-02-03T04:05:06Z"},
		"gsutil":  {"goog-reserved-file-mtime": "981173106"},
	} {
		if _, err := raw.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &raw.Bucket, Key: aws.String(tool), Metadata: metadata,
			Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
		if r, err := c.Expect(213, "MDTM "+tool); err != nil || !strings.Contains(r.Text, "20010203040506") {
			t.Errorf("%s: %v, %v", tool, r, err)
		}
	}
	// Without mfmt: copy the time of an object cannot be set, and is not.
	if _, err := c.Expect(550, "MFMT 20020203040506 rclone"); err != nil {
		t.Error(err)
	}
	if r, err := c.Expect(213, "MDTM rclone"); err != nil || !strings.Contains(r.Text, "20010203040506") {
		t.Errorf("MDTM behind a refused MFMT: %v, %v", r, err)
	}
}

// Test47OtherToolsOnGCS reads the times that other tools keep with their objects of a GCS bucket, also in listings.
func Test47OtherToolsOnGCS(t *testing.T) {
	w := newWorld(t, gcsKind)
	g := newGateway(t, w)
	raw := w.store.(*store.GCS).Bucket
	c := g.login(t, false)
	tools := map[string]map[string]string{
		"rclone":  {"mtime": "2001-02-03T04:05:06Z"},
		"gcsfuse": {"gcsfuse_mtime": "2001-02-03T04:05:06Z"},
		"gsutil":  {"goog-reserved-file-mtime": "981173106"},
	}
	for tool, metadata := range tools {
		o := raw.Object(tool).NewWriter(t.Context())
		o.Metadata = metadata
		if _, err := o.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		if r, err := c.Expect(213, "MDTM "+tool); err != nil || !strings.Contains(r.Text, "20010203040506") {
			t.Errorf("%s: %v, %v", tool, r, err)
		}
	}
	if text, err := c.List(t.Context(), "MLSD"); err != nil || strings.Count(strings.ToLower(text), "modify=20010203040506") != len(tools) {
		t.Errorf("MLSD: %v\n%s", err, text)
	}
}

// TestMFMTOnGCS sets the time of a file by its metadata; the content and other metadata stay.
func TestMFMTOnGCS(t *testing.T) {
	w := newWorld(t, gcsKind)
	w.yaml = strings.Replace(w.yaml, "{", `{metadata: {device: "{remote}"}, storage_class: NEARLINE, `, 1)
	g := newGateway(t, w)
	c := g.login(t, false)
	if r, err := c.Store(t.Context(), "a.jpg", []byte("picture")); err != nil || r.Code != 226 {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	if _, err := c.Expect(213, "MFMT 20010203040506 a.jpg"); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Expect(213, "MDTM a.jpg"); err != nil || !strings.Contains(r.Text, "20010203040506") {
		t.Errorf("MDTM behind MFMT: %v, %v", r, err)
	}
	w.wantObject(t, "a.jpg", []byte("picture"))
	a, err := w.store.(*store.GCS).Bucket.Object("a.jpg").Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a.Metadata["device"] != "127.0.0.1" || a.Metadata["goog-reserved-file-mtime"] != "981173106" || a.Metadata["mtime"] != "2001-02-03T04:05:06Z" ||
		a.StorageClass != "NEARLINE" {
		t.Errorf("metadata %v, class %s", a.Metadata, a.StorageClass)
	}
}

// TestRoleOfALogin logs two users into one bucket of MinIO, each with a session of
// STS that is confined to its home.
func TestRoleOfALogin(t *testing.T) {
	m, raw := minio(t)
	w := newWorld(t, localKind)
	w.env = servers.Environment("")
	w.yaml = `{type: s3, bucket: ` + bucket + `, profile: minio, endpoint: "` + m.URL() + `", encryption: AES256,
    role: {arn: "arn:minio:iam:::role/{user}", tags: {user: "{user}"}, endpoint: "` + m.URL() + `"}}`
	g := newGateway(t, w)
	c := g.login(t, false)
	data := random(9, 6<<20)
	if r, err := c.Store(t.Context(), "own.bin", data); err != nil || r.Code != 226 {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	if got, err := c.Retrieve(t.Context(), "own.bin"); err != nil || !slices.Equal(got, data) {
		t.Errorf("RETR: %d bytes, %v", len(got), err)
	}
	for _, line := range []string{"MKD d", "RNFR own.bin", "RNTO d/new.bin", "DELE d/new.bin", "RMD d"} {
		if r, err := c.Cmd(line); err != nil || r.Code >= 400 {
			t.Errorf("%s: %v, %v", line, r, err)
		}
	}
	if r, err := c.Store(t.Context(), "small.jpg", data[:1000]); err != nil || r.Code != 226 {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	h, err := raw.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &raw.Bucket, Key: aws.String("small.jpg")})
	if err != nil || h.ServerSideEncryption != "AES256" {
		t.Errorf("encryption %q, %v; want AES256", h.ServerSideEncryption, err)
	}
	// A session that is confined to its home cannot list the bucket, even where the gateway's own credentials can.
	if strings.Contains(g.Log(), "AccessDenied") {
		t.Errorf("something was refused:\n%s", g.Tail(40))
	}
}
