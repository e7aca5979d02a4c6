package integration

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

// Test44MetadataStays renames, copies and continues objects that other programs have stored, with what servers here can keep beside
// the bytes: media type, headers, metadata and, on S3, tags. Classes, encryption and lists of grants are for the fakes.
func Test44MetadataStays(t *testing.T) {
	const big = 6 << 20
	steps := []struct {
		name  string
		size  int
		lines []string // behind which g is what f was, and longer perhaps
		more  string
	}{
		{"RNTO", 100, []string{"350 RNFR f", "250 RNTO g"}, ""},
		{"RNTO of a large one", big, []string{"350 RNFR f", "250 RNTO g"}, ""},
		{"SITE CPTO", 100, []string{"350 SITE CPFR f", "250 SITE CPTO g"}, ""},
		{"APPE", 100, []string{"350 RNFR f", "250 RNTO g"}, "more"},
		{"APPE to a large one", big, []string{"350 RNFR f", "250 RNTO g"}, "more"},
	}
	metadata := map[string]string{"device": "10.0.0.7", "site": "1"}
	t.Run(s3Kind, func(t *testing.T) {
		w := newWorld(t, s3Kind)
		w.option("profile: versitygw, storage_class: STANDARD")
		c := newGateway(t, w).login(t, false)
		raw := w.store.(*store.S3)
		for _, step := range steps {
			if _, err := raw.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &raw.Bucket, Key: aws.String("f"), Body: strings.NewReader(string(random(1, step.size))),
				ContentType: aws.String("image/x-camera"), CacheControl: aws.String("max-age=60"), ContentDisposition: aws.String("attachment"), ContentLanguage: aws.String("sw"),
				Metadata: metadata, Tagging: aws.String("kind=picture&who=cam+7")}); err != nil {
				t.Fatal(err)
			}
			expect(t, c, step.lines...)
			if step.more != "" {
				appended(t, c, "g", step.more)
			}
			w.wantObject(t, "g", append(random(1, step.size), step.more...))
			h, err := raw.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &raw.Bucket, Key: aws.String("g")})
			if err != nil {
				t.Fatal(err)
			}
			if aws.ToString(h.ContentType) != "image/x-camera" || aws.ToString(h.CacheControl) != "max-age=60" || aws.ToString(h.ContentDisposition) != "attachment" ||
				aws.ToString(h.ContentLanguage) != "sw" || !maps.Equal(h.Metadata, metadata) {
				t.Errorf("%s: type %q, cache %q, disposition %q, language %q, metadata %v", step.name, aws.ToString(h.ContentType), aws.ToString(h.CacheControl),
					aws.ToString(h.ContentDisposition), aws.ToString(h.ContentLanguage), h.Metadata)
			}
			tags, err := raw.Client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &raw.Bucket, Key: aws.String("g")})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, tag := range tags.TagSet {
				got[*tag.Key] = *tag.Value
			}
			if want := map[string]string{"kind": "picture", "who": "cam 7"}; !maps.Equal(got, want) {
				t.Errorf("%s: tags %v, want %v", step.name, got, want)
			}
		}
		w.wantNoUploads(t)
	})
	t.Run(gcsKind, func(t *testing.T) {
		w := newWorld(t, gcsKind)
		c := newGateway(t, w).login(t, false)
		raw := w.store.(*store.GCS).Bucket
		for _, step := range steps {
			o := raw.Object("f").NewWriter(t.Context())
			o.ObjectAttrs = storage.ObjectAttrs{Name: "f", ContentType: "image/x-camera", CacheControl: "max-age=60", Metadata: metadata}
			if _, err := o.Write(random(1, step.size)); err != nil {
				t.Fatal(err)
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			expect(t, c, step.lines...)
			if step.more != "" {
				appended(t, c, "g", step.more)
			}
			w.wantObject(t, "g", append(random(1, step.size), step.more...))
			a, err := raw.Object("g").Attrs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if a.ContentType != "image/x-camera" || !maps.Equal(a.Metadata, metadata) {
				t.Errorf("%s: type %q, metadata %v", step.name, a.ContentType, a.Metadata)
			}
		}
	})
}

// appended adds to a file and wants the 226.
func appended(t *testing.T, c *clients.Conn, name, more string) {
	t.Helper()
	d, err := c.Transfer(t.Context(), "APPE "+name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte(more)); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if r, err := c.ReadReply(); err != nil || r.Code != 226 {
		t.Fatalf("APPE %s: %v, %v", name, r, err)
	}
}

// Test19StrictALLO announces a byte more than it sends: with strict_allo that is a cut, and leaves what was there.
func Test19StrictALLO(t *testing.T) {
	for _, kind := range []string{s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			w.put(t, map[string]string{"small": "old", "large": "old"})
			g := prepareGateway(t, w, "profiles: {careful: {strict_allo: true}}")
			g.addUsers(t, `  - {name: careful, password: "plain:`+password+`", home: "store:/", profile: careful}`)
			g.start(t, t)
			for name, c := range map[string]*clients.Conn{"careful": g.loginAs(t, "careful"), user: g.login(t, false)} {
				for file, size := range map[string]int{"small": 1000, "large": 9 << 20} {
					want, content := 226, random(4, size-1)
					if name == "careful" {
						want, content = 426, []byte("old")
					}
					if r, err := c.Cmd(fmt.Sprint("ALLO ", size)); err != nil || r.Code >= 300 {
						t.Fatalf("ALLO: %v, %v", r, err)
					}
					if r, err := c.Store(t.Context(), file, random(4, size-1)); err != nil || r.Code != want {
						t.Errorf("%s, %s: %v, %v; want %d", name, file, r, err, want)
					}
					w.wantObject(t, file, content)
					w.put(t, map[string]string{file: "old"})
				}
			}
			// It is given up behind the reply.
			eventually(t, "no upload is open", func(ctx context.Context) (bool, error) {
				open, err := w.store.Uploads(ctx)
				return err == nil && len(open) == 0, err
			})
		})
	}
}
