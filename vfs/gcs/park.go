package gcs

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// mostJoined is how many objects one objects.compose joins.
const mostJoined = 32

var _ object.Continuer = (*Store)(nil)

// PutParkable implements [object.Continuer]. A resumable session of the service belongs to whoever has its
// address, which would have to be kept; so the parts of an upload that can be
// parked are objects in the scratch place, and the file is made of them by
// objects.compose, 32 at a time. The id is the beginning of their names. A file of
// one part is one request, as always.
func (s *Store) PutParkable(ctx context.Context, key, scratch string, o object.PutOptions, begun func(context.Context, string) error) (object.Upload, error) {
	if err := checkKey("put", key); err != nil {
		return nil, err
	}
	return s.parkable(ctx, &joined{s: s, key: key, o: o, id: scratch + "/", begun: begun}, 0), nil
}

// Continue implements [object.Continuer].
func (s *Store) Continue(ctx context.Context, key, id string, parts []object.Part, last int, o object.PutOptions) (object.Upload, error) {
	k := &joined{s: s, key: key, o: o, id: id, first: parts, after: last, open: true}
	var size int64
	for _, p := range parts {
		size += p.Size
	}
	return s.parkable(ctx, k, size), nil
}

func (s *Store) parkable(ctx context.Context, k *joined, before int64) object.Upload {
	if k.o.ContentType == "" || strings.ContainsAny(k.o.ContentType, "\r\n") {
		k.o.ContentType = defaultType
	}
	// Parts grow with the file, so that few have to be joined.
	grow := func(offset int64) int64 { return max(s.part, roundUp((before+offset)/256, chunkUnit)) }
	return object.NewUpload(ctx, s.budget, k, object.UploadOptions{
		FirstPart:    s.part,
		PartSize:     grow,
		Parallel:     2,
		MaxSize:      maxObject - before,
		Table:        castagnoli,
		AbortTimeout: s.limits.cleanup,
		Parkable:     true,
		Begun:        k.open,
	})
}

// Save implements [object.Continuer].
func (s *Store) Save(ctx context.Context, key string, body object.Body, o object.PutOptions) (string, error) {
	if o.ContentType == "" {
		o.ContentType = defaultType
	}
	k := &sink{s: s, key: key, o: o}
	err := k.Single(ctx, body)
	return k.receipt.Version, err
}

// Sums implements [object.Continuer].
func (s *Store) Sums() *crc32.Table { return castagnoli }

// Parts implements [object.Continuer] (objects.list).
func (s *Store) Parts(ctx context.Context, key, id string) ([]object.Part, error) {
	q := &storage.Query{Prefix: id, Projection: storage.ProjectionNoACL}
	if err := q.SetAttrSelection([]string{"Name", "Size", "CRC32C", "Generation"}); err != nil {
		return nil, fmt.Errorf("gcs: list parts: %w", err)
	}
	var list []object.Part
	for it := s.handle().Objects(ctx, q); ; {
		a, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, translate(ctx, "list parts", key, err)
		}
		if n, err := strconv.Atoi(a.Name[len(id):]); err == nil {
			list = append(list, object.Part{Number: n, Size: a.Size, ETag: strconv.FormatInt(a.Generation, 10), Sum: a.CRC32C, Summed: true})
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("gcs: parts of %q: %w", key, fs.ErrNotExist)
	}
	slices.SortFunc(list, func(a, b object.Part) int { return a.Number - b.Number })
	return list, nil
}

// Forget implements [object.Continuer]: it removes all objects whose names begin with the id.
func (s *Store) Forget(ctx context.Context, key, id string) error {
	q := &storage.Query{Prefix: id, Projection: storage.ProjectionNoACL}
	if err := q.SetAttrSelection([]string{"Name"}); err != nil {
		return fmt.Errorf("gcs: forget: %w", err)
	}
	var names []string
	for it := s.handle().Objects(ctx, q); ; {
		a, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return translate(ctx, "list parts", key, err)
		}
		names = append(names, a.Name)
	}
	return s.deleteAll(ctx, names)
}

// deleteAll removes objects, eight at once, and returns the first error. Its goroutines end with it.
func (s *Store) deleteAll(ctx context.Context, names []string) error {
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	slots := make(chan struct{}, 8)
	for _, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.Delete(ctx, name, ""); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	wg.Wait()
	return first
}

// joined is the sink of an upload whose parts are objects.
type joined struct {
	s     *Store
	key   string
	o     object.PutOptions
	id    string
	open  bool // parts may exist
	begun func(context.Context, string) error
	first []object.Part // before those of the scheduler
	after int           // the highest number that is taken

	mu      sync.Mutex
	parts   []object.Part // part n of the scheduler at n-1
	receipt object.Receipt
}

var _ object.Sink = (*joined)(nil)

// Single implements [object.Sink].
func (k *joined) Single(ctx context.Context, body object.Body) error {
	if len(k.first) > 0 {
		if body.Size() > 0 {
			if err := k.Part(ctx, 1, body); err != nil {
				return err
			}
		}
		return k.Complete(ctx)
	}
	one := &sink{s: k.s, key: k.key, o: k.o}
	err := one.Single(ctx, body)
	k.receipt = one.receipt
	return err
}

// Begin implements [object.Sink].
func (k *joined) Begin(ctx context.Context) error {
	if k.open {
		return nil
	}
	k.open = true
	return k.begun(ctx, k.id)
}

func (k *joined) name(n int) string { return fmt.Sprintf("%s%05d", k.id, n) }

// Part implements [object.Sink].
func (k *joined) Part(ctx context.Context, n int, body object.Body) error {
	p := object.Part{Number: k.after + n, Size: body.Size(), Sum: body.Sum32(), Summed: true}
	one := &sink{s: k.s, key: k.name(p.Number), o: object.PutOptions{ContentType: defaultType}}
	if err := one.Single(ctx, body); err != nil {
		return err
	}
	p.ETag = one.receipt.Version
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.parts) < n {
		k.parts = append(k.parts, object.Part{})
	}
	k.parts[n-1] = p
	return nil
}

// Complete implements [object.Sink]: it joins the parts, and then what was made of them with the next ones. The
// last step puts the file in its place; the service compares it with the CRC32C.
func (k *joined) Complete(ctx context.Context) error {
	var (
		b    = k.s.handle()
		srcs []*storage.ObjectHandle
		size int64
		sum  uint32
	)
	for _, p := range slices.Concat(k.first, k.parts) {
		g, err := generation(p.ETag)
		if err != nil {
			return fmt.Errorf("gcs: put %q: %w", k.key, err)
		}
		srcs = append(srcs, b.Object(k.name(p.Number)).If(storage.Conditions{GenerationMatch: g}))
		sum = combine(sum, p.Sum, p.Size)
		size += p.Size
	}
	for step := 1; len(srcs) > mostJoined; step++ {
		name := fmt.Sprintf("%sjoined-%d", k.id, step)
		a, err := b.Object(name).ComposerFrom(srcs[:mostJoined]...).Run(ctx)
		if err != nil {
			return k.fail(ctx, err)
		}
		srcs = slices.Concat([]*storage.ObjectHandle{b.Object(name).If(storage.Conditions{GenerationMatch: a.Generation})}, srcs[mostJoined:])
	}
	dst := b.Object(k.key)
	if k.o.IfAbsent {
		dst = dst.If(storage.Conditions{DoesNotExist: true})
	}
	c := dst.ComposerFrom(srcs...)
	c.ContentType, c.Metadata, c.CRC32C, c.SendCRC32C = k.o.ContentType, k.o.Metadata, sum, true
	c.StorageClass, c.PredefinedACL = k.s.set.StorageClass, k.s.set.ACL
	a, err := c.Run(ctx)
	if err != nil && ctx.Err() == nil {
		// The answer to an attempt that was carried out may have been lost.
		h := b.Object(k.key).Retryer(storage.WithMaxAttempts(3))
		if have, herr := h.Attrs(ctx); unsure(err) || status(err) == http.StatusPreconditionFailed {
			if herr == nil && have.Size == size && have.CRC32C == sum {
				a, err = have, nil
			}
		}
	}
	if err != nil {
		return k.fail(ctx, err)
	}
	k.receipt = object.Receipt{Version: strconv.FormatInt(a.Generation, 10), Checksum: fmt.Sprintf("crc32c:%08x", sum)}
	// What cannot be removed now is the janitor's.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.s.limits.cleanup)
	defer cancel()
	_ = k.s.Forget(clean, k.key, k.id)
	return nil
}

// fail translates an error of a join.
func (k *joined) fail(ctx context.Context, err error) error {
	terr := translate(ctx, "put", k.key, err)
	switch {
	case k.o.IfAbsent && status(err) == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %w", fs.ErrExist, terr)
	case status(err) == http.StatusNotFound && !errors.Is(terr, ErrNoSuchBucket):
		return fmt.Errorf("%w: a part is gone: %w", vfs.ErrBusy, terr) // taken by another who continued it
	}
	return terr
}

// Abort implements [object.Sink].
func (k *joined) Abort(ctx context.Context) error {
	if !k.open {
		return nil
	}
	return k.s.Forget(ctx, k.key, k.id)
}

// Receipt implements [object.Receipter].
func (k *joined) Receipt() object.Receipt { return k.receipt }
