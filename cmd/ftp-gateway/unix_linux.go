package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/unix"
)

// openUnix makes a back end whose trees act as the user. From here on no thread of the process ignores quotas.
func openUnix(name string, c *config.Unix, w *wishes) (*backend, error) {
	if err := unix.Ready(); err != nil {
		return nil, err
	}
	if err := unix.DropResource(); err != nil {
		return nil, err
	}
	return &backend{
		what:  "system users below " + string(c.Path),
		check: func(context.Context) error { return nil }, // what can be reached differs from user to user
		close: func() error { return nil },
		tree: func(_ context.Context, a *auth.Account, _ config.Moment, dir string) (afero.Fs, error) {
			if a.System == nil {
				return nil, fmt.Errorf("%s is no account of the system, as back end %s needs", a.Name, name)
			}
			return unix.Open(local.Options{
				Name: name, Root: filepath.Join(string(c.Path), filepath.FromSlash(dir)), Atomic: c.Atomic, Sync: c.Sync, Cut: w.localCut(a),
			}, unix.Identity{UID: a.System.UID, GID: a.System.GID, Groups: a.System.Groups})
		},
	}, nil
}
