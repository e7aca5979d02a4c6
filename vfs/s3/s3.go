package s3

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// leastPart is the least size of a part but for the last, in bytes, maxPart the largest; maxParts how
// many an object can have; maxCopy the largest object that one request can copy.
const (
	leastPart = 5 << 20
	maxPart   = 5 << 30
	maxParts  = 10000
	maxCopy   = 5_000_000_000
)

// expiryWindow is how long before their end credentials are replaced.
const expiryWindow = 5 * time.Minute

// Options say where a bucket is and how to speak to its server.
type Options struct {
	// Bucket is required. It may be the ARN of an access point.
	Bucket string
	Region string // default: what the environment says, then the profile's for an Endpoint
	// Endpoint is the URL of the server; empty for Amazon S3.
	Endpoint string
	// PathStyle puts the bucket into the path of a request's URL. It is on for servers
	// that are addressed by an IP address, and for the profiles that need it.
	PathStyle bool
	// Profile names the kind of server: one of [Profiles], generic for one
	// of which nothing is known. Default: by the host name of the Endpoint.
	Profile string
	// TouchByCopy lets Touch copy an object onto itself, the only way to change its metadata.
	TouchByCopy bool
	// Settings are about new objects, and about what all requests say.
	Settings Settings

	// AccessKey, SecretKey and SessionToken are used if there is an AccessKey. Without,
	// credentials come from where the SDK looks for them: environment,
	// files, a service account's web identity, the instance.
	AccessKey, SecretKey, SessionToken string

	// Budget is the memory of all uploads; required.
	Budget *object.Budget
	// MaxPartSize bounds the growth of parts, in bytes, and so the largest object:
	// at most 10,000 parts. Default 64 MiB, for objects of 0.42 TiB.
	MaxPartSize int64
	// Parallel is how many parts of an upload are sent at once. Default 2.
	Parallel int

	// AppendThrough is how many bytes of an object may go through this program for what is appended
	// to them, where the server copies no parts. Default 1 GiB; below 0 none.
	AppendThrough int64
	// AppendCopy is how many bytes of an object may be copied inside the server for what is appended to
	// them. Default: any number.
	AppendCopy int64
	// MaxCopy is the size in bytes above which an object is copied, for a rename, in parts.
	// Default and limit of the service: 5 GB.
	MaxCopy int64
	// CopyPart is the size in bytes of such a part, 5 MiB to 5 GiB; more where 10,000 parts would not reach. Default 512 MiB.
	CopyPart int64
	// KeepACL gives renamed and copied objects the access control list of the old one, with two requests
	// more each. Buckets whose owner owns all objects, as new ones do, have no such lists.
	KeepACL bool

	// Log is told what an operator should know and no request fails by. Nil for slog.Default().
	Log *slog.Logger
	// RootCAs are trusted for the server's certificate; nil for the system's.
	RootCAs *x509.CertPool
	// RoundTripper wraps the transport, to measure or log each attempt of each
	// request; see [Operation]. Nil for none.
	RoundTripper func(http.RoundTripper) http.RoundTripper
	// StallTimeout is how long a connection may neither take nor give a byte of a
	// body. Default 60 s.
	StallTimeout time.Duration
	// HeaderTimeout is how long a server may take to answer once it has the
	// request. Default 2 minutes.
	HeaderTimeout time.Duration
}

// Store is a bucket. It is used by many goroutines at once, and one serves the
// whole process.
type Store struct {
	client  *s3.Client
	bucket  string
	o       Options
	profile profile
	sizes   sizes
	http    *http.Transport

	// tested is set after the first body that the server took: from then on
	// bodies are sent without asking first.
	tested atomic.Bool

	mu     *sync.Mutex
	active map[string]struct{} // ids of the multipart uploads of this process

	roles *struct {
		mu     sync.Mutex
		stores map[string]*roleStore
	}
}

var (
	_ object.Store        = (*Store)(nil)
	_ object.Mover        = (*Store)(nil)
	_ object.BatchDeleter = (*Store)(nil)
)

// New returns the Store for a bucket. It reads credentials but sends nothing to
// the bucket: see [Store.Check].
func New(ctx context.Context, o Options) (*Store, error) {
	if o.Bucket == "" {
		return nil, errors.New("s3: no bucket")
	}
	if o.Budget == nil {
		return nil, errors.New("s3: no upload budget")
	}
	if err := o.Budget.Fits(leastPart); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	p, err := profileOf(o.Profile, o.Endpoint)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(o.Bucket, directoryBucket) {
		p.etagMD5 = false // there it is any number
	}
	if o.MaxPartSize <= 0 {
		o.MaxPartSize = 64 << 20
	}
	if o.MaxPartSize < leastPart || o.MaxPartSize > maxPart {
		return nil, fmt.Errorf("s3: a largest part of %d bytes: want 5 MiB to 5 GiB", o.MaxPartSize)
	}
	if o.AppendThrough == 0 {
		o.AppendThrough = 1 << 30
	}
	if o.MaxCopy <= 0 || o.MaxCopy > maxCopy {
		o.MaxCopy = maxCopy
	}
	if o.CopyPart <= 0 {
		o.CopyPart = 512 << 20
	}
	o.CopyPart = min(max(o.CopyPart, leastPart), maxPart)
	if o.StallTimeout <= 0 {
		o.StallTimeout = time.Minute
	}
	if o.HeaderTimeout <= 0 {
		o.HeaderTimeout = 2 * time.Minute
	}
	if err := o.Settings.check(); err != nil {
		return nil, err
	}
	cfg, err := awsConfig(ctx, o, p)
	if err != nil {
		return nil, fmt.Errorf("s3: credentials and region: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Store{bucket: o.Bucket, o: o, profile: p, sizes: p.sizes(o), mu: new(sync.Mutex), active: make(map[string]struct{})}
	s.roles = &struct {
		mu     sync.Mutex
		stores map[string]*roleStore
	}{}
	var rt http.RoundTripper
	s.http, rt = newTransport(o)
	rt = &clock{next: rt, log: o.Log}
	if o.RoundTripper != nil {
		rt = o.RoundTripper(rt)
	}
	s.client = s3.NewFromConfig(cfg, func(so *s3.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		so.UsePathStyle = o.PathStyle || p.pathStyle
		so.HTTPClient = &http.Client{
			Transport:     rt,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		cache, _ := cfg.Credentials.(*aws.CredentialsCache)
		so.Retryer = newRetryer(cache)
		p.apply(so)
		where := &region{configured: cfg.Region, endpoint: o.Endpoint, bucket: o.Bucket, log: o.Log}
		so.EndpointResolverV2 = where
		so.APIOptions = append(so.APIOptions, where.remember, where.watchAnswers)
		o.Settings.apply(so)
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return s, nil
}

func awsConfig(ctx context.Context, o Options, p profile) (aws.Config, error) {
	region := o.Region
	if o.AccessKey != "" {
		if region == "" {
			region = cmp.Or(p.region, "us-east-1")
		}
		return aws.Config{
			Region:      region,
			Credentials: credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, o.SessionToken),
		}, nil
	}
	var opts []func(*config.LoadOptions) error
	if region != "" {
		opts = append(opts, config.WithRegion(region))
	} else if o.Endpoint != "" {
		opts = append(opts, config.WithDefaultRegion(cmp.Or(p.region, "us-east-1")))
	}
	// A token that is about to expire must not do so in the middle of an upload.
	opts = append(opts, config.WithCredentialsCacheOptions(func(c *aws.CredentialsCacheOptions) {
		c.ExpiryWindow = expiryWindow
	}))
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err == nil && cfg.Region == "" {
		err = errors.New("no region is configured: set AWS_REGION, or the key region")
	}
	return cfg, err
}

// Close closes the idle connections. Requests under way go on.
func (s *Store) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// Bucket implements object.Bucketer.
func (s *Store) Bucket() string { return s.bucket }

// Check asks whether the bucket is there and may be used. A bucket that does
// not exist gives ErrNoSuchBucket; everything else may be different a minute later, or for
// other requests than this one: it is worth a warning, not a refusal to start.
func (s *Store) Check(ctx context.Context) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket}, func(o *s3.Options) {
		o.RetryMaxAttempts = 2 // who asks wants an answer soon, and asks again
	})
	terr := translate(ctx, "head bucket", s.bucket, err)
	if errors.Is(terr, fs.ErrNotExist) { // the answer to a HEAD has no code
		terr = &storeError{"head bucket", s.bucket, ErrNoSuchBucket, err}
	}
	return terr
}

// Operation returns the name of the S3 operation ("PutObject") that a request
// belongs to, for use in [Options.RoundTripper].
func Operation(r *http.Request) string { return awsmiddleware.GetOperationName(r.Context()) }
