package clients

import (
	"context"
	"errors"
	"fmt"
	"regexp"
)

// tnftp is NetBSD's ftp, the classic interactive client. It has no TLS for FTP.
type tnftp struct{}

func (tnftp) Name() string                    { return "tnftp" }
func (tnftp) TLS() bool                       { return false }
func (tnftp) IPv6() bool                      { return true }
func (tnftp) ReadOnly() bool                  { return false }
func (tnftp) Installed(context.Context) error { return installed("tnftp") }

// refused finds a reply of the classes 4 and 5, save the 500 to the options that the client merely tries.
var refused = regexp.MustCompile(`(?m)^[45]\d\d[ -].*$`)

// run types a script. The exit code tells nothing about the commands in it, so
// the replies are read from the output.
func (tnftp) run(ctx context.Context, t Target, command, want string) (string, error) {
	script := fmt.Sprintf("open %s %d\nuser %q %q\nbinary\n%s\nquit\n", t.Host, t.Port, t.User, t.Password, command)
	mode := "-p"
	if t.Active {
		mode = "-A"
	}
	out, err := run(ctx, t.Dir, script, "tnftp", "-n", "-v", "-i", mode)
	if err != nil {
		return out, err
	}
	if bad := refused.FindString(out); bad != "" {
		return out, fmt.Errorf("tnftp: %s: %s\n%s", command, bad, tail(out))
	}
	if !regexp.MustCompile(`(?m)^` + want + `[ -]`).MatchString(out) {
		return out, fmt.Errorf("tnftp: %s: no reply %s\n%s", command, want, tail(out))
	}
	return out, nil
}

func (c tnftp) Upload(ctx context.Context, t Target, local, remote string) error {
	_, err := c.run(ctx, t, fmt.Sprintf("put %q %q", local, remote), "226")
	return err
}

func (c tnftp) List(ctx context.Context, t Target, dir string) ([]string, error) {
	file, remove, err := tempName(t.Dir)
	if err != nil {
		return nil, err
	}
	defer remove()
	if _, err := c.run(ctx, t, fmt.Sprintf("nlist %q %q", dir, file), "226"); err != nil {
		return nil, err
	}
	return readNames(file)
}

func (c tnftp) Download(ctx context.Context, t Target, remote, local string) error {
	_, err := c.run(ctx, t, fmt.Sprintf("get %q %q", remote, local), "226")
	return err
}

func (c tnftp) Rename(ctx context.Context, t Target, from, to string) error {
	_, err := c.run(ctx, t, fmt.Sprintf("rename %q %q", from, to), "250")
	return err
}

func (c tnftp) Delete(ctx context.Context, t Target, remote string) error {
	_, err := c.run(ctx, t, fmt.Sprintf("delete %q", remote), "250")
	return err
}

// ResumeDownload is reget: SIZE, REST and RETR.
func (c tnftp) ResumeDownload(ctx context.Context, t Target, remote, local string) error {
	_, err := c.run(ctx, t, fmt.Sprintf("reget %q %q", remote, local), "226")
	return err
}

// ResumeUpload has no command of its own.
func (tnftp) ResumeUpload(context.Context, Target, string, string) error {
	return errors.ErrUnsupported
}
