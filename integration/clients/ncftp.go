package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ncftp is the family of ncftpput, ncftpget and ncftpls. Debian's build has no TLS.
type ncftp struct{}

func (ncftp) Name() string   { return "ncftp" }
func (ncftp) TLS() bool      { return false }
func (ncftp) IPv6() bool     { return false } // its URLs and its -P know IPv4 only
func (ncftp) ReadOnly() bool { return false }
func (ncftp) Installed(context.Context) error {
	for _, p := range []string{"ncftpput", "ncftpget", "ncftpls"} {
		if err := installed(p); err != nil {
			return err
		}
	}
	return nil
}

func (ncftp) run(ctx context.Context, t Target, program string, args ...string) (string, error) {
	base := []string{"-u", t.User, "-p", t.Password, "-P", fmt.Sprint(t.Port), "-r", "1", "-t", "60"}
	if t.Active {
		base = append(base, "-E")
	}
	if program != "ncftpls" {
		base = append(base, "-V") // no progress bar
	}
	return run(ctx, t.Dir, "", program, append(base, args...)...)
}

func (n ncftp) Upload(ctx context.Context, t Target, local, remote string) error {
	_, err := n.run(ctx, t, "ncftpput", "-C", t.Host, local, remote)
	return err
}

func (n ncftp) List(ctx context.Context, t Target, dir string) ([]string, error) {
	out, err := n.run(ctx, t, "ncftpls", "-1", fmt.Sprintf("ftp://%s/%%2F%s/", t.Host, strings.Trim(dir, "/")))
	list := names(out)
	for i := range list {
		list[i] = strings.TrimSuffix(list[i], "*") // as ls -F marks files that can be executed
	}
	return list, err
}

func (n ncftp) Download(ctx context.Context, t Target, remote, local string) error {
	_, err := n.run(ctx, t, "ncftpget", "-C", t.Host, remote, local)
	return err
}

// Raw commands are sent with -W after the login; that they were refused does not show in the exit
// code, so the trace (-d) is read.
func (n ncftp) raw(ctx context.Context, t Target, last string, commands ...string) error {
	args := []string{"-d", "stdout", "-1"}
	for _, c := range commands {
		args = append(args, "-W", c)
	}
	out, err := n.run(ctx, t, "ncftpls", append(args, fmt.Sprintf("ftp://%s/", t.Host))...)
	if err != nil {
		return err
	}
	_, after, found := strings.Cut(out, last)
	if !found || !strings.Contains(strings.SplitN(after, "Cmd:", 2)[0], "250") {
		return fmt.Errorf("ncftpls: %q was not answered with 250:\n%s", last, tail(out))
	}
	return nil
}

func (n ncftp) Rename(ctx context.Context, t Target, from, to string) error {
	return n.raw(ctx, t, "RNTO "+to, "RNFR "+from, "RNTO "+to)
}

func (n ncftp) Delete(ctx context.Context, t Target, remote string) error {
	return n.raw(ctx, t, "DELE "+remote, "DELE "+remote)
}

// ResumeDownload is what ncftpget does unless told otherwise.
func (n ncftp) ResumeDownload(ctx context.Context, t Target, remote, local string) error {
	_, err := n.run(ctx, t, "ncftpget", "-z", "-C", t.Host, remote, local)
	return err
}

// ResumeUpload is not to be had: "ncftpput -z" of 3.2.6 sends REST and then the file from its beginning.
func (ncftp) ResumeUpload(context.Context, Target, string, string) error {
	return errors.ErrUnsupported
}
