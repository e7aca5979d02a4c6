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

	// ListAll is List without a stop at slashes: all objects below prefix, and no prefixes.
	ListAll(ctx context.Context, prefix, token string, max int) (Page, error)

	// Copy makes dst a copy of src with all its metadata, inside the store; nothing
	// of it is visible before it is whole. Src is what Head or a listing has said of
	// the source: if it has an ETag and the source has another one by now,
	// nothing is copied and the error is vfs.ErrBusy.
	Copy(ctx context.Context, dst string, src Attrs, o CopyOptions) error

	// Delete removes one object. A missing key is no error. With an etag only
	// the object that has it is removed, and another one gives vfs.ErrBusy; a store
	// that cannot compare by itself looks just before.
	Delete(ctx context.Context, key, etag string) error
}

// Mover is a Store that may give an object another key without a copy of it.
type Mover interface {
	// Move is a Copy and a Delete of the source in one step. It returns
	// errors.ErrUnsupported, and has done nothing, where this store or bucket cannot.
	Move(ctx context.Context, dst string, src Attrs, o CopyOptions) error
}

// PrefixMover is a Store that may give another prefix to all keys below one in one step.
type PrefixMover interface {
	// MovePrefix moves what is below src, and its marker, to dst, which has
	// nothing; both end with a slash. It returns errors.ErrUnsupported, and has done
	// nothing, where this store or bucket cannot.
	MovePrefix(ctx context.Context, dst, src string) error
}

// BatchDeleter is a Store that removes many objects with one request.
type BatchDeleter interface {
	// DeleteAll is Delete, with their ETags, of up to 1,000 objects. It goes on behind one that
	// cannot be removed, and returns the first error.
	DeleteAll(ctx context.Context, objects []Attrs) error
}

// CopyOptions says how an object is copied.
type CopyOptions struct {
	// IfAbsent refuses to replace: a key that exists gives fs.ErrExist.
	IfAbsent bool
	// Look says that a look just before is enough for IfAbsent, where the store knows no such condition for
	// its usual copies and would have to make the copy in another, slower way.
	Look bool
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
	// Stored is when the content came into the store, by its own clock, whatever the metadata say; zero where that is not known.
	Stored time.Time
	// ETag identifies the content: S3's ETag, the generation on GCS.
	ETag string
	// Class is the storage class as the store names it; empty for its default.
	Class string
	// Sys is for the store itself: what its Head has learned and its Copy may need.
	Sys any
}

// Version implements vfs.Versioned.
func (a Attrs) Version() string { return a.ETag }

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
	// IfMatch refuses to replace anything but the object that has this ETag: where there is another, or
	// none any more, by the time of the commit, the commit gives vfs.ErrBusy. Empty for no such condition.
	IfMatch string
	// ContentType is the media type to store, empty for the store's default.
	ContentType string
	// Metadata are names in lower case with values, kept with the object.
	Metadata map[string]string
	// Tags are what S3 calls object tags. A store without them ignores them.
	Tags map[string]string
}
