// Command demo shows the gateway at work on this machine: it starts a store on
// loopback and the gateway before it, says what to type, and ends both at Ctrl-C.
//
//	demo -backend s3|gcs|local [-dir DIR] [-port 2121]
//
// It is what "make demo" runs. The objects stay in the directory when it has ended,
// where the store keeps them on disk at all: the GCS server has them in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

const (
	bucket   = "photos"
	user     = "camera"
	password = "demo"
)

func main() {
	backend := flag.String("backend", "s3", "s3, gcs or local")
	dir := flag.String("dir", "", "directory for everything; default: a new temporary one")
	port := flag.Int("port", 2121, "port of the gateway on 127.0.0.1; another one is taken when it is not free")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *backend, *dir, *port); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, backend, dir string, port int) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "ftp-gateway-demo-"); err != nil {
			return err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fmt.Println("building the gateway ...")
	bin, err := servers.BuildGateway(ctx)
	if err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var processes []*servers.Process
	// The gateway was started last and ends first, so that it can finish with its store.
	defer func() {
		for i := len(processes) - 1; i >= 0; i-- {
			err = errors.Join(err, processes[i].Stop(15*time.Second))
		}
		fmt.Println("\neverything has ended.")
		if _, statErr := os.Stat(filepath.Join(dir, "ftp-gateway.log")); statErr == nil {
			fmt.Println("logs and what was stored on disk are still in", dir)
		}
	}()

	s, err := start(ready, backend, dir)
	if err != nil {
		return err
	}
	if s.process != nil {
		processes = append(processes, s.process)
	}
	if !free(port) {
		if port, err = servers.FreePort(); err != nil {
			return err
		}
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	conf := filepath.Join(dir, "ftp-gateway.yaml")
	text := strings.Join([]string{
		"# The configuration of the demonstration. The bar is low because only this machine gets in.",
		"listeners:",
		fmt.Sprintf("  - {address: %q}", addr),
		"backends:",
		"  store: " + s.yaml,
		"users:",
		fmt.Sprintf("  - {name: %s, password: %q, home: \"store:/\"}", user, "plain:"+password),
		"",
	}, "\n")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	g, err := servers.StartGateway(ready, servers.GatewayOptions{Bin: bin, Dir: dir, Args: []string{"serve", "--config", conf}, Env: s.env, Addr: addr})
	if err != nil {
		return err
	}
	processes = append(processes, g.Process)

	fmt.Printf(`
The gateway listens on %[1]s; behind it is %[2]s.
Its configuration: %[3]s
Its log:           %[4]s

In another terminal:

  curl -T photo.jpg ftp://%[5]s:%[6]s@%[1]s/
  curl ftp://%[5]s:%[6]s@%[1]s/
  lftp -u %[5]s,%[6]s ftp://%[1]s

Where it went:

  %[7]s

Ctrl-C ends everything.
`, addr, s.what, conf, filepath.Join(dir, "ftp-gateway.log"), user, password, s.look)

	// A process that ends by itself ends the demonstration.
	var storeDone <-chan struct{}
	if s.process != nil {
		storeDone = s.process.Done()
	}
	select {
	case <-ctx.Done():
		return nil
	case <-g.Done():
		return fmt.Errorf("the gateway ended by itself:\n%s", g.Tail(20))
	case <-storeDone:
		return fmt.Errorf("the store ended by itself:\n%s", s.process.Tail(20))
	}
}

// backing is a store that runs.
type backing struct {
	process *servers.Process // nil for a directory
	yaml    string           // the back end in the configuration
	env     []string
	what    string // for the reader
	look    string // how to see the objects
}

func start(ctx context.Context, backend, dir string) (backing, error) {
	switch backend {
	case "s3":
		s, err := servers.StartS3(ctx, dir, bucket)
		if err != nil {
			return backing{}, err
		}
		return backing{s.Process,
			fmt.Sprintf("{type: s3, bucket: %s, region: %s, endpoint: %q, profile: versitygw}", bucket, servers.S3Region, s.URL()),
			servers.Environment(""),
			fmt.Sprintf("the bucket %q of an S3 server (versitygw) on %s", bucket, s.Addr),
			fmt.Sprintf("ls -l %s        # the S3 server keeps each object as a file", filepath.Join(s.Dir, bucket))}, nil
	case "gcs":
		g, err := servers.StartGCS(ctx, dir, "", bucket)
		if err != nil {
			return backing{}, err
		}
		return backing{g.Process,
			fmt.Sprintf("{type: gcs, bucket: %s}", bucket),
			servers.Environment(g.Addr),
			fmt.Sprintf("the bucket %q of a GCS server (fake-gcs-server, in memory) on %s", bucket, g.Addr),
			fmt.Sprintf("curl %s/storage/v1/b/%s/o        # the server's own JSON API", g.URL(), bucket)}, nil
	case "local":
		disk := filepath.Join(dir, "files")
		if err := os.MkdirAll(disk, 0o755); err != nil {
			return backing{}, err
		}
		return backing{nil, fmt.Sprintf("{type: local, path: %q}", disk), nil, "the directory " + disk, "ls -l " + disk}, nil
	}
	return backing{}, fmt.Errorf("no back end %q: s3, gcs or local", backend)
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
