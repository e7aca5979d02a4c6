package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// What is noted is not aborted by its age, also where the notes have no time of their own: accounts of a service may want that.
func TestSweepLeavesWhatIsNoted(t *testing.T) {
	for _, expire := range []time.Duration{0, 24 * time.Hour} {
		var deleted []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			switch {
			case r.Method == "DELETE":
				deleted = append(deleted, r.Method+" "+r.URL.Path)
				w.WriteHeader(204)
			case q.Has("uploads"):
				fmt.Fprint(w, "<ListMultipartUploadsResult>")
				for _, id := range []string{"x", "orphan"} {
					fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated></Upload>", id, id)
				}
				fmt.Fprint(w, "</ListMultipartUploadsResult>")
			case q.Has("uploadId"):
				w.WriteHeader(404)
				fmt.Fprint(w, "<Error><Code>NoSuchUpload</Code></Error>")
			case q.Has("list-type"):
				fmt.Fprintf(w, "<ListBucketResult><Contents><Key>.ftpgw/parked/d/n</Key><Size>1</Size><ETag>e</ETag><LastModified>%s</LastModified></Contents></ListBucketResult>",
					time.Now().UTC().Format(time.RFC3339))
			default:
				io.WriteString(w, `{"key":"x.tmp","final":"x","id":"x"}`)
			}
		}))
		log := slog.New(slog.DiscardHandler)
		s3 := &config.S3{Bucket: "bucket", Region: "us-east-1", Endpoint: srv.URL, PathStyle: true, Profile: "minio", AccessKey: "a", SecretKey: "s",
			AbandonAfter: time.Hour, ResumeExpire: expire}
		cfg := &config.Config{HTTPUsers: &config.HTTPUsers{}, Backends: map[string]config.Backend{"cams": {S3: s3}}}
		b, err := openS3(t.Context(), "cams", cfg, s3, object.NewBudget(64<<20), log, func(next http.RoundTripper) http.RoundTripper { return next })
		if err != nil {
			t.Fatal(err)
		}
		if n, err := b.sweep(t.Context()); n != 1 || err != nil {
			t.Errorf("resume_expire %v: %d, %v", expire, n, err)
		}
		if got := fmt.Sprint(deleted); got != "[DELETE /bucket/orphan]" {
			t.Errorf("resume_expire %v: %s, want the upload without a note", expire, got)
		}
		b.close()
		srv.Close()
	}
}
