// Package gcs is an [object.Store] on Google Cloud Storage, through its JSON API.
//
// Reading, listing, copying and deleting go through the SDK
// (cloud.google.com/go/storage) with retry settings of our own: eight attempts
// with a back-off up to five seconds, no quota shared between requests.
//
// Uploads do not use the SDK's Writer. What they send is held in memory by the
// upload scheduler of package object until the store has confirmed it, so the
// two requests that GCS has for uploads are written here, on the same
// authenticated HTTP client (upload.go, resumable.go):
//
//   - An upload that ends before its first part is full is one request
//     (uploadType=multipart) with its CRC32C in the metadata, so that the
//     store refuses what was damaged on the way. It is sent again from memory
//     as often as needed; the Writer never retries such a request.
//   - A longer one is a resumable session: parts are sent in order with
//     Content-Range, the store's answer says what it has, and a broken part goes on
//     from there. The object exists when the last request has been answered;
//     it carries the length and the CRC32C of the whole.
//
// The Writer would hold each chunk a second time: a buffer of ChunkSize (16 MiB
// by default) is allocated at the first Write of each upload, whatever its
// size. It also commits what it was given when it is closed after a failed
// copy. Here giving up is the absence of a request: no bytes that were not
// asked to be committed can be.
// Measured on loopback with a server that discards, 3,000 uploads of 64 KiB,
// 500 at a time: the default Writer reached 14 GB of resident memory and 44 s of CPU, a
// Writer without chunks (which is never retried) 94 MB, this package 148 MB, of which
// 64 MB are buffers of the 500 connections; both took a second of CPU or less.
//
// Object generations are the ETags of this store. An overwrite carries no
// precondition: a repetition of the same bytes from memory changes nothing.
// IfAbsent is ifGenerationMatch=0. When a reply was lost and the repetition
// hears that the precondition failed, the object is looked at: the same size and
// CRC32C mean that the first request did it.
//
// One Store, with one pool of connections, serves the whole process.
package gcs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/storage"
	gax "github.com/googleapis/gax-go/v2"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// defaultEndpoint is the public service.
const defaultEndpoint = "https://storage.googleapis.com"

// Options says which bucket and how to reach it. Bucket and Budget are needed; the
// zero value of the rest is good for the public service with the
// environment's own credentials.
type Options struct {
	// Bucket is the bucket's name.
	Bucket string

	// Endpoint is the base address of the JSON API ("http://127.0.0.1:4443"),
	// for emulators and private endpoints. Empty means the address in the
	// environment's STORAGE_EMULATOR_HOST, else the public service.
	Endpoint string

	// CredentialsFile is a JSON key or configuration file. Empty means
	// Application Default Credentials: GOOGLE_APPLICATION_CREDENTIALS, the
	// user's gcloud configuration, the metadata server (workload identity).
	CredentialsFile string

	// Exchange asks for credentials with which others can be had: see [Store.As].
	Exchange bool

	// Anonymous sends no credentials: for emulators and public buckets. It is
	// implied where STORAGE_EMULATOR_HOST gives the address.
	Anonymous bool

	// UserProject is billed for requests to a "requester pays" bucket.
	UserProject string

	// RootCAs are trusted for the service's certificate; nil for the system's.
	RootCAs *x509.CertPool

	// Settings are about new objects.
	Settings Settings

	// UserAgent names the program to the store; empty means "ftp-gateway".
	UserAgent string

	// RoundTripper, if set, is put around the transport and sees each attempt of
	// each request, credentials included. It is called once, by New.
	RoundTripper func(http.RoundTripper) http.RoundTripper

	// NoMove renames by rewrite and delete, as it was before objects.move.
	NoMove bool

	// Budget is the memory that all uploads of the process share.
	Budget *object.Budget

	// PartSize is how many bytes a part has, and with it how long an upload
	// may be to be stored by one request. It is rounded up to a multiple of 256 KiB,
	// which GCS demands of all parts but the last. 0 means 8 MiB.
	PartSize int64

	// AppendThrough is how many bytes of an object may go through this program where a file is
	// continued in its middle. Default 1 GiB; below 0 none.
	AppendThrough int64
}

// Settings are what new objects are given. The zero value leaves everything to the bucket.
type Settings struct {
	// StorageClass of new objects, such as NEARLINE.
	StorageClass string
	// ACL is a predefined ACL, such as bucketOwnerFullControl. Buckets with uniform access refuse it.
	ACL string
	// KMSKey is the name of a key of Cloud KMS: projects/P/locations/L/keyRings/R/cryptoKeys/K.
	KMSKey string
}

// Store is one bucket. It is safe for concurrent use.
type Store struct {
	bucket  string
	project string // userProject
	upload  string // address that uploads begin at
	part    int64
	through int64 // AppendThrough
	budget  *object.Budget
	limits  limits

	client    *storage.Client
	http      *http.Client
	transport *http.Transport

	set      Settings
	rt       http.RoundTripper // on transport; without credentials
	agent    string
	base     *url.URL
	creds    *auth.Credentials // nil for none
	accesses *accesses

	noMove  atomic.Bool // objects.move is off, or not known here
	folders folders
}

var (
	_ object.Store       = (*Store)(nil)
	_ object.Mover       = (*Store)(nil)
	_ object.PrefixMover = (*Store)(nil)
)

// limits are the bounds of one request and of its repetitions.
type limits struct {
	attempts int           // in a row without progress
	first    time.Duration // first pause; doubles
	longest  time.Duration // longest pause
	chunk    time.Duration // for one part with all its repetitions
	cleanup  time.Duration // for a request that cleans up
	stall    time.Duration // no byte moved
	answer   time.Duration // from the last byte sent to the reply's first
}

// defaultLimits: eight attempts wait 18 s together; a store that answers 503
// for some seconds costs nobody an upload. A copy inside the store is answered
// within about half a minute, or in steps.
var defaultLimits = limits{
	attempts: 8,
	first:    250 * time.Millisecond,
	longest:  5 * time.Second,
	chunk:    5 * time.Minute,
	cleanup:  30 * time.Second,
	stall:    30 * time.Second,
	answer:   60 * time.Second,
}

// New makes a Store. It looks for credentials but sends nothing to the bucket: see [Store.Check].
func New(ctx context.Context, o Options) (*Store, error) {
	return open(ctx, o, defaultLimits)
}

func open(ctx context.Context, o Options, l limits) (*Store, error) {
	if o.Bucket == "" {
		return nil, errors.New("gcs: no bucket given")
	}
	if o.Budget == nil {
		return nil, errors.New("gcs: no upload budget given")
	}
	base, emulator, err := endpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	s := &Store{
		bucket:    o.Bucket,
		project:   o.UserProject,
		budget:    o.Budget,
		limits:    l,
		transport: newTransport(l),
		set:       o.Settings,
		base:      base,
		agent:     o.UserAgent,
		accesses:  &accesses{},
	}
	s.transport.TLSClientConfig.RootCAs = o.RootCAs
	s.noMove.Store(o.NoMove)
	if s.through = o.AppendThrough; s.through == 0 {
		s.through = 1 << 30
	}
	s.part = roundUp(o.PartSize, chunkUnit)
	if s.part <= 0 {
		s.part = defaultPartSize
	}
	if err := o.Budget.Fits(s.part); err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}

	s.rt = &watchdog{base: s.transport, gate: object.NewGate(mostSending), stall: l.stall, answer: l.answer}
	if o.RoundTripper != nil {
		s.rt = o.RoundTripper(s.rt)
	}
	if s.agent == "" {
		s.agent = "ftp-gateway"
	}
	var creds *auth.Credentials
	if !o.Anonymous && !emulator {
		if creds, err = detect(o.CredentialsFile, o.Exchange, s.rt); err != nil {
			return nil, fmt.Errorf("gcs: credentials: %w", err)
		}
	}
	return s, s.connect(ctx, creds)
}

// connect makes the clients for requests by the credentials; nil is for none.
func (s *Store) connect(ctx context.Context, creds *auth.Credentials) (err error) {
	s.creds = creds
	s.http, err = authenticated(s.rt, s.agent, creds)
	if err != nil {
		return err
	}
	// Uploads follow no redirect: their bodies cannot be rewound by net/http,
	// and 308 means something else there.
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	s.upload = s.base.JoinPath("upload/storage/v1/b", s.bucket, "o").String()
	s.client, err = storage.NewClient(ctx,
		option.WithHTTPClient(s.http),
		// The client above has the credentials; this keeps the SDK from looking for them again.
		option.WithoutAuthentication(),
		option.WithEndpoint(s.base.JoinPath("storage/v1/").String()),
		// Reads by the same API as all else: the XML API has other names for
		// its errors, and emulators want another host name for it.
		storage.WithJSONReads(),
	)
	if err != nil {
		return fmt.Errorf("gcs: make client: %w", err)
	}
	s.folders.address = s.base.JoinPath("storage/v1/b", s.bucket).String()
	s.client.SetRetry(
		storage.WithMaxAttempts(s.limits.attempts),
		storage.WithBackoff(gax.Backoff{Initial: s.limits.first, Max: s.limits.longest, Multiplier: 2}),
		storage.WithPolicy(storage.RetryAlways),
		storage.WithErrorFunc(retryable),
	)
	return nil
}

// Close ends the idle connections. Requests under way are not touched.
func (s *Store) Close() error {
	err := s.client.Close()
	s.transport.CloseIdleConnections()
	return err
}

// Bucket implements object.Bucketer.
func (s *Store) Bucket() string { return s.bucket }

// Check asks the bucket for one name. The error is [ErrNoSuchBucket] when there
// is no such bucket; a bucket that may only be written to gives fs.ErrPermission and
// is in order for uploads.
func (s *Store) Check(ctx context.Context) error {
	q := &storage.Query{Projection: storage.ProjectionNoACL}
	if err := q.SetAttrSelection([]string{"Name"}); err != nil {
		return fmt.Errorf("gcs: check: %w", err)
	}
	it := s.handle().Objects(ctx, q)
	it.PageInfo().MaxSize = 1
	if _, err := it.Next(); err != nil && !errors.Is(err, iterator.Done) {
		return translate(ctx, "check bucket", s.bucket, err)
	}
	return nil
}

// handle is the bucket as the SDK knows it.
func (s *Store) handle() *storage.BucketHandle {
	b := s.client.Bucket(s.bucket)
	if s.project != "" {
		b = b.UserProject(s.project)
	}
	return b
}

// endpoint finds the service's base address as the SDK does, and tells whether
// it is an emulator's.
func endpoint(given string) (u *url.URL, emulator bool, err error) {
	if given == "" {
		given = os.Getenv("STORAGE_EMULATOR_HOST")
		emulator = given != ""
		if emulator && !strings.Contains(given, "://") {
			given = "http://" + given
		}
	}
	if given == "" {
		given = defaultEndpoint
	}
	u, err = url.Parse(given)
	if err != nil {
		return nil, false, fmt.Errorf("gcs: endpoint: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, false, fmt.Errorf("gcs: endpoint %q: want http://host or https://host", given)
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/storage/v1")
	return u, emulator, nil
}

func roundUp(n, unit int64) int64 {
	return (n + unit - 1) / unit * unit
}
