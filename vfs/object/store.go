package object

import (
	"context"
	"io"
	"time"
)

// Store is a flat key space: what a bucket is. It is all that a back end has to
// provide; package object makes the tree. Keys never begin with a slash.
//
// Methods are called by many goroutines at once. They return the errors of
// package vfs and io/fs (fs.ErrNotExist for a missing key, fs.ErrExist and
// vfs.ErrBusy for a condition that does not hold) and keep the store's own
// error, with its request id, in the chain for the log. Every method honours
// its context and has limits of its own for a store that does not answer.
type Store interface {
	// Head returns the attributes of one object.
	Head(ctx context.Context, key string) (Attrs, error)

	// List returns up to max entries below prefix, up to the next slash: objects, and
	// the common prefixes that stand for directories. Token is empty at
	// first, then the Next of the page before.
	List(ctx context.Context, prefix, token string, max int) (Page, error)

	// Get reads the object from offset off to its end. The attributes are those of
	// the object that is being read (Size: of the whole object); later changes of the key never mix into
	// the stream. An offset that equals the size gives an empty stream; one
	// behind it vfs.ErrBadOffset.
	Get(ctx context.Context, key string, off int64) (io.ReadCloser, Attrs, error)

	// GetRange is Get of at most n bytes; fewer if the object ends before. With an
	// etag they are bytes of the object that has this ETag, or the error is vfs.ErrBusy. The attributes
	// are those of the whole object.
	GetRange(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, Attrs, error)

	// Put begins an object. It sends nothing before bytes are written or the
	// upload is committed.
	Put(ctx context.Context, key string, o PutOptions) (Upload, error)

	// Copy makes dst a copy of src with all its metadata, replacing dst.
	Copy(ctx context.Context, dst, src string) error

	// Delete removes one object. A missing key is no error.
	Delete(ctx context.Context, key string) error
}

// Upload is an object being written. Nothing is visible before Commit, and
// after Abort nothing of it is left in the store. One of the two ends it; what
// is called after that does nothing.
type Upload interface {
	io.Writer

	// Commit returns nil when the store has said that the object is durable.
	// ctx bounds the commit alone; the context given to Put may be done by then.
	Commit(ctx context.Context) error

	// Abort gives the upload up. ctx bounds the cleaning up alone.
	Abort(ctx context.Context) error
}

// Attrs are the attributes of an object.
type Attrs struct {
	Key     string
	Size    int64 // bytes
	ModTime time.Time
	// ETag identifies the content: S3's ETag, the generation on GCS.
	ETag string
}

// Page is one page of a listing.
type Page struct {
	Objects  []Attrs  // sorted by key
	Prefixes []string // each ends with a slash; sorted
	Next     string   // token of the next page, empty after the last
}

// PutOptions says how an object is written.
type PutOptions struct {
	// IfAbsent refuses to replace: a key that exists by the time of the commit gives fs.ErrExist.
	IfAbsent bool
	// ContentType is the media type to store, empty for the store's default.
	ContentType string
	// Metadata are names in lower case with values, kept with the object.
	Metadata map[string]string
	// Tags are what S3 calls object tags. A store without them ignores them.
	Tags map[string]string
}
