package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// MinIO is a running MinIO: the S3 server here that has AssumeRole and access control of its own.
type MinIO struct {
	*Process
	Addr string // host:port, plain HTTP, path-style requests
}

// StartMinIO starts MinIO on free ports with the given buckets. Its files go below dir, which must exist.
func StartMinIO(ctx context.Context, dir string, buckets ...string) (*MinIO, error) {
	bin, err := Program("minio")
	if err != nil {
		return nil, err
	}
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	console, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "minio")
	for _, b := range append([]string{""}, buckets...) {
		// On a single disk a directory is a bucket.
		if err := os.MkdirAll(filepath.Join(data, b), 0o755); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(bin, "server", "--address", addr, "--console-address", console, data)
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+S3Key, "MINIO_ROOT_PASSWORD="+S3Secret, "MINIO_UPDATE=off",
		"MINIO_KMS_SECRET_KEY=test:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	p, err := Start("minio", filepath.Join(dir, "minio.log"), cmd)
	if err != nil {
		return nil, err
	}
	m := &MinIO{Process: p, Addr: addr}
	if err := p.WaitReady(ctx, func(ctx context.Context) error { return healthy(ctx, m.URL()+"/minio/health/cluster") }); err != nil {
		p.Kill()
		return nil, err
	}
	return m, nil
}

// URL returns the endpoint.
func (m *MinIO) URL() string { return "http://" + m.Addr }

// healthy tells whether a page is answered with 200.
func healthy(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
