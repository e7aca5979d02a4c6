package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// The credentials of every S3 server that this package starts.
const (
	S3Key    = "AKIDTESTTESTTESTTEST"
	S3Secret = "secretsecretsecretsecretsecretsecretsecret"
	S3Region = "us-east-1"
)

// S3 is a running versitygw over a directory.
type S3 struct {
	*Process
	Addr string // host:port, plain HTTP, path-style requests
	Dir  string // the buckets are its subdirectories
}

// StartS3 starts versitygw on a free port with the given buckets. Its files go
// below dir, which must exist.
func StartS3(ctx context.Context, dir string, buckets ...string) (*S3, error) {
	bin, err := Program("versitygw")
	if err != nil {
		return nil, err
	}
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	// versitygw resolves relative paths against a directory of its own choice.
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	s := &S3{Addr: addr, Dir: filepath.Join(dir, "buckets")}
	iam, versions := filepath.Join(dir, "iam"), filepath.Join(dir, "versions")
	for _, d := range []string{s.Dir, iam, versions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	for _, b := range buckets {
		// The posix back end of versitygw takes a directory for a bucket.
		if err := os.MkdirAll(filepath.Join(s.Dir, b), 0o755); err != nil {
			return nil, err
		}
	}
	// Without --iam-dir an unknown key id gets the wrong error code, without
	// --versioning-dir requests about versions are not implemented.
	cmd := exec.Command(bin, "--port", addr, "--keep-alive", "--quiet", "--iam-dir", iam,
		"posix", "--versioning-dir", versions, s.Dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+S3Key, "ROOT_SECRET_KEY="+S3Secret, "VGW_REGION="+S3Region)
	s.Process, err = Start("versitygw", filepath.Join(dir, "versitygw.log"), cmd)
	if err != nil {
		return nil, err
	}
	if err := s.WaitReady(ctx, func(ctx context.Context) error { return dial(ctx, addr) }); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// URL returns the endpoint.
func (s *S3) URL() string { return "http://" + s.Addr }

// dial tells whether somebody listens on addr.
func dial(ctx context.Context, addr string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("nobody answers: %w", err)
	}
	return c.Close()
}
