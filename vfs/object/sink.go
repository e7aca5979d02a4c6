package object

import (
	"context"
	"io"
)

// Sink is what a Store gives to the upload scheduler of this package: the
// requests that carry one object. The scheduler decides which bytes go into
// which request, holds them in memory from the shared budget until the store
// has confirmed them, and limits how many requests are under way.
//
// One Sink serves one upload. Either Single is called, or Begin, then Part for
// n = 1, 2, … (by several goroutines at once if the scheduler was told so), then Complete. Abort is
// called at most once, after Begin, when no other call is running any more.
type Sink interface {
	// Single stores the whole object with one request.
	Single(ctx context.Context, body Body) error
	// Begin opens an upload of several parts. Nothing is visible yet.
	Begin(ctx context.Context) error
	// Part stores part n, the first being 1. The body can be read again for a retry.
	Part(ctx context.Context, n int, body Body) error
	// Complete makes the object of all parts visible, durably.
	Complete(ctx context.Context) error
	// Abort removes what Begin and Part have left in the store.
	Abort(ctx context.Context) error
}

// Body is the content of one request, held in memory: it can be sought and read
// as often as a retry needs.
type Body interface {
	io.ReadSeeker
	io.WriterTo
	// Size is the number of bytes.
	Size() int64
	// Sum32 is the CRC of the bytes, computed while they arrived from the client, with the
	// polynomial that the Store asked for.
	Sum32() uint32
}

// Receipt is what a store says of an object that it has accepted.
type Receipt struct {
	Version  string // of a versioned bucket, or the generation; empty where there is none
	Checksum string // of the whole object: algorithm, colon, lower-case hex; empty where it is not known
}

// Receipter is an [Upload], or the [Sink] of one, that has a receipt once its
// Commit has returned nil.
type Receipter interface {
	Receipt() Receipt
}

// Bucketer is a [Store] that knows the name of its bucket.
type Bucketer interface {
	Bucket() string
}
