// Package clients drives FTP clients that people and devices use, as real
// processes, through one interface. It also has a raw client of its own (Conn),
// which can do what no well-behaved program does.
package clients

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Target is the server that a client is pointed at.
type Target struct {
	Host     string // a name or an address, of IPv6 without brackets
	Port     int
	User     string
	Password string
	// TLS asks for explicit FTPS with protected data; CA is the file with the
	// authority to trust. A client that cannot do it is told so by Client.TLS.
	TLS bool
	CA  string
	// Active lets the server open the data connections (PORT, EPRT).
	Active bool
	// Dir is where a client may put temporary files.
	Dir string
	// Timeout is the patience of those clients that have a setting for it; default 2 min.
	Timeout time.Duration
}

// hostPort is the server in a URL.
func (t Target) hostPort() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// timeout returns whole seconds.
func (t Target) timeout() string {
	d := t.Timeout
	if d == 0 {
		d = 2 * time.Minute
	}
	return strconv.Itoa(int(d.Seconds()))
}

// Client is an FTP client program. Remote names are absolute paths; their
// directory exists. An error holds the program's output.
type Client interface {
	// Name returns the client's name.
	Name() string
	// TLS tells whether the program can speak explicit FTPS.
	TLS() bool
	// IPv6 tells whether the program can reach a server at an address of IPv6.
	IPv6() bool
	// ReadOnly tells whether it can only list and download.
	ReadOnly() bool
	// Installed returns an error when the program, or a part of it, is missing.
	Installed(ctx context.Context) error

	Upload(ctx context.Context, t Target, local, remote string) error
	// List returns the names in a directory.
	List(ctx context.Context, t Target, dir string) ([]string, error)
	Download(ctx context.Context, t Target, remote, local string) error
	Rename(ctx context.Context, t Target, from, to string) error
	Delete(ctx context.Context, t Target, remote string) error
}

// Resumer is a client that can go on where a transfer stopped.
type Resumer interface {
	Client
	// ResumeDownload fetches what local does not have yet.
	ResumeDownload(ctx context.Context, t Target, remote, local string) error
	// ResumeUpload sends what remote does not have yet; errors.ErrUnsupported from programs that cannot.
	ResumeUpload(ctx context.Context, t Target, local, remote string) error
}

// All returns every client that the tests use.
func All() []Client {
	return []Client{curl{}, lftp{}, ncftp{}, tnftp{}, ftplib{}, netFTP{}, wget{}}
}

// run runs a program with the given standard input and returns its standard output.
func run(ctx context.Context, dir, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	// A home of its own: no program reads the caller's settings or writes a history there.
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8", "NO_PROXY=*")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s", filepath.Base(name), err, tail(out.String()), tail(errs.String()))
	}
	return out.String(), nil
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// installed looks for a program.
func installed(name string) error {
	_, err := exec.LookPath(name)
	return err
}

// names cuts a listing of bare names into its lines. Directory parts that some
// clients put before each name are taken off.
func names(out string) []string {
	var list []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		list = append(list, filepath.Base(line))
	}
	return list
}
