package integration

import (
	"context"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
	"github.com/ftp-gateway/ftp-gateway/vfs/gcs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/s3"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// budget is small enough for parts to wait for each other.
const budget = 64 << 20

// refusedNames are the kinds of names that no bucket is given.
var refusedNames = []string{"newline", "carriage return", "tab", "control character", "delete character",
	"invalid UTF-8", "surrogate", "folder marker"}

// TestConformanceS3 runs the suite of all trees over versitygw, a real S3 server
// that keeps its objects in a POSIX file system, where it shows.
func TestConformanceS3(t *testing.T) {
	t.Parallel()
	s, err := servers.StartS3(t.Context(), t.TempDir(), "conformance")
	if err != nil {
		t.Fatal(err)
	}
	watch(t, s.Process)
	raw := store.NewS3(s.URL(), servers.S3Region, servers.S3Key, servers.S3Secret, "conformance")
	back, err := s3.New(context.WithoutCancel(t.Context()), s3.Options{Bucket: "conformance", Region: servers.S3Region, Endpoint: s.URL(), PathStyle: true,
		Profile: "versitygw", AccessKey: servers.S3Key, SecretKey: servers.S3Secret, Budget: object.NewBudget(budget), TouchByCopy: true})
	if err != nil {
		t.Fatal(err)
	}
	// An object is a file and a common prefix a directory of versitygw's disk.
	conform(t, back, raw, 5<<20, func(ctx context.Context) (int, error) { return back.AbortStale(ctx, "", 0, nil) }, map[string]string{
		"39 same name as file and directory": "versitygw cannot hold an object d beside objects below d/",
		"41 long names":                      "a segment of more than 255 bytes is no file name",
		"41 foreign keys/dot dot at the end": "versitygw refuses keys with a segment ..",
	})
}

// TestConformanceRadosGW runs it over Ceph, whose key space is flat.
func TestConformanceRadosGW(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := servers.StartRadosGW(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	watch(t, s.Process)
	raw := store.NewS3(s.URL(), servers.S3Region, servers.S3Key, servers.S3Secret, "conformance")
	if err := raw.Create(ctx); err != nil {
		t.Fatal(err)
	}
	back, err := s3.New(context.WithoutCancel(t.Context()), s3.Options{Bucket: "conformance", Region: servers.S3Region, Endpoint: s.URL(), PathStyle: true,
		Profile: "ceph", AccessKey: servers.S3Key, SecretKey: servers.S3Secret, Budget: object.NewBudget(budget), TouchByCopy: true})
	if err != nil {
		t.Fatal(err)
	}
	conform(t, back, raw, 5<<20, func(ctx context.Context) (int, error) { return back.AbortStale(ctx, "", 0, nil) }, map[string]string{})
}

// TestConformanceGCS runs it over fake-gcs-server, which ignores preconditions on
// delete, update, read and copy: those are shown by the tests of package gcs.
func TestConformanceGCS(t *testing.T) {
	t.Parallel()
	g, err := servers.StartGCS(t.Context(), t.TempDir(), "", "conformance")
	if err != nil {
		t.Fatal(err)
	}
	watch(t, g.Process)
	ctx := context.WithoutCancel(t.Context())
	raw, err := store.NewGCS(ctx, g.URL(), "conformance")
	if err != nil {
		t.Fatal(err)
	}
	back, err := gcs.New(ctx, gcs.Options{Bucket: "conformance", Endpoint: g.URL(), Anonymous: true, Budget: object.NewBudget(budget), PartSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	conform(t, back, raw, 1<<20, func(context.Context) (int, error) { return 0, nil }, map[string]string{})
}

// conform runs the suite. Each of its subtests gets the bucket empty, and leaves no upload open; sweep
// is the janitor that removes an upload whose beginning the server has answered to nobody.
func conform(t *testing.T, back object.Store, raw store.Emptier, part int64, sweep func(context.Context) (int, error), deviations map[string]string) {
	vfstest.Run(t, func(t *testing.T) afero.Fs {
		if err := raw.Empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		tree, err := object.New(back, object.Options{StrictClash: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx := context.WithoutCancel(t.Context())
			if n, err := sweep(ctx); n > 0 || err != nil {
				t.Logf("the janitor removed %d uploads, %v", n, err)
			}
			open, err := raw.Uploads(ctx)
			if err != nil || len(open) > 0 {
				t.Errorf("uploads are left open: %q, %v", open, err)
			}
		})
		return tree
	}, vfstest.Caps{
		FirstPart:    part,
		Append:       true,
		Resume:       true,
		ImplicitDirs: true,
		Chtimes:      true,
		RenameDir:    true,
		MaxKey:       1023,
		Refuses:      refusedNames,
		PutRaw: func(t *testing.T, _ afero.Fs, key string, content []byte) error {
			return raw.Put(t.Context(), key, content)
		},
		Deviations: deviations,
	})
}
