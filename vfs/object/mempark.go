package object

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"
)

var _ Holder = (*Mem)(nil)

// PutParkable implements Continuer.
func (m *Mem) PutParkable(ctx context.Context, key, _ string, o PutOptions, begun func(context.Context, string) error) (Upload, error) {
	s := &memSink{m: m, key: key, o: o, begun: begun, parts: make(map[int][]byte)}
	return NewUpload(ctx, m.budget, s, UploadOptions{FirstPart: m.part, Parkable: true}), nil
}

// Parts implements Continuer.
func (m *Mem) Parts(ctx context.Context, key, id string) ([]Part, error) {
	if _, err := m.request(ctx, "parts", key); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	parts, ok := m.uploads[id]
	if !ok {
		return nil, fmt.Errorf("mem: no upload %q: %w", id, fs.ErrNotExist)
	}
	var list []Part
	for _, n := range slices.Sorted(maps.Keys(parts)) {
		list = append(list, Part{Number: n, Size: int64(len(parts[n])), Sum: crc32.ChecksumIEEE(parts[n]), Summed: true})
	}
	return list, nil
}

// Continue implements Continuer.
func (m *Mem) Continue(ctx context.Context, key, id string, parts []Part, last int, o PutOptions) (Upload, error) {
	m.mu.Lock()
	stored := m.uploads[id]
	m.mu.Unlock()
	s := &memSink{m: m, key: key, o: o, id: id, first: parts, after: last, parts: stored}
	return NewUpload(ctx, m.budget, s, UploadOptions{FirstPart: m.part, Parkable: true, Begun: true}), nil
}

// Forget implements Continuer.
func (m *Mem) Forget(ctx context.Context, key, id string) error {
	n, err := m.request(ctx, "abort", key)
	if err != nil {
		return err
	}
	m.mu.Lock()
	delete(m.uploads, id)
	m.mu.Unlock()
	return m.answer(ctx, "abort", n, key)
}

// Save implements Continuer.
func (m *Mem) Save(ctx context.Context, key string, body Body, o PutOptions) (string, error) {
	s := &memSink{m: m, key: key, o: o}
	err := s.Single(ctx, body)
	return s.etag, err
}

// Sums implements Continuer.
func (m *Mem) Sums() *crc32.Table { return crc32.IEEETable }

// Holds implements Holder.
func (m *Mem) Holds() bool { return true }

// PutHeld implements Holder.
func (m *Mem) PutHeld(ctx context.Context, key string, o PutOptions, held func(context.Context, string, []Part) error) (Upload, error) {
	s := &memSink{m: m, key: key, o: o, held: held, parts: make(map[int][]byte),
		begun: func(context.Context, string) error { return nil }}
	return NewUpload(ctx, m.budget, s, UploadOptions{FirstPart: m.part, Begun: true}), nil
}

// hold ends an upload that is not to be seen yet.
func (s *memSink) hold(ctx context.Context) error {
	s.m.mu.Lock()
	var parts []Part
	for i := range s.count {
		data := s.parts[i+1]
		parts = append(parts, Part{Number: i + 1, Size: int64(len(data)), Sum: crc32.ChecksumIEEE(data), Summed: true})
	}
	s.m.mu.Unlock()
	err := s.held(ctx, s.id, parts)
	s.inDoubt = errors.Is(err, ErrInDoubt)
	return err
}

// Publish implements Holder.
func (m *Mem) Publish(ctx context.Context, key, id string, parts []Part, o PutOptions) (string, error) {
	m.mu.Lock()
	stored, known := m.uploads[id]
	etag, done := m.done[id]
	done = done && m.objects[key].ETag == etag
	m.mu.Unlock()
	if !known {
		if _, err := m.request(ctx, "complete", key); err != nil || done {
			return etag, err
		}
		return "", fmt.Errorf("mem: no upload %q: %w", id, fs.ErrNotExist)
	}
	s := &memSink{m: m, key: key, o: o, id: id, first: parts, parts: stored}
	err := s.Complete(ctx)
	return s.etag, err
}
