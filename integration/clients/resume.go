package clients

import "context"

// CurlResume continues an upload where the remote file ends: SIZE, then APPE of the rest.
func CurlResume(ctx context.Context, t Target, local, remote string) error {
	c := curl{}
	_, err := c.run(ctx, t, "--continue-at", "-", "--upload-file", local, c.url(t, remote))
	return err
}

// LftpResume continues an upload where the remote file ends: SIZE, REST and STOR of the rest.
func LftpResume(ctx context.Context, t Target, local, remote string) error {
	l := lftp{}
	_, err := l.run(ctx, t, "put -c "+l.quote(local)+" -o "+l.quote(remote))
	return err
}
