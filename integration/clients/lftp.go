package clients

import (
	"context"
	"fmt"
	"strings"
)

type lftp struct{}

func (lftp) Name() string                    { return "lftp" }
func (lftp) TLS() bool                       { return true }
func (lftp) IPv6() bool                      { return true }
func (lftp) ReadOnly() bool                  { return false }
func (lftp) Installed(context.Context) error { return installed("lftp") }

// quote makes one word of lftp's command language.
func (lftp) quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (l lftp) run(ctx context.Context, t Target, command string) (string, error) {
	tls := "set ftp:ssl-allow false"
	if t.TLS {
		tls = "set ftp:ssl-force true; set ftp:ssl-protect-data true; set ssl:verify-certificate true; set ssl:ca-file " + l.quote(t.CA)
	}
	// The first error ends the script, and nothing is tried twice behind our back.
	script := fmt.Sprintf("set cmd:fail-exit true; set net:max-retries 1; set net:timeout 60; set xfer:clobber true; set ftp:passive-mode %v; %s; open -u %s,%s ftp://%s; %s",
		!t.Active, tls, l.quote(t.User), l.quote(t.Password), t.hostPort(), command)
	return run(ctx, t.Dir, "", "lftp", "--norc", "-c", script)
}

func (l lftp) Upload(ctx context.Context, t Target, local, remote string) error {
	_, err := l.run(ctx, t, "put "+l.quote(local)+" -o "+l.quote(remote))
	return err
}

func (l lftp) List(ctx context.Context, t Target, dir string) ([]string, error) {
	out, err := l.run(ctx, t, "cls -1 "+l.quote(strings.TrimSuffix(dir, "/")+"/"))
	return names(out), err
}

func (l lftp) Download(ctx context.Context, t Target, remote, local string) error {
	_, err := l.run(ctx, t, "get "+l.quote(remote)+" -o "+l.quote(local))
	return err
}

func (l lftp) Rename(ctx context.Context, t Target, from, to string) error {
	_, err := l.run(ctx, t, "mv "+l.quote(from)+" "+l.quote(to))
	return err
}

func (l lftp) Delete(ctx context.Context, t Target, remote string) error {
	_, err := l.run(ctx, t, "rm "+l.quote(remote))
	return err
}

func (l lftp) ResumeDownload(ctx context.Context, t Target, remote, local string) error {
	_, err := l.run(ctx, t, "get -c "+l.quote(remote)+" -o "+l.quote(local))
	return err
}

// ResumeUpload asks for SIZE and sends the rest with REST and STOR.
func (l lftp) ResumeUpload(ctx context.Context, t Target, local, remote string) error {
	_, err := l.run(ctx, t, "put -c "+l.quote(local)+" -o "+l.quote(remote))
	return err
}

// Mirror copies a tree with lftp's mirror, several files at a time: up, from a local directory to a
// remote one, or down.
func Mirror(ctx context.Context, t Target, up bool, from, to string, parallel int) error {
	l := lftp{}
	reverse := ""
	if up {
		reverse = "--reverse "
	}
	_, err := l.run(ctx, t, fmt.Sprintf("mirror %s--parallel=%d %s %s", reverse, parallel, l.quote(from), l.quote(to)))
	return err
}
