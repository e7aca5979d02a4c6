package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// The stores that a peer may keep its files in. Peers of one kind are compared with each other.
const (
	onDisk = "disk"
	onS3   = "s3"
)

// peer is what can be measured. A further server is one more implementation
// and a line in allPeers.
type peer interface {
	// Name is the heading of its column.
	Name() string
	// Kind is onDisk or onS3.
	Kind() string
	// Start starts it over an empty tree. Its files go below dir, which is
	// empty. The tree has a directory "up" that clients can write into.
	Start(ctx context.Context, dir string) (*target, error)
}

// allPeers are all peers, the product first in each kind: the others are what it is compared with.
func allPeers(gateway string) []peer {
	return []peer{localGateway{gateway}, vsftpd{}, s3Gateway{gateway}, sdkAlone{}}
}

func names(peers []peer) []string {
	var list []string
	for _, p := range peers {
		list = append(list, p.Name())
	}
	return list
}

// target is a started peer.
type target struct {
	dial func(ctx context.Context) (session, error)
	proc *processes // what is measured
	disk string     // the directory behind the tree, where it is one
	mlsd bool       // knows MLSD
	stop func()     // kills it
}

// session is somebody who moves files. It is used by one goroutine.
type session interface {
	// Put stores size bytes under a name below "up"; see content.
	Put(ctx context.Context, name string, size int64) error
	// Get fetches a file, throws its bytes away and returns their number.
	Get(ctx context.Context, name string) (int64, error)
	Close() error
}

// publicTree makes the tree that FTP servers on a disk serve to anonymous clients.
func publicTree(dir string) (string, error) {
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return "", err
	}
	up := filepath.Join(tree, "up")
	if err := os.Mkdir(up, 0o755); err != nil {
		return "", err
	}
	// Past the umask: a server may write as any user.
	return tree, os.Chmod(up, 0o777)
}

// ftpTarget is a started FTP server that takes anonymous logins.
func ftpTarget(p *servers.Process, addr, disk string, mlsd bool) *target {
	return &target{
		dial: func(ctx context.Context) (session, error) { return login(ctx, addr) },
		proc: &processes{first: p.PID()}, disk: disk, mlsd: mlsd, stop: p.Kill,
	}
}
