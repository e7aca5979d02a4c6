package object

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// maxKey is the longest key in bytes, of S3 and of GCS alike.
const maxKey = 1024

// folderSuffix ends the keys that old Hadoop tools wrote in place of directories.
const folderSuffix = "_$folder$"

// ownDir is the directory, at the root of each tree, of the gateway's own objects. No client sees
// or reaches a name that has it in its path.
const ownDir = ".ftpgw"

// isOwn reports whether a clean name belongs to the gateway.
func isOwn(name string) bool { return strings.Contains(name+"/", "/"+ownDir+"/") }

// cleanPrefix turns the prefix of a configuration into "" or "a/b/".
func cleanPrefix(prefix string) (string, error) {
	p := strings.Trim(prefix, "/")
	if p == "" {
		return "", nil
	}
	if path.Clean("/"+p) != "/"+p || !utf8.ValidString(p) || hasControl(p) || len(p) >= maxKey {
		return "", fmt.Errorf("object: prefix %q: %w", prefix, vfs.ErrBadName)
	}
	return p + "/", nil
}

// key returns the key of the file with the given name. The root has the tree's
// prefix for a key. Whatever the name, the key is inside the prefix.
func (f *FS) key(name string) (string, error) {
	if !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		// The stores refuse it, some with "wrong signature" or "internal error", which
		// would be tried again and again.
		return "", vfs.ErrBadName
	}
	name = path.Clean("/" + name)
	if isOwn(name) {
		return "", fs.ErrNotExist
	}
	key := f.t.prefix + name[1:]
	if len(key) > maxKey {
		return "", vfs.ErrBadName
	}
	if f.t.isHidden(key) {
		return "", fs.ErrNotExist
	}
	return key, nil
}

// newKey returns the key for something to be created: stricter, as not every
// name that may stand in a bucket is one that we want to put there.
func (f *FS) newKey(name string) (string, error) {
	key, err := f.key(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = vfs.ErrBadName
	}
	if err != nil {
		return "", err
	}
	if hasControl(name) || strings.HasSuffix(key, folderSuffix) || len(key) >= maxKey { // room for a slash
		return "", vfs.ErrBadName
	}
	return key, nil
}

// isHidden reports whether the key is the scratch place or lies in it.
func (t *tree) isHidden(key string) bool {
	return strings.HasPrefix(key, t.hidden) || key == strings.TrimSuffix(t.hidden, "/")
}

// dirKey returns the prefix that the keys below a directory have, given the
// key of the directory's name.
func (f *FS) dirKey(key string) string {
	if key == f.t.prefix {
		return key
	}
	return key + "/"
}

// hasControl reports whether s has a control character. They cannot be shown
// in a listing, and some of them would end its line.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}

// entryName returns the name of the entry with the given key below prefix, or
// false for one that no path can name or that is not to be shown. A marker of
// the directory itself is none of its entries.
func entryName(key, prefix string) (string, bool) {
	name := strings.TrimSuffix(strings.TrimPrefix(key, prefix), "/")
	switch {
	case name == "", name == ".", name == "..", name == ownDir,
		strings.HasSuffix(name, folderSuffix),
		strings.Contains(name, "/"),
		!utf8.ValidString(name), hasControl(name):
		return "", false
	}
	return name, true
}
