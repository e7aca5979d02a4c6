package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Gateway is the running product.
type Gateway struct {
	*Process
	Addr string // host:port of the first listener
}

// GatewayOptions says how the gateway is started.
type GatewayOptions struct {
	Bin  string   // the binary; see BuildGateway
	Dir  string   // working directory; the log file is put there
	Args []string // the command line
	Env  []string // added to the environment; see Environment
	Addr string   // host:port where the greeting is expected
	// Wrap is put before the command line: strace, for example.
	Wrap []string
	// Credential is who runs it; nil for the caller.
	Credential *syscall.Credential
	// OnlyEnv keeps the caller's environment out.
	OnlyEnv bool
}

// StartGateway starts the gateway and waits for its greeting.
func StartGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	g, err := LaunchGateway(o)
	if err != nil {
		return nil, err
	}
	if err := g.WaitReady(ctx, func(ctx context.Context) error { return greeting(ctx, o.Addr) }); err != nil {
		g.Kill()
		return nil, err
	}
	return g, nil
}

// LaunchGateway starts the gateway and does not wait for anything.
func LaunchGateway(o GatewayOptions) (*Gateway, error) {
	line := append(append([]string{}, o.Wrap...), append([]string{o.Bin}, o.Args...)...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = o.Dir
	if !o.OnlyEnv {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, o.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: o.Credential}
	p, err := Start("ftp-gateway", filepath.Join(o.Dir, "ftp-gateway.log"), cmd)
	if err != nil {
		return nil, err
	}
	return &Gateway{Process: p, Addr: o.Addr}, nil
}

// Environment returns what the SDKs inside the gateway need to speak to the
// servers of this package: the S3 credentials, and gcs, the host:port of the GCS server (empty for none).
func Environment(gcs string) []string {
	env := []string{"AWS_ACCESS_KEY_ID=" + S3Key, "AWS_SECRET_ACCESS_KEY=" + S3Secret, "AWS_REGION=" + S3Region,
		// Nothing asks the address of a cloud's metadata service.
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null"}
	if gcs != "" {
		env = append(env, "STORAGE_EMULATOR_HOST="+gcs)
	}
	return env
}

// greeting connects, expects the 220 and leaves in order.
func greeting(ctx context.Context, addr string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if d, ok := ctx.Deadline(); ok {
		c.SetDeadline(d)
	}
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		if strings.HasPrefix(line, "220 ") {
			break
		}
		if !strings.HasPrefix(line, "220-") && !strings.HasPrefix(line, " ") {
			return fmt.Errorf("greeting: got %q", line)
		}
	}
	fmt.Fprint(c, "QUIT\r\n")
	_, err = r.ReadString('\n')
	return err
}
