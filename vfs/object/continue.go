package object

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
)

// Continuer is a Store whose uploads can be continued after a cut, by any process that may use the bucket:
// their parts stay in the store, invisible, until they are put together or forgotten.
type Continuer interface {
	Store

	// PutParkable is Put of an upload that may be parked: it is a [Parkable] as well. Begun is called
	// before its first part is stored, with the id that the store knows it by; an
	// error of it is one of the upload. Scratch is the beginning of keys that are
	// free to use for its parts. An upload of one part needs neither.
	PutParkable(ctx context.Context, key, scratch string, o PutOptions, begun func(ctx context.Context, id string) error) (Upload, error)

	// Parts returns the parts that the store has of an upload, by number. One
	// that the store does not know any more gives fs.ErrNotExist.
	Parts(ctx context.Context, key, id string) ([]Part, error)

	// Continue goes on with an upload behind some of its parts, the first ones. New parts get
	// numbers above last. The upload is a [Parkable] as well. It sends nothing yet.
	Continue(ctx context.Context, key, id string, parts []Part, last int, o PutOptions) (Upload, error)

	// Forget removes an upload and its parts. One that is gone already is no error.
	Forget(ctx context.Context, key, id string) error

	// Save stores an object with one request, and takes no memory from the budget for it. It returns the ETag, empty where
	// the answer was lost. Sums is the polynomial of Body.Sum32.
	Save(ctx context.Context, key string, body Body, o PutOptions) (etag string, err error)
	Sums() *crc32.Table
}

// Part is a part of an upload that the store has.
type Part struct {
	Number int
	Size   int64 // bytes
	ETag   string
	Sum    uint32 // CRC, if Summed
	Summed bool
}

// Parkable is an [Upload] that can be left for later.
type Parkable interface {
	// Park ends the upload without giving it up: parts that are full are stored. Then save, unless it is nil, is
	// called with what did not fill a part, which is only valid until it returns, and the number of bytes of this upload before it.
	// The tail is nil where there is none, and after a part that could not be stored. Ctx bounds all of it.
	Park(ctx context.Context, save func(ctx context.Context, before int64, tail Body) error) error
}

// Leaver is a [Sink] that wants to know that its upload is left for later.
type Leaver interface {
	Leave()
}

// Park implements Parkable.
func (u *upload) Park(ctx context.Context, save func(ctx context.Context, before int64, tail Body) error) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	if u.ended {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		u.fail(context.Cause(ctx))
		u.stopBegin()
	})
	defer stop()
	u.wg.Wait()
	err := u.failed()
	if save != nil {
		var tail Body
		if err == nil && u.cur != nil && u.cur.size > 0 {
			u.cur.hold = u.account.seal(0)
			tail = u.cur
		}
		before := u.offset
		if tail != nil {
			before -= tail.Size()
		}
		err = errors.Join(err, save(ctx, before, tail))
	}
	if l, ok := u.sink.(Leaver); ok {
		l.Leave()
	}
	u.end()
	return err
}

// plain is a Body in ordinary memory, for what is small and not a client's.
type plain struct {
	*bytes.Reader
	sum uint32
}

func newPlain(data []byte, table *crc32.Table) *plain {
	return &plain{bytes.NewReader(data), crc32.Checksum(data, table)}
}

func (p *plain) Sum32() uint32 { return p.sum }
