package store

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Dir is a directory on a disk.
type Dir string

// Put implements Store.
func (d Dir) Put(_ context.Context, name string, data []byte) error {
	path := filepath.Join(string(d), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// Get implements Store.
func (d Dir) Get(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), name))
}

// Names implements Store.
func (d Dir) Names(_ context.Context, prefix string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(string(d), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(string(d), path)
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// Uploads implements Store.
func (d Dir) Uploads(context.Context) ([]string, error) { return nil, nil }
