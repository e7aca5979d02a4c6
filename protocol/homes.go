package protocol

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Homes returns a [Server.OpenFS] that gives parts of one tree to all accounts. What an account sees as "/" is its Home, a
// directory of the tree; empty means all of it. Its Mounts are further directories of the tree by where they appear. In
// both, {user} stands for the account's name, which then must be one that [auth.CheckName] accepts. A home that does not exist is made.
//
// No name leads out of a home. Symbolic links are the tree's affair: see [vfs.Sub].
func Homes(tree afero.Fs) func(context.Context, *auth.Account) (afero.Fs, error) {
	return func(ctx context.Context, a *auth.Account) (afero.Fs, error) {
		home, err := part(tree, a, a.Home)
		if err != nil {
			return nil, err
		}
		bound := vfs.WithContext(ctx, home)
		if _, err := vfs.StatDir(bound, "/"); errors.Is(err, fs.ErrNotExist) {
			err = vfs.WithContext(ctx, tree).MkdirAll(place(a, a.Home), 0o755)
			if err != nil {
				return nil, fmt.Errorf("protocol: home: %w", err)
			}
		} else if err != nil {
			return nil, fmt.Errorf("protocol: home: %w", err)
		}
		if len(a.Mounts) == 0 {
			return home, nil
		}
		mounts := make(map[string]afero.Fs, len(a.Mounts))
		for dir, where := range a.Mounts {
			if mounts[dir], err = part(tree, a, where); err != nil {
				return nil, err
			}
		}
		return vfs.NewMount(home, mounts)
	}
}

const userPlace = "{user}"

// part is a directory of the tree as a tree.
func part(tree afero.Fs, a *auth.Account, dir string) (afero.Fs, error) {
	if strings.Contains(dir, userPlace) {
		if err := auth.CheckName(a.Name); err != nil {
			return nil, err
		}
	}
	return vfs.NewSub(tree, place(a, dir)), nil
}

func place(a *auth.Account, dir string) string {
	return path.Clean("/" + strings.ReplaceAll(dir, userPlace, a.Name))
}
