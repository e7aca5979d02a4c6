package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/metrics"
	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/gcs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/s3"
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
	// tree returns the tree below dir, an absolute clean path, for one login.
	tree func(ctx context.Context, a *auth.Account, dir string) (afero.Fs, error)
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
func openBackends(ctx context.Context, cfg *config.Config, budget *object.Budget, m *metrics.Metrics) (backends, error) {
	all := backends{}
	for _, name := range cfg.BackendNames() {
		at := "backends." + name
		var b *backend
		var err error
		switch c := cfg.Backends[name]; {
		case c.Local != nil:
			b, err = openLocal(name, c.Local)
		case c.Unix != nil:
			b, err = openUnix(name, c.Unix)
		case c.S3 != nil:
			b, err = openS3(ctx, name, cfg, c.S3, budget, func(next http.RoundTripper) http.RoundTripper {
				return m.Transport(name, s3Operation, next)
			})
		case c.GCS != nil:
			b, err = openGCS(ctx, name, cfg, c.GCS, budget, func(next http.RoundTripper) http.RoundTripper {
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

// s3Operation is the SDK's name of an operation; requests for credentials have none.
func s3Operation(r *http.Request) string {
	if name := s3.Operation(r); name != "" {
		return name
	}
	return "other"
}

func openLocal(name string, c *config.Local) (*backend, error) {
	cut := local.CutKeep
	if c.Cut == "discard" {
		cut = local.CutDiscard
	}
	root, err := local.New(local.Options{Name: name, Root: string(c.Path), Atomic: c.Atomic, Sync: c.Sync, Cut: cut})
	if err != nil {
		return nil, err
	}
	b := &backend{
		what:  "directory " + string(c.Path),
		check: func(context.Context) error { _, err := vfs.StatDir(root, "/"); return err },
		close: root.Close,
		tree: func(ctx context.Context, _ *auth.Account, dir string) (afero.Fs, error) {
			if dir == "/" {
				return root, nil
			}
			bound := vfs.WithContext(ctx, root)
			_, err := vfs.StatDir(bound, dir)
			if errors.Is(err, fs.ErrNotExist) && c.CreateHome {
				err = bound.MkdirAll(dir, 0o777) // the umask takes its part
			}
			if err != nil {
				return nil, fmt.Errorf("home directory: %w", err)
			}
			return vfs.NewSub(root, dir), nil
		},
	}
	if c.Atomic {
		b.sweep = func(ctx context.Context) (int, error) { return root.Clean(ctx, sweepTemp) }
	}
	return b, nil
}

// parks returns where uploads into a bucket are parked, what its trees get of it, and
// the prefix below which all of it lies.
func parks(store object.Store, prefix, cut string) (all, resume *object.Parks, scratch string, err error) {
	if prefix = strings.Trim(path.Clean("/"+prefix), "/"); prefix != "" {
		prefix += "/"
	}
	scratch = prefix + ".ftpgw/"
	if all, err = object.NewParks(store, scratch); err == nil && cut == "resume" {
		resume = all
	}
	return all, resume, scratch, err
}

// bucketTree gives each login the tree of a directory below the prefix of o, with a memory of its own.
func bucketTree(store object.Store, o object.Options) func(context.Context, *auth.Account, string) (afero.Fs, error) {
	return func(_ context.Context, _ *auth.Account, dir string) (afero.Fs, error) {
		own := o
		own.Prefix = strings.Trim(path.Join(o.Prefix, dir), "/")
		return object.New(store, own)
	}
}

// renameDirMax turns the document's 0 into the -1 of object.Options, where 0 is the default.
func renameDirMax(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func openS3(ctx context.Context, name string, cfg *config.Config, c *config.S3, budget *object.Budget, measure func(http.RoundTripper) http.RoundTripper) (*backend, error) {
	var roots *x509.CertPool
	if c.CAFile != "" {
		pem, err := os.ReadFile(string(c.CAFile))
		if err != nil {
			return nil, err
		}
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", c.CAFile)
		}
	}
	store, err := s3.New(ctx, s3.Options{
		Bucket: c.Bucket, Region: c.Region, Endpoint: c.Endpoint, PathStyle: c.PathStyle, Profile: c.Profile,
		AccessKey: string(c.AccessKey), SecretKey: string(c.SecretKey),
		Budget: budget, MaxPartSize: cfg.PartSize(c), RootCAs: roots, RoundTripper: measure,
		KeepACL: c.KeepACL,
	})
	if err != nil {
		return nil, err
	}
	all, resume, scratch, err := parks(store, c.Prefix, c.Cut)
	if err != nil {
		return nil, err
	}
	b := &backend{
		what: "s3 bucket " + c.Bucket,
		tree: bucketTree(store, object.Options{
			Name: name, Prefix: c.Prefix, StrictClash: c.StrictNames, Budget: budget, CommitTimeout: cfg.Limits.Commit,
			RenameDirMax: renameDirMax(c.RenameDirMaxKeys), KeepDirs: c.KeepDirs == "marker",
			Parks: resume, Scratch: scratch,
		}),
		check: store.Check, absent: s3.ErrNoSuchBucket, close: store.Close,
	}
	prefix := strings.TrimSuffix(scratch, ".ftpgw/")
	if c.AbandonAfter <= 0 && resume == nil {
		return b, nil
	}
	b.sweep = func(ctx context.Context) (n int, err error) {
		if resume != nil {
			n, err = all.Sweep(ctx, c.ResumeExpire)
		}
		if c.AbandonAfter > 0 {
			m, serr := store.AbortStale(ctx, prefix, c.AbandonAfter)
			n, err = n+m, errors.Join(err, serr)
		}
		return n, err
	}
	return b, nil
}

func openGCS(ctx context.Context, name string, cfg *config.Config, c *config.GCS, budget *object.Budget, measure func(http.RoundTripper) http.RoundTripper) (*backend, error) {
	store, err := gcs.New(ctx, gcs.Options{
		Bucket: c.Bucket, Endpoint: c.Endpoint, CredentialsFile: string(c.CredentialsFile), Anonymous: c.Anonymous,
		UserAgent: "ftp-gateway/" + buildVersion(), RoundTripper: measure, Budget: budget,
		NoMove: c.Move == "off",
	})
	if err != nil {
		return nil, err
	}
	all, resume, scratch, err := parks(store, c.Prefix, c.Cut)
	if err != nil {
		return nil, err
	}
	b := &backend{
		what: "gcs bucket " + c.Bucket,
		tree: bucketTree(store, object.Options{
			Name: name, Prefix: c.Prefix, StrictClash: c.StrictNames, Budget: budget, CommitTimeout: cfg.Limits.Commit,
			RenameDirMax: renameDirMax(c.RenameDirMaxKeys), KeepDirs: c.KeepDirs == "marker",
			Parks: resume, Scratch: scratch,
		}),
		check: store.Check, absent: gcs.ErrNoSuchBucket, close: store.Close,
	}
	if c.ResumeExpire > 0 {
		b.sweep = func(ctx context.Context) (int, error) { return all.Sweep(ctx, c.ResumeExpire) }
	}
	return b, nil
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

// checks are for /readyz.
func (b backends) checks(cfg *config.Config) []metrics.Check {
	var list []metrics.Check
	for _, name := range cfg.BackendNames() {
		e := b[name]
		list = append(list, metrics.Check{Name: "backend " + name, Ready: func(ctx context.Context) error {
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
