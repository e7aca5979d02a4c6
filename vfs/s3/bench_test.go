package s3

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func BenchmarkPutSmall(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer srv.Close()
	s, err := New(b.Context(), Options{Bucket: "b", Endpoint: srv.URL, Profile: "minio", AccessKey: "a", SecretKey: "s", Budget: object.NewBudget(64 << 20)})
	if err != nil {
		b.Fatal(err)
	}
	data := random(64 << 10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := put(s, b.Context(), "f", data, object.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutLarge(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch operation(r, "k") {
		case "begin":
			fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case "complete":
			fmt.Fprint(w, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
		}
	}))
	defer srv.Close()
	s, err := New(b.Context(), Options{Bucket: "b", Endpoint: srv.URL, Profile: "minio", AccessKey: "a", SecretKey: "s", Budget: object.NewBudget(64 << 20)})
	if err != nil {
		b.Fatal(err)
	}
	data := random(128 << 20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := put(s, b.Context(), "f", data, object.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
