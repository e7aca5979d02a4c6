package clients

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

type curl struct{}

func (curl) Name() string                    { return "curl" }
func (curl) TLS() bool                       { return true }
func (curl) IPv6() bool                      { return true }
func (curl) ReadOnly() bool                  { return false }
func (curl) Installed(context.Context) error { return installed("curl") }

func (curl) run(ctx context.Context, t Target, args ...string) (string, error) {
	base := []string{"--silent", "--show-error", "--fail", "--user", t.User + ":" + t.Password}
	if t.TLS {
		base = append(base, "--ssl-reqd", "--cacert", t.CA)
	}
	if t.Active {
		base = append(base, "--ftp-port", "-")
	}
	return run(ctx, t.Dir, "", "curl", append(base, args...)...)
}

// url writes an absolute path: its first slash has to be escaped.
func (curl) url(t Target, path string) string {
	u := url.URL{Path: strings.TrimPrefix(path, "/")}
	return fmt.Sprintf("ftp://%s/%%2f%s", t.hostPort(), u.EscapedPath())
}

func (c curl) Upload(ctx context.Context, t Target, local, remote string) error {
	_, err := c.run(ctx, t, "--upload-file", local, c.url(t, remote))
	return err
}

func (c curl) List(ctx context.Context, t Target, dir string) ([]string, error) {
	out, err := c.run(ctx, t, "--list-only", c.url(t, strings.TrimSuffix(dir, "/")+"/"))
	return names(out), err
}

func (c curl) Download(ctx context.Context, t Target, remote, local string) error {
	_, err := c.run(ctx, t, "--output", local, c.url(t, remote))
	return err
}

func (c curl) Rename(ctx context.Context, t Target, from, to string) error {
	_, err := c.run(ctx, t, "--head", "--quote", "RNFR "+from, "--quote", "RNTO "+to, fmt.Sprintf("ftp://%s/", t.hostPort()))
	return err
}

func (c curl) Delete(ctx context.Context, t Target, remote string) error {
	_, err := c.run(ctx, t, "--head", "--quote", "DELE "+remote, fmt.Sprintf("ftp://%s/", t.hostPort()))
	return err
}

func (c curl) ResumeDownload(ctx context.Context, t Target, remote, local string) error {
	_, err := c.run(ctx, t, "--continue-at", "-", "--output", local, c.url(t, remote))
	return err
}

// ResumeUpload asks for SIZE and sends the rest with APPE.
func (c curl) ResumeUpload(ctx context.Context, t Target, local, remote string) error {
	_, err := c.run(ctx, t, "--continue-at", "-", "--upload-file", local, c.url(t, remote))
	return err
}
