package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// passivePorts are enough for all clients at once: they come from one address here, and
// no two waiting sessions of one address share a port.
const passivePorts = 100

// localGateway is the product before a directory.
type localGateway struct{ bin string }

func (localGateway) Name() string { return "ftp-gateway" }
func (localGateway) Kind() string { return onDisk }

func (g localGateway) Start(ctx context.Context, dir string) (*target, error) {
	tree, err := publicTree(dir)
	if err != nil {
		return nil, err
	}
	p, err := startGateway(ctx, g.bin, dir, fmt.Sprintf("{type: local, path: %q}", tree), nil)
	if err != nil {
		return nil, err
	}
	return ftpTarget(p.Process, p.Addr, tree, true), nil
}

// s3Gateway is the product before a bucket.
type s3Gateway struct{ bin string }

func (s3Gateway) Name() string { return "ftp-gateway-s3" }
func (s3Gateway) Kind() string { return onS3 }

func (g s3Gateway) Start(ctx context.Context, dir string) (*target, error) {
	store, err := servers.StartS3(ctx, dir, bucket)
	if err != nil {
		return nil, err
	}
	back := fmt.Sprintf("{type: s3, bucket: %s, region: %s, endpoint: %q, path_style: true, profile: versitygw}", bucket, servers.S3Region, store.URL())
	p, err := startGateway(ctx, g.bin, dir, back, servers.Environment(""))
	if err != nil {
		store.Kill()
		return nil, err
	}
	t := ftpTarget(p.Process, p.Addr, "", true)
	t.proc.others = []int{store.PID()}
	t.stop = func() { p.Kill(); store.Kill() }
	return t, nil
}

// startGateway starts the gateway with one back end, all of it open to anonymous clients.
func startGateway(ctx context.Context, bin, dir, back string, env []string) (*servers.Gateway, error) {
	addr, err := servers.FreeAddr()
	if err != nil {
		return nil, err
	}
	first, err := servers.FreePorts(passivePorts)
	if err != nil {
		return nil, err
	}
	text := strings.Join([]string{
		fmt.Sprintf("listeners: [{address: %q}]", addr),
		fmt.Sprintf("passive: {ports: %d-%d}", first, first+passivePorts-1),
		"limits: {connections: 0}",
		"backends:",
		"  store: " + back,
		`anonymous: {home: "store:/", permissions: elradfmw}`,
	}, "\n") + "\n"
	conf := filepath.Join(dir, "ftp-gateway.yaml")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return servers.StartGateway(ctx, servers.GatewayOptions{
		Bin: bin, Dir: dir, Args: []string{"serve", "--config", conf}, Env: env, Addr: addr,
	})
}
