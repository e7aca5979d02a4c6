package clients

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// wget can list and download. Its ftps scheme is explicit TLS unless told otherwise.
type wget struct{}

func (wget) Name() string                    { return "wget" }
func (wget) TLS() bool                       { return true }
func (wget) IPv6() bool                      { return true }
func (wget) ReadOnly() bool                  { return true }
func (wget) Installed(context.Context) error { return installed("wget") }

func (wget) run(ctx context.Context, t Target, remote string, more ...string) (string, error) {
	scheme := "ftp"
	args := []string{"--no-config", "--no-verbose", "--tries=1", "--timeout=60", "--user=" + t.User, "--password=" + t.Password}
	if t.TLS {
		scheme = "ftps"
		args = append(args, "--ca-certificate="+t.CA)
	}
	if t.Active {
		args = append(args, "--no-passive-ftp")
	}
	args = append(args, more...)
	u := url.URL{Path: strings.TrimPrefix(remote, "/")}
	return run(ctx, t.Dir, "", "wget", append(args, fmt.Sprintf("%s://%s/%s", scheme, t.hostPort(), u.EscapedPath()))...)
}

var href = regexp.MustCompile(`<a href="([^"]*)">`)

// List reads the page that wget makes of a LIST. The links begin at the root.
func (w wget) List(ctx context.Context, t Target, dir string) ([]string, error) {
	page, err := w.run(ctx, t, strings.TrimSuffix(dir, "/")+"/", "--output-document=-")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, m := range href.FindAllStringSubmatch(page, -1) {
		u, err := url.Parse(html.UnescapeString(m[1]))
		if err != nil {
			return nil, err
		}
		list = append(list, path.Base(u.Path))
	}
	return list, nil
}

func (w wget) Download(ctx context.Context, t Target, remote, local string) error {
	_, err := w.run(ctx, t, remote, "--output-document="+local)
	return err
}

func (wget) Upload(context.Context, Target, string, string) error { return errors.ErrUnsupported }
func (wget) Rename(context.Context, Target, string, string) error { return errors.ErrUnsupported }
func (wget) Delete(context.Context, Target, string) error         { return errors.ErrUnsupported }

func (w wget) ResumeDownload(ctx context.Context, t Target, remote, local string) error {
	_, err := w.run(ctx, t, remote, "--continue", "--output-document="+local)
	return err
}

func (wget) ResumeUpload(context.Context, Target, string, string) error { return errors.ErrUnsupported }
