package object

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Mem is a Store in memory, for tests: a true flat key space, in which "a" and
// "a/b" both fit, with uploads as large stores have them and with faults. The
// zero value is not usable; see [NewMem].
type Mem struct {
	// Fault is called before each request and may wait, or return an error in
	// its place; nil never does. Op is one of "head", "list", "get", "copy", "delete",
	// "single", "begin", "part", "complete", "abort"; n counts the requests of that op from 1.
	// It is set before the store is used.
	Fault func(ctx context.Context, op string, n int, key string) error
	// Lost is called after a write has been carried out; its error replaces
	// the answer, as if it had been lost on the way.
	Lost func(ctx context.Context, op string, n int, key string) error

	budget *Budget
	part   int64

	mu      sync.Mutex
	keys    []string // sorted
	objects map[string]memObject
	types   map[string]string
	pending map[*memSink]struct{}
	uploads map[string]map[int][]byte // parts of those that can be continued, by id
	done    map[string]string         // ETags of the objects that they have become
	counts  map[string]int
	version int
}

type memObject struct {
	Attrs
	data []byte
}

// FailNth returns a Fault that answers the nth request of an operation with err.
func FailNth(op string, n int, err error) func(context.Context, string, int, string) error {
	return func(_ context.Context, o string, i int, _ string) error {
		if o == op && i == n {
			return err
		}
		return nil
	}
}

// Hang returns a Fault that never answers the nth request of an operation.
func Hang(op string, n int) func(context.Context, string, int, string) error {
	return func(ctx context.Context, o string, i int, _ string) error {
		if o == op && i == n {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	}
}

// Slow returns a Fault that delays every request.
func Slow(d time.Duration) func(context.Context, string, int, string) error {
	return func(ctx context.Context, _ string, _ int, _ string) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// NewMem returns an empty store whose uploads take their memory from budget, in
// parts of the given size in bytes.
func NewMem(budget *Budget, part int64) *Mem {
	return &Mem{
		budget:  budget,
		part:    part,
		objects: make(map[string]memObject),
		types:   make(map[string]string),
		pending: make(map[*memSink]struct{}),
		uploads: make(map[string]map[int][]byte),
		done:    make(map[string]string),
		counts:  make(map[string]int),
	}
}

// Requests returns how many requests of each operation there were.
func (m *Mem) Requests() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(map[string]int, len(m.counts))
	for op, n := range m.counts {
		c[op] = n
	}
	return c
}

// Pending returns how many uploads have begun and neither ended nor been aborted.
func (m *Mem) Pending() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pending) + len(m.uploads)
}

// Keys returns all keys, sorted.
func (m *Mem) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys)
}

// Object returns the content of an object and whether it exists.
func (m *Mem) Object(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	return o.data, ok
}

// ContentType returns the media type that an object was stored with.
func (m *Mem) ContentType(key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.types[key]
}

// Set puts an object there without a request.
func (m *Mem) Set(key string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(key, data)
}

func (m *Mem) set(key string, data []byte) {
	m.version++
	if i, ok := slices.BinarySearch(m.keys, key); !ok {
		m.keys = slices.Insert(m.keys, i, key)
	}
	m.objects[key] = memObject{Attrs{Key: key, Size: int64(len(data)), ModTime: time.Now(), Stored: time.Now(), ETag: fmt.Sprint(m.version)}, data}
	delete(m.types, key)
}

// request counts and lets the faults have their say.
func (m *Mem) request(ctx context.Context, op, key string) (n int, err error) {
	m.mu.Lock()
	m.counts[op]++
	n = m.counts[op]
	m.mu.Unlock()
	if m.Fault != nil {
		err = m.Fault(ctx, op, n, key)
	}
	return n, cmp.Or(err, context.Cause(ctx))
}

func (m *Mem) answer(ctx context.Context, op string, n int, key string) error {
	if m.Lost != nil {
		return m.Lost(ctx, op, n, key)
	}
	return nil
}

// Head implements Store.
func (m *Mem) Head(ctx context.Context, key string) (Attrs, error) {
	if _, err := m.request(ctx, "head", key); err != nil {
		return Attrs{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return Attrs{}, fmt.Errorf("mem: head %q: %w", key, fs.ErrNotExist)
	}
	return o.Attrs, nil
}

// List implements Store. The token is the last key or prefix of the page before.
func (m *Mem) List(ctx context.Context, prefix, token string, max int) (Page, error) {
	return m.list(ctx, prefix, token, max, true)
}

// ListAll implements Store.
func (m *Mem) ListAll(ctx context.Context, prefix, token string, max int) (Page, error) {
	return m.list(ctx, prefix, token, max, false)
}

func (m *Mem) list(ctx context.Context, prefix, token string, max int, tree bool) (Page, error) {
	if _, err := m.request(ctx, "list", prefix); err != nil {
		return Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var p Page
	i, _ := slices.BinarySearch(m.keys, cmp.Or(token, prefix))
	last := token
	for ; i < len(m.keys) && strings.HasPrefix(m.keys[i], prefix); i++ {
		key := m.keys[i]
		if key == token || tree && strings.HasSuffix(last, "/") && last != prefix && strings.HasPrefix(key, last) {
			continue
		}
		if len(p.Objects)+len(p.Prefixes) == max {
			p.Next = last
			break
		}
		if j := strings.IndexByte(key[len(prefix):], '/'); tree && j >= 0 {
			last = key[:len(prefix)+j+1]
			p.Prefixes = append(p.Prefixes, last)
		} else {
			last = key
			p.Objects = append(p.Objects, m.objects[key].Attrs)
		}
	}
	return p, nil
}

// Get implements Store.
func (m *Mem) Get(ctx context.Context, key string, off int64) (io.ReadCloser, Attrs, error) {
	return m.GetRange(ctx, key, "", off, math.MaxInt64)
}

// GetRange implements Store.
func (m *Mem) GetRange(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, Attrs, error) {
	if _, err := m.request(ctx, "get", key); err != nil {
		return nil, Attrs{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return nil, Attrs{}, fmt.Errorf("mem: get %q: %w", key, fs.ErrNotExist)
	}
	if off > o.Size {
		return nil, Attrs{}, fmt.Errorf("mem: get %q: %w", key, vfs.ErrBadOffset)
	}
	if etag != "" && etag != o.ETag {
		return nil, Attrs{}, fmt.Errorf("mem: get %q: %w", key, vfs.ErrBusy)
	}
	data := o.data[off:]
	return &memBody{ctx, bytes.NewReader(data[:min(n, int64(len(data)))])}, o.Attrs, nil
}

// memBody is called off with its context, as a network's body is.
type memBody struct {
	ctx context.Context
	r   *bytes.Reader
}

func (b *memBody) Close() error { return nil }

func (b *memBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	return b.r.Read(p)
}

// Copy implements Store.
func (m *Mem) Copy(ctx context.Context, dst string, src Attrs, c CopyOptions) error {
	n, err := m.request(ctx, "copy", dst)
	if err != nil {
		return err
	}
	m.mu.Lock()
	o, ok := m.objects[src.Key]
	_, taken := m.objects[dst]
	switch {
	case !ok:
		err = fmt.Errorf("mem: copy %q: %w", src.Key, fs.ErrNotExist)
	case src.ETag != "" && src.ETag != o.ETag:
		err = fmt.Errorf("mem: copy %q: %w", src.Key, vfs.ErrBusy)
	case taken && c.IfAbsent:
		err = fmt.Errorf("mem: copy to %q: %w", dst, fs.ErrExist)
	default:
		t := m.types[src.Key]
		m.set(dst, o.data)
		m.types[dst] = t
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	return m.answer(ctx, "copy", n, dst)
}

// Delete implements Store.
func (m *Mem) Delete(ctx context.Context, key, etag string) error {
	n, err := m.request(ctx, "delete", key)
	if err != nil {
		return err
	}
	m.mu.Lock()
	if i, ok := slices.BinarySearch(m.keys, key); ok {
		if etag != "" && etag != m.objects[key].ETag {
			m.mu.Unlock()
			return fmt.Errorf("mem: delete %q: %w", key, vfs.ErrBusy)
		}
		m.keys = slices.Delete(m.keys, i, i+1)
		delete(m.objects, key)
		delete(m.types, key)
	}
	m.mu.Unlock()
	return m.answer(ctx, "delete", n, key)
}

// Put implements Store.
func (m *Mem) Put(ctx context.Context, key string, o PutOptions) (Upload, error) {
	s := &memSink{m: m, key: key, o: o, parts: make(map[int][]byte)}
	return NewUpload(ctx, m.budget, s, UploadOptions{FirstPart: m.part}), nil
}

// Append implements Appender.
func (m *Mem) Append(ctx context.Context, key string, n int64, _ string) (Upload, int64, error) {
	if _, err := m.request(ctx, "append", key); err != nil {
		return nil, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	switch {
	case !ok:
		return nil, 0, fmt.Errorf("mem: append %q: %w", key, fs.ErrNotExist)
	case n > o.Size:
		return nil, 0, fmt.Errorf("mem: append %q: %w", key, vfs.ErrBadOffset)
	case n < 0:
		n = o.Size
	}
	s := &memSink{m: m, key: key, o: PutOptions{IfMatch: o.ETag, ContentType: m.types[key]}, head: o.data[:n], parts: make(map[int][]byte)}
	return NewUpload(ctx, m.budget, s, UploadOptions{FirstPart: m.part}), n, nil
}

// memSink is one upload into a Mem.
type memSink struct {
	m       *Mem
	key     string
	o       PutOptions
	head    []byte // comes before all parts
	id      string // known to others; empty while nobody has to know it
	begun   func(ctx context.Context, id string) error
	held    func(ctx context.Context, id string, parts []Part) error // in the place of the completion
	first   []Part                                                   // parts before those of the scheduler
	after   int                                                      // the highest number that is taken
	count   int                                                      // parts of the scheduler
	etag    string                                                   // of the object once it is visible
	inDoubt bool                                                     // see ErrInDoubt
	parts   map[int][]byte
}

// receive reads a body and checks its sum.
func (s *memSink) receive(body Body) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(body.Size()))
	if _, err := body.WriteTo(&b); err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(b.Bytes()) != body.Sum32() {
		return nil, fmt.Errorf("mem: put %q: bad digest", s.key)
	}
	return b.Bytes(), nil
}

// publish makes the object visible if its condition holds.
func (s *memSink) publish(ctx context.Context, op string, n int, data []byte) error {
	s.m.mu.Lock()
	if _, known := s.m.uploads[s.id]; s.id != "" && !known {
		s.m.mu.Unlock()
		return fmt.Errorf("mem: no such upload: %w", vfs.ErrBusy)
	}
	old, exists := s.m.objects[s.key]
	refused := exists && s.o.IfAbsent
	changed := s.o.IfMatch != "" && old.ETag != s.o.IfMatch
	if !refused && !changed {
		s.m.set(s.key, append(slices.Clone(s.head), data...))
		s.etag = s.m.objects[s.key].ETag
		if s.id != "" {
			s.m.done[s.id] = s.etag
		}
		s.m.types[s.key] = s.o.ContentType
		delete(s.m.pending, s)
		delete(s.m.uploads, s.id)
	}
	s.m.mu.Unlock()
	switch {
	case refused:
		return fmt.Errorf("mem: put %q: %w", s.key, fs.ErrExist)
	case changed:
		return fmt.Errorf("mem: put %q: %w", s.key, vfs.ErrBusy)
	}
	return s.m.answer(ctx, op, n, s.key)
}

func (s *memSink) Single(ctx context.Context, body Body) error {
	if len(s.first) > 0 {
		if body.Size() > 0 {
			if err := s.Part(ctx, 1, body); err != nil {
				return err
			}
		}
		return s.Complete(ctx)
	}
	if s.held != nil {
		if err := s.Begin(ctx); err != nil {
			return err
		}
		if err := s.Part(ctx, 1, body); err != nil {
			return err
		}
		return s.hold(ctx)
	}
	n, err := s.m.request(ctx, "single", s.key)
	if err != nil {
		return err
	}
	data, err := s.receive(body)
	if err != nil {
		return err
	}
	return s.publish(ctx, "single", n, data)
}

func (s *memSink) Begin(ctx context.Context) error {
	if s.id != "" {
		return nil // it goes on
	}
	n, err := s.m.request(ctx, "begin", s.key)
	if err != nil {
		return err
	}
	s.m.mu.Lock()
	if s.begun == nil {
		s.m.pending[s] = struct{}{}
	} else {
		s.m.version++
		s.id = fmt.Sprintf("upload-%d", s.m.version)
		s.m.uploads[s.id] = s.parts
	}
	s.m.mu.Unlock()
	if err := s.m.answer(ctx, "begin", n, s.key); err != nil || s.begun == nil {
		return err
	}
	return s.begun(ctx, s.id)
}

func (s *memSink) Part(ctx context.Context, part int, body Body) error {
	n, err := s.m.request(ctx, "part", s.key)
	if err != nil {
		return err
	}
	data, err := s.receive(body)
	if err != nil {
		return err
	}
	s.m.mu.Lock()
	_, exists := s.m.uploads[s.id]
	if s.parts == nil { // gone before it was gone on with
		s.parts = make(map[int][]byte)
	}
	s.parts[s.after+part] = data
	s.count = max(s.count, part)
	s.m.mu.Unlock()
	if s.id != "" && !exists {
		return fmt.Errorf("mem: no such upload: %w", vfs.ErrBusy)
	}
	return s.m.answer(ctx, "part", n, s.key)
}

func (s *memSink) Complete(ctx context.Context) error {
	if s.held != nil {
		return s.hold(ctx)
	}
	n, err := s.m.request(ctx, "complete", s.key)
	if err != nil {
		return err
	}
	var data []byte
	s.m.mu.Lock()
	for _, p := range s.first {
		data = append(data, s.parts[p.Number]...)
	}
	for i := range s.count {
		data = append(data, s.parts[s.after+i+1]...)
	}
	s.m.mu.Unlock()
	return s.publish(ctx, "complete", n, data)
}

func (s *memSink) Abort(ctx context.Context) error {
	if s.inDoubt {
		return nil
	}
	n, err := s.m.request(ctx, "abort", s.key)
	if err != nil {
		return err
	}
	s.m.mu.Lock()
	delete(s.m.pending, s)
	delete(s.m.uploads, s.id)
	s.m.mu.Unlock()
	return s.m.answer(ctx, "abort", n, s.key)
}
