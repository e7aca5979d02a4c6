package object

import (
	"io/fs"
	"path"
	"time"
)

// info describes a file or a directory.
type info struct {
	name string
	dir  bool
	a    Attrs
}

func fileInfo(name string, a Attrs) *info { return &info{name: path.Base(name), a: a} }

// dirInfo describes a directory. Only one with a marker has a time; for the others it is the zero Time.
func dirInfo(name string, t time.Time) *info {
	return &info{name: path.Base(name), dir: true, a: Attrs{ModTime: t}}
}

func (i *info) Name() string       { return i.name }
func (i *info) Size() int64        { return i.a.Size }
func (i *info) ModTime() time.Time { return i.a.ModTime }
func (i *info) IsDir() bool        { return i.dir }

func (i *info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// Sys returns the object's Attrs, or nil for a directory.
func (i *info) Sys() any {
	if i.dir {
		return nil
	}
	return i.a
}
