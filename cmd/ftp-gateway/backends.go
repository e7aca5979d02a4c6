package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/metrics"
	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// checkTimeout is how long a back end has to answer at the start.
const checkTimeout = 10 * time.Second

// sweepEvery is how often a back end is swept for what killed servers have left; sweepTemp how old
// a temporary file on a disk has to be for that.
const (
	sweepEvery = time.Hour
	sweepTemp  = time.Hour
)

// backend is a place for files, opened once for the whole process.
type backend struct {
	name, what string // "cams", "s3 bucket pictures"
	// tree returns the tree below dir, an absolute clean path, for a login: of whom, and in which circumstances.
	tree func(ctx context.Context, a *auth.Account, m config.Moment, dir string) (afero.Fs, error)
	// check asks whether the back end can be used; absent tells of an
	// error that it is not there at all.
	check  func(ctx context.Context) error
	absent error
	// sweep removes what killed servers have left; nil where there is nothing of that kind.
	sweep func(ctx context.Context) (int, error)
	close func() error
}

// backends are all of a configuration, by name.
type backends map[string]*backend

// openBackends opens the back ends of a configuration. The budget is needed where there
// are buckets. It sends no request.
func openBackends(ctx context.Context, cfg *config.Config, budget *object.Budget, m *metrics.Metrics, log *slog.Logger) (backends, error) {
	all := backends{}
	for _, name := range cfg.BackendNames() {
		at := "backends." + name
		var b *backend
		var err error
		switch c := cfg.Backends[name]; {
		case c.Local != nil:
			b, err = openLocal(name, c.Local, &wishes{cfg: cfg, log: log, name: name, cut: c.Local.Cut})
		case c.Unix != nil:
			b, err = openUnix(name, c.Unix, &wishes{cfg: cfg, log: log, name: name, cut: c.Unix.Cut})
		case c.S3 != nil:
			b, err = openS3(ctx, name, cfg, c.S3, budget, log, func(next http.RoundTripper) http.RoundTripper {
				return m.Transport(name, s3Operation, next)
			})
		case c.GCS != nil:
			b, err = openGCS(ctx, name, cfg, c.GCS, budget, log, func(next http.RoundTripper) http.RoundTripper {
				return m.Transport(name, metrics.GCSOperation, next)
			})
		default:
			err = errors.New("no type")
		}
		if err != nil {
			all.close()
			return nil, refusal(cfg.Problem(at, err.Error(), ""))
		}
		b.name = name
		all[name] = b
	}
	return all, nil
}

func openLocal(name string, c *config.Local, w *wishes) (*backend, error) {
	root, err := local.New(local.Options{Name: name, Root: string(c.Path), Atomic: c.Atomic, Sync: c.Sync})
	if err != nil {
		return nil, err
	}
	b := &backend{
		what:  "directory " + string(c.Path),
		check: func(context.Context) error { _, err := vfs.StatDir(root, "/"); return err },
		close: root.Close,
		tree: func(ctx context.Context, a *auth.Account, _ config.Moment, dir string) (afero.Fs, error) {
			if dir == "/" {
				return root.WithCut(w.localCut(a)), nil
			}
			bound := vfs.WithContext(ctx, root)
			_, err := vfs.StatDir(bound, dir)
			if errors.Is(err, fs.ErrNotExist) && c.CreateHome {
				err = bound.MkdirAll(dir, 0o777) // the umask takes its part
			}
			var home *local.FS
			if err == nil {
				// Opened itself: of a name alone, links would lead to the homes beside it.
				home, err = root.Below(dir)
			}
			if err != nil {
				return nil, fmt.Errorf("home directory: %w", err)
			}
			return home.WithCut(w.localCut(a)), nil
		},
	}
	if c.Atomic {
		b.sweep = func(ctx context.Context) (int, error) { return root.Clean(ctx, sweepTemp) }
	}
	return b, nil
}

// renameDirMax turns the document's 0 into the -1 of object.Options, where 0 is the default.
func renameDirMax(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func (b backends) close() {
	for _, e := range b {
		e.close()
	}
}

// checkAll asks all back ends at once. One that does not exist is a refusal, with
// the line of its bucket; any other trouble may be over in a minute, and is a warning.
func (b backends) checkAll(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	names := cfg.BackendNames()
	errs := make(chan error, len(names))
	for _, name := range names {
		e := b[name]
		go func() { // ends with the check, which ends with ctx
			err := e.check(ctx)
			switch {
			case err == nil:
			case e.absent != nil && errors.Is(err, e.absent):
				log.Debug("back end", "name", name, "err", err)
				errs <- refusal(cfg.Problem("backends."+name+".bucket", "there is no "+e.what,
					"create it, or correct the name, the region or the endpoint"))
				return
			case errors.Is(err, fs.ErrPermission):
				log.Warn("the back end may not be looked at; uploads may work all the same", "backend", name, "err", err)
			default:
				log.Warn("the back end cannot be used now", "backend", name, "err", err)
			}
			errs <- nil
		}()
	}
	var all []error
	for range names {
		if err := <-errs; err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// checkName is what a back end is called in /readyz.
func checkName(backend string) string { return "backend " + backend }

// checks are for /readyz.
func (b backends) checks(cfg *config.Config) []metrics.Check {
	var list []metrics.Check
	for _, name := range cfg.BackendNames() {
		e := b[name]
		list = append(list, metrics.Check{Name: checkName(name), Ready: func(ctx context.Context) error {
			err := e.check(ctx)
			if errors.Is(err, fs.ErrPermission) {
				return fmt.Errorf("%w: %w", metrics.ErrDegraded, err) // a role that may only put is one
			}
			return err
		}})
	}
	return list
}

// sweep removes what killed servers have left, now and once an hour, until ctx is done.
func (b backends) sweep(ctx context.Context, log *slog.Logger) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		for _, e := range b {
			if e.sweep == nil {
				continue
			}
			n, err := e.sweep(ctx)
			if n > 0 {
				log.Info("removed what unfinished uploads have left", "backend", e.name, "count", n)
			}
			if err != nil && ctx.Err() == nil {
				log.Warn("cannot remove what unfinished uploads may have left", "backend", e.name, "removed", n, "err", err)
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// refusal is a problem as an error.
func refusal(p config.Problem) error { return errors.New(p.String()) }
