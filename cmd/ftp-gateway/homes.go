package main

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/quota"
)

// openFS returns what protocol.Server.OpenFS is: the tree of one login. The names in braces in its places are replaced
// here, once: what the client sees as "/" does not move under its feet at midnight.
func (b backends) openFS(localTime bool) func(context.Context, *auth.Account) (afero.Fs, error) {
	book := &quota.Book{}
	return func(ctx context.Context, a *auth.Account) (afero.Fs, error) {
		m := config.Moment{User: a.Name, Remote: a.Remote.Addr(), Time: time.Now().UTC()}
		if localTime {
			m.Time = m.Time.Local()
		}
		home, err := b.open(ctx, a, m, a.Home)
		if err != nil {
			return nil, err
		}
		if !a.Limits.Quota.IsZero() {
			limited, err := book.Open(ctx, ledger(m, a.Home), home, quota.Limit(a.Limits.Quota))
			if err != nil {
				vfs.Release(home)
				return nil, err
			}
			home = limited
		}
		if len(a.Mounts) > 0 {
			trees := make(map[string]afero.Fs, len(a.Mounts))
			for dir, place := range a.Mounts {
				tree, err := b.open(ctx, a, m, place)
				if err != nil {
					release(home, trees)
					return nil, fmt.Errorf("mount %s: %w", dir, err)
				}
				trees[dir] = tree
			}
			mount, err := vfs.NewMount(home, trees)
			if err != nil {
				release(home, trees)
				return nil, err
			}
			home = mount
		}
		switch a.Overwrite {
		case "no":
			home = vfs.NewKeep(home, false)
		case "rename":
			home = vfs.NewKeep(home, true)
		}
		return home, nil
	}
}

// ledger is the name under which a home is counted: the same for all who write its place differently, such as "disk:/a/" and "disk:/a".
func ledger(m config.Moment, place string) string {
	name, dir, _ := strings.Cut(place, ":")
	return name + ":" + path.Clean("/"+m.Expand(dir))
}

// release gives up what was opened for a login that failed.
func release(home afero.Fs, mounts map[string]afero.Fs) {
	vfs.Release(home)
	for _, fsys := range mounts {
		vfs.Release(fsys)
	}
}

// open returns the tree of a place such as "cams:/site-1/{user}".
func (b backends) open(ctx context.Context, a *auth.Account, m config.Moment, place string) (afero.Fs, error) {
	name, dir, err := config.SplitPlace(place)
	if err != nil {
		return nil, err
	}
	e := b[name]
	if e == nil {
		return nil, fmt.Errorf("no back end %q", name)
	}
	// Names that could lead elsewhere were refused when the users were read; names from
	// elsewhere may come one day.
	if err := auth.CheckName(m.User); err != nil {
		return nil, err
	}
	return e.tree(ctx, a, m, path.Clean("/"+m.Expand(dir)))
}
