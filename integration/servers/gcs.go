package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// GCS is a running fake-gcs-server that keeps its objects in memory.
type GCS struct {
	*Process
	Addr string // host:port, plain HTTP
}

// StartGCS starts fake-gcs-server on a free port with the given buckets. front
// is the host:port at which clients will see it, empty for its own address: the server recognises downloads by
// the Host header and names itself in the address of a resumable upload, so
// a proxy before it has to be known at the start.
func StartGCS(ctx context.Context, dir, front string, buckets ...string) (*GCS, error) {
	bin, err := Program("fake-gcs-server")
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	g := &GCS{Addr: fmt.Sprintf("127.0.0.1:%d", port)}
	if front == "" {
		front = g.Addr
	}
	cmd := exec.Command(bin, "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", fmt.Sprint(port),
		"-public-host", front, "-external-url", "http://"+front, "-data", "")
	cmd.Dir = dir
	cmd.Env = os.Environ()
	g.Process, err = Start("fake-gcs-server", filepath.Join(dir, "fake-gcs-server.log"), cmd)
	if err != nil {
		return nil, err
	}
	if err := g.WaitReady(ctx, func(ctx context.Context) error { return dial(ctx, g.Addr) }); err != nil {
		g.Kill()
		return nil, err
	}
	for _, b := range buckets {
		if err := g.makeBucket(ctx, b); err != nil {
			g.Kill()
			return nil, err
		}
	}
	return g, nil
}

func (g *GCS) makeBucket(ctx context.Context, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL()+"/storage/v1/b?project=test",
		strings.NewReader(fmt.Sprintf(`{"name":%q}`, name)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("make bucket %s: %s", name, resp.Status)
	}
	return nil
}

// URL returns the endpoint of the JSON API's host.
func (g *GCS) URL() string { return "http://" + g.Addr }
