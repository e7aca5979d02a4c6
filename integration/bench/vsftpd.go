package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// vsftpdPorts is its passive range. It tries a few ports of it at random and ends the
// session when all of them are in use, so there have to be many more than clients.
const vsftpdPorts = 500

// vsftpd is Debian's package of it, with its own defaults where they are about
// speed or memory: two processes a session, sendfile. It has to be started by root.
type vsftpd struct{}

func (vsftpd) Name() string { return "vsftpd" }
func (vsftpd) Kind() string { return onDisk }

func (v vsftpd) Start(ctx context.Context, dir string) (*target, error) {
	bin, err := exec.LookPath("vsftpd")
	if err != nil {
		// Not in everybody's PATH.
		if bin, err = exec.LookPath("/usr/sbin/vsftpd"); err != nil {
			return nil, fmt.Errorf("vsftpd is not installed: %w", err)
		}
	}
	tree, err := publicTree(dir)
	if err != nil {
		return nil, err
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		return nil, err
	}
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	first, err := servers.FreePorts(vsftpdPorts)
	if err != nil {
		return nil, err
	}
	settings := []string{
		"background=NO", "listen=YES", "listen_ipv6=NO", "listen_address=127.0.0.1", fmt.Sprintf("listen_port=%d", port),
		fmt.Sprintf("pasv_min_port=%d", first), fmt.Sprintf("pasv_max_port=%d", first+vsftpdPorts-1),
		"max_clients=0", "max_per_ip=0",
		"anonymous_enable=YES", "local_enable=NO", "anon_root=" + tree, "anon_world_readable_only=NO",
		"write_enable=YES", "anon_upload_enable=YES", "anon_other_write_enable=YES", "anon_mkdir_write_enable=YES", "anon_umask=022",
		"secure_chroot_dir=" + empty,
		// It writes a line for each transfer, as the gateway does.
		"xferlog_enable=YES", "vsftpd_log_file=" + filepath.Join(dir, "transfers.log"),
		// The filter stops the process on kernels newer than the package.
		"seccomp_sandbox=NO",
	}
	conf := filepath.Join(dir, "vsftpd.conf")
	if err := os.WriteFile(conf, []byte(strings.Join(settings, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, conf)
	cmd.Dir = dir
	p, err := servers.Start(v.Name(), filepath.Join(dir, "vsftpd.log"), cmd)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if err := p.WaitReady(ctx, func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}); err != nil {
		p.Kill()
		return nil, err
	}
	return ftpTarget(p, addr, tree, false), nil
}
