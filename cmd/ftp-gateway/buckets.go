package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/vfs/gcs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/s3"
)

// s3Operation is the SDK's name of an operation; requests for credentials have none.
func s3Operation(r *http.Request) string {
	if name := s3.Operation(r); name != "" {
		return name
	}
	return "other"
}

// below returns the prefix of a directory below a back end's own: empty, or with a slash at its end.
func below(prefix, dir string) string {
	if p := strings.Trim(path.Join("/", prefix, dir), "/"); p != "" {
		return p + "/"
	}
	return ""
}

// filled replaces the names in braces in values.
func filled(m config.Moment, values map[string]string) map[string]string {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]string, len(values))
	for k, v := range values {
		out[k] = m.Expand(v)
	}
	return out
}

// authorities reads a PEM file and adds the system's certificates; nil without a file.
func authorities(file config.Path) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(string(file))
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return roots, nil
}

// through turns the document's 0 into the -1 of the options, where 0 is the default.
func through(n config.Size) int64 {
	if n == 0 {
		return -1
	}
	return int64(n)
}

// scratchDir is the directory below a prefix for what has to be stored beside the files.
const scratchDir = ".ftpgw/"

// parked gives the options of a login's tree its place for scratch, and for cut uploads, and those that wait for their rename, where they are kept.
// Who is confined to the tree's prefix has the place there; the janitor looks below the back end's own.
func parked(o *object.Options, all *object.Parks, store object.Store, base string, w *wishes, a *auth.Account, confined bool) error {
	o.Log = w.log.With("backend", w.name, "user", a.Name)
	if o.Scratch = base + scratchDir; confined {
		o.Scratch = o.Prefix + scratchDir
	}
	own, err := all.On(store, o.Scratch)
	if w.cutOf(a) == "resume" {
		o.Parks = own
	}
	o.Publish, o.Pending = w.publish(a), own
	if o.Parks != nil || len(o.Publish) > 0 {
		w.parks.Store(true)
	}
	return err
}

func openS3(ctx context.Context, name string, cfg *config.Config, c *config.S3, budget *object.Budget, log *slog.Logger, measure func(http.RoundTripper) http.RoundTripper) (*backend, error) {
	roots, err := authorities(c.CAFile)
	if err != nil {
		return nil, err
	}
	key, err := c.Key()
	if err != nil {
		return nil, err
	}
	store, err := s3.New(ctx, s3.Options{
		Bucket: c.Bucket, Region: c.Region, Endpoint: c.Endpoint, PathStyle: c.PathStyle, Profile: c.Profile,
		AccessKey: string(c.AccessKey), SecretKey: string(c.SecretKey),
		Budget: budget, MaxPartSize: cfg.PartSize(c), RootCAs: roots, RoundTripper: measure, Log: log.With("backend", name),
		KeepACL: c.KeepACL, TouchByCopy: c.MFMT == "copy",
		AppendCopy: int64(c.AppendCopyMax), AppendThrough: through(c.AppendThroughMax),
		Settings: s3.Settings{
			StorageClass: c.StorageClass, ACL: c.ACL,
			Encryption: c.Encryption, KMSKey: c.KMSKey, BucketKey: c.BucketKey, CustomerKey: key,
			LockMode: c.LockMode, LockFor: c.LockFor, LegalHold: c.LegalHold,
			RequesterPays: c.RequesterPays, BucketOwner: c.BucketOwner,
			Accelerate: c.Accelerate, DualStack: c.DualStack, FIPS: c.FIPS,
		},
	})
	if err != nil {
		return nil, err
	}
	parks, err := object.NewParks(store, below(c.Prefix, "")+scratchDir)
	if err != nil {
		return nil, err
	}
	parks.Log = log.With("backend", name)
	w := &wishes{cfg: cfg, log: log, name: name, cut: c.Cut}
	b := &backend{
		what:  "s3 bucket " + c.Bucket,
		check: store.Check, absent: s3.ErrNoSuchBucket, close: store.Close,
		tree: func(_ context.Context, a *auth.Account, m config.Moment, dir string) (afero.Fs, error) {
			prefix := below(c.Prefix, dir)
			own, err := inRole(store, c.Role, m, prefix)
			if err != nil {
				return nil, err
			}
			o := object.Options{
				Name: name, Prefix: prefix, StrictClash: c.StrictNames, Budget: budget, CommitTimeout: cfg.Limits.Commit,
				RenameDirMax: renameDirMax(c.RenameDirMaxKeys), KeepDirs: c.KeepDirs == "marker",
				Tags: filled(m, c.Tags), Metadata: filled(m, c.Metadata),
			}
			if err := parked(&o, parks, own, below(c.Prefix, ""), w, a, c.Role != nil && c.Role.Confine); err != nil {
				return nil, err
			}
			return object.New(own, o)
		},
	}
	if c.AbandonAfter > 0 || c.ResumeExpire > 0 {
		b.sweep = func(ctx context.Context) (n int, err error) {
			var kept func(context.Context) (map[string]bool, error)
			if w.parks.Load() || cfg.MayPark(name) {
				kept = parks.Uploads // they have a time of their own, or none
				if c.ResumeExpire > 0 {
					n, err = parks.Sweep(ctx, c.ResumeExpire)
				}
			}
			if c.AbandonAfter > 0 {
				m, serr := store.AbortStale(ctx, below(c.Prefix, ""), c.AbandonAfter, kept)
				n, err = n+m, errors.Join(err, serr)
			}
			return n, err
		}
	}
	return b, nil
}

// inRole returns the store by the credentials of a login whose tree has the prefix.
func inRole(store *s3.Store, r *config.S3Role, m config.Moment, prefix string) (*s3.Store, error) {
	if r == nil {
		return store, nil
	}
	role := s3.Role{ARN: m.Expand(r.ARN), ExternalID: r.ExternalID, SessionName: m.Expand(r.SessionName),
		Tags: filled(m, r.Tags), Duration: r.Duration, Endpoint: r.Endpoint}
	if r.Confine {
		var err error
		if role.Policy, err = store.Confine(prefix); err != nil {
			return nil, err
		}
	}
	return store.As(role), nil
}

func openGCS(ctx context.Context, name string, cfg *config.Config, c *config.GCS, budget *object.Budget, log *slog.Logger, measure func(http.RoundTripper) http.RoundTripper) (*backend, error) {
	roots, err := authorities(c.CAFile)
	if err != nil {
		return nil, err
	}
	store, err := gcs.New(ctx, gcs.Options{
		Bucket: c.Bucket, Endpoint: c.Endpoint, CredentialsFile: string(c.CredentialsFile), Anonymous: c.Anonymous,
		UserAgent: "ftp-gateway/" + buildVersion(), RoundTripper: measure, Budget: budget,
		AppendThrough: through(c.AppendThroughMax),
		NoMove:        c.Move == "off", RootCAs: roots, UserProject: c.UserProject, Exchange: c.Impersonate != "" || c.Confine,
		Settings: gcs.Settings{StorageClass: c.StorageClass, ACL: c.ACL, KMSKey: c.KMSKey},
	})
	if err != nil {
		return nil, err
	}
	parks, err := object.NewParks(store, below(c.Prefix, "")+scratchDir)
	if err != nil {
		return nil, err
	}
	parks.Log = log.With("backend", name)
	w := &wishes{cfg: cfg, log: log, name: name, cut: c.Cut}
	b := &backend{
		what:  "gcs bucket " + c.Bucket,
		check: store.Check, absent: gcs.ErrNoSuchBucket, close: store.Close,
		tree: func(ctx context.Context, a *auth.Account, m config.Moment, dir string) (afero.Fs, error) {
			prefix := below(c.Prefix, dir)
			access := gcs.Access{Impersonate: m.Expand(c.Impersonate), Confine: c.Confine}
			if c.Confine {
				access.Prefix = prefix
			}
			own, err := store.As(ctx, access)
			if err != nil {
				return nil, err
			}
			o := object.Options{
				Name: name, Prefix: prefix, StrictClash: c.StrictNames, Budget: budget, CommitTimeout: cfg.Limits.Commit,
				RenameDirMax: renameDirMax(c.RenameDirMaxKeys), KeepDirs: c.KeepDirs == "marker",
				Metadata: filled(m, c.Metadata),
			}
			if err := parked(&o, parks, own, below(c.Prefix, ""), w, a, c.Confine); err != nil {
				return nil, err
			}
			return object.New(own, o)
		},
	}
	if c.ResumeExpire > 0 { // what is appended is stored there for a moment
		b.sweep = func(ctx context.Context) (int, error) { return parks.Sweep(ctx, c.ResumeExpire) }
	}
	return b, nil
}
