package vfstest

import (
	"context"
	"errors"
	"io"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

var contextChecks = []check{
	{"context", false, contextDone},
	{"context during an upload", false, contextUpload},
}

var errCalledOff = errors.New("called off by the test")

func contextDone(t *T) {
	fsys := t.fs()
	t.mkdir(fsys, "/d")
	t.put(fsys, "/f", "content")
	ctx, cancel := context.WithCancelCause(t.t.Context())
	bound := vfs.WithContext(ctx, fsys)
	t.holds(bound, "/f", "content")
	t.lists(bound, "/", "d/", "f")
	if bound.Name() != fsys.Name() {
		t.Errorf("Name() = %q, want %q", bound.Name(), fsys.Name())
	}
	cancel(errCalledOff)
	for what, f := range map[string]func() error{
		"Stat":       func() error { _, err := bound.Stat("/f"); return err },
		"StatFile":   func() error { _, err := vfs.StatFile(bound, "/f"); return err },
		"StatDir":    func() error { _, err := vfs.StatDir(bound, "/d"); return err },
		"read":       func() error { _, err := load(bound, "/f"); return err },
		"List":       func() error { _, err := list(bound, "/d"); return err },
		"store":      func() error { return store(bound, "/g", "x") },
		"Mkdir":      func() error { return bound.Mkdir("/e", 0o777) },
		"Remove":     func() error { return bound.Remove("/f") },
		"RemoveFile": func() error { return vfs.RemoveFile(bound, "/f") },
		"RemoveDir":  func() error { return vfs.RemoveDir(bound, "/d") },
		"Rename":     func() error { return bound.Rename("/f", "/g") },
	} {
		t.wants(what+" with a context that is done", f(), errCalledOff)
	}
	// The tree itself is not bound.
	t.holds(fsys, "/f", "content")
	t.lists(fsys, "/", "d/", "f")
}

func contextUpload(t *T) {
	fsys := t.fs()
	for _, size := range t.sizesOfCuts() {
		ctx, cancel := context.WithCancelCause(t.t.Context())
		bound := vfs.WithContext(ctx, fsys)
		f, err := create(bound, "/f")
		if err != nil {
			t.Fatalf("OpenFile: %v", err)
		}
		if _, err := io.WriteString(f, pattern(size)); err != nil {
			t.Errorf("Write: %v", err)
		}
		cancel(errCalledOff)
		_, err = io.WriteString(f, pattern(t.caps().FirstPart+t.caps().Part))
		t.wants("Write with a context that is done", err, errCalledOff)
		if err := vfs.Abort(f, context.Cause(ctx)); err != nil {
			t.Errorf("Abort with a context that is done: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close after Abort: %v", err)
		}
		if t.caps().Abort != KeepsPart {
			t.missing(fsys, "/f")
			t.lists(fsys, "/")
		}
	}
	t.put(fsys, "/f", "content")
	ctx, cancel := context.WithCancelCause(t.t.Context())
	f, err := vfs.WithContext(ctx, fsys).Open("/f")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	cancel(errCalledOff)
	_, err = io.ReadAll(f)
	t.wants("Read with a context that is done", err, errCalledOff)
	f.Close()
}
