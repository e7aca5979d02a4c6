// Package store looks into an object store, or a directory, past the gateway: the
// tests read with the vendors' own SDKs what the gateway has written.
package store

import (
	"context"
)

// Store is one bucket or directory.
type Store interface {
	// Put writes an object.
	Put(ctx context.Context, name string, data []byte) error
	// Get reads an object whole. A missing one gives fs.ErrNotExist.
	Get(ctx context.Context, name string) ([]byte, error)
	// Names returns the names of all objects below prefix, sorted. On a disk it
	// shows every file, hidden and temporary ones too.
	Names(ctx context.Context, prefix string) ([]string, error)
	// Uploads returns the names of uploads that were begun and not ended. GCS and
	// disks do not tell any: the result is empty.
	Uploads(ctx context.Context) ([]string, error)
}

// Emptier is a Store that can be made empty between two tests.
type Emptier interface {
	Store
	// Empty removes every object.
	Empty(ctx context.Context) error
}
