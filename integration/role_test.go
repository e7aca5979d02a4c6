package integration

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/s3"
)

// minio starts MinIO with the bucket, and returns it and the view of it past the gateway.
func minio(t *testing.T) (*servers.MinIO, *store.S3) {
	t.Helper()
	m, err := servers.StartMinIO(t.Context(), t.TempDir(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, m.Process)
	raw := store.NewS3(m.URL(), servers.S3Region, servers.S3Key, servers.S3Secret, bucket)
	// It is healthy before its access control is ready.
	eventually(t, "MinIO knows its users", func(ctx context.Context) (bool, error) {
		_, err := raw.Get(ctx, "none")
		return errors.Is(err, fs.ErrNotExist), err
	})
	return m, raw
}

// TestRoleConfines asks, with the credentials of one user's session, for what is
// another's. The requests are well formed and go past all of our own checks of
// names: who refuses them is MinIO's access control.
func TestRoleConfines(t *testing.T) {
	m, raw := minio(t)
	ctx := t.Context()
	for _, key := range []string{"site/cam7/own.jpg", "site/cam8/secret.jpg", "site/cam77/near.jpg"} {
		if err := raw.Put(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := s3.New(context.WithoutCancel(ctx), s3.Options{Bucket: bucket, Endpoint: m.URL(), Profile: "minio",
		AccessKey: servers.S3Key, SecretKey: servers.S3Secret, Budget: object.NewBudget(budget)})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	policy, err := whole.Confine("site/cam7/")
	if err != nil {
		t.Fatal(err)
	}
	cam7 := whole.As(s3.Role{ARN: "arn:minio:iam:::role/ftp", SessionName: "ftp-cam7", Policy: policy, Endpoint: m.URL()})

	// What is its own it can do.
	put := func(s *s3.Store, key string, data []byte) error {
		u, err := s.Put(ctx, key, object.PutOptions{})
		if err != nil {
			return err
		}
		if _, err := u.Write(data); err != nil {
			return errors.Join(err, u.Abort(ctx))
		}
		return u.Commit(ctx)
	}
	read := func(s *s3.Store, key string) ([]byte, error) {
		body, _, err := s.Get(ctx, key, 0)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return io.ReadAll(body)
	}
	big := random(7, 6<<20)
	if err := put(cam7, "site/cam7/big.bin", big); err != nil {
		t.Errorf("a multipart upload of its own: %v", err)
	}
	if got, err := read(cam7, "site/cam7/big.bin"); err != nil || !bytes.Equal(got, big) {
		t.Errorf("its own object: %d bytes, %v", len(got), err)
	}
	p, err := cam7.List(ctx, "site/cam7/", "", 100)
	if err != nil || len(p.Objects) != 2 {
		t.Errorf("its own directory: %v, %v", p.Objects, err)
	}
	a, err := cam7.Head(ctx, "site/cam7/own.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if err := cam7.Copy(ctx, "site/cam7/new.jpg", a, object.CopyOptions{}); err != nil {
		t.Errorf("a rename of its own: %v", err)
	}
	if err := cam7.Delete(ctx, "site/cam7/new.jpg", ""); err != nil {
		t.Errorf("a deletion of its own: %v", err)
	}

	// What is another's it cannot, although the same requests work without the role.
	other, err := whole.Head(ctx, "site/cam8/secret.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for what, try := range map[string]func(s *s3.Store) error{
		"read":                  func(s *s3.Store) error { _, err := read(s, "site/cam8/secret.jpg"); return err },
		"read, a near name":     func(s *s3.Store) error { _, err := read(s, "site/cam77/near.jpg"); return err },
		"head":                  func(s *s3.Store) error { _, err := s.Head(ctx, "site/cam8/secret.jpg"); return err },
		"list":                  func(s *s3.Store) error { _, err := s.List(ctx, "site/cam8/", "", 10); return err },
		"list above":            func(s *s3.Store) error { _, err := s.List(ctx, "site/", "", 10); return err },
		"list all":              func(s *s3.Store) error { _, err := s.ListAll(ctx, "", "", 10); return err },
		"write":                 func(s *s3.Store) error { return put(s, "site/cam8/new.jpg", []byte("x")) },
		"write in parts":        func(s *s3.Store) error { return put(s, "site/cam8/new.jpg", big) },
		"copy from there":       func(s *s3.Store) error { return s.Copy(ctx, "site/cam7/stolen.jpg", other, object.CopyOptions{}) },
		"copy to there":         func(s *s3.Store) error { return s.Copy(ctx, "site/cam8/planted.jpg", a, object.CopyOptions{}) },
		"delete (the last one)": func(s *s3.Store) error { return s.Delete(ctx, "site/cam8/new.jpg", "") },
	} {
		if err := try(cam7); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v, want fs.ErrPermission", what, err)
		}
	}
	names, err := raw.Names(ctx, "")
	if want := []string{"site/cam7/big.bin", "site/cam7/own.jpg", "site/cam77/near.jpg", "site/cam8/secret.jpg"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("the bucket holds %q (%v), want %q", names, err, want)
	}
	if open, err := raw.Uploads(ctx); err != nil || len(open) > 0 {
		t.Errorf("uploads are open: %q, %v", open, err)
	}
	if _, err := read(whole, "site/cam8/secret.jpg"); err != nil {
		t.Errorf("without the role: %v", err)
	}
}
