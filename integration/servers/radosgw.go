package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// RadosGW is a running Ceph of one node with its S3 gateway: a flat key space, no checksums, and nothing of an
// upload that was cut is ever visible.
type RadosGW struct {
	*Process
	Addr string // host:port, plain HTTP, path-style requests
}

// StartRadosGW starts Ceph on free ports, without a bucket. Its files go below dir, which must exist; its objects
// are in memory. It takes about 15 seconds. The programs are Debian's: see scripts/packages.sh.
func StartRadosGW(ctx context.Context, dir string) (*RadosGW, error) {
	if _, err := exec.LookPath("radosgw"); err != nil {
		return nil, fmt.Errorf("%w: run make packages first", err)
	}
	root, err := Root()
	if err != nil {
		return nil, err
	}
	port, err := FreePorts(20)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "ceph")
	cmd := exec.Command("bash", filepath.Join(root, "integration", "scripts", "radosgw.sh"), data, strconv.Itoa(port), S3Key, S3Secret)
	p, err := Start("radosgw", filepath.Join(dir, "radosgw.log"), cmd)
	if err != nil {
		return nil, err
	}
	r := &RadosGW{Process: p, Addr: fmt.Sprintf("127.0.0.1:%d", port)}
	if err := p.WaitReady(ctx, func(context.Context) error { _, err := os.Stat(filepath.Join(data, "ready")); return err }); err != nil {
		err = fmt.Errorf("%w\n%s", err, p.Tail(20))
		p.Kill()
		return nil, err
	}
	return r, nil
}

// URL returns the endpoint.
func (r *RadosGW) URL() string { return "http://" + r.Addr }
