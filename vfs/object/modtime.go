package object

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Names under which tools keep a file's time in an object's metadata: rclone and s3fs
// ("mtime", seconds with a fraction; RFC 3339 on GCS), gcsfuse ("gcsfuse_mtime", RFC
// 3339) and gsutil ("goog-reserved-file-mtime", seconds).
const (
	MetaMtime    = "mtime"
	MetaGCSFuse  = "gcsfuse_mtime"
	MetaReserved = "goog-reserved-file-mtime"
)

// ModTime returns the time of change that is kept in an object's metadata, if there is one that
// makes sense. The case of names does not matter.
func ModTime(metadata map[string]string) (time.Time, bool) {
	for _, name := range [...]string{MetaMtime, MetaGCSFuse, MetaReserved} {
		for k, v := range metadata {
			if strings.EqualFold(k, name) {
				if t, ok := parseTime(v); ok {
					return t, true
				}
			}
		}
	}
	return time.Time{}, false
}

// WithoutModTime returns the metadata for an object with other content: its
// time is that of the change.
func WithoutModTime(metadata map[string]string) map[string]string {
	var kept map[string]string
	for k, v := range metadata {
		switch strings.ToLower(k) {
		case MetaMtime, MetaGCSFuse, MetaReserved:
			continue
		}
		if kept == nil {
			kept = make(map[string]string, len(metadata))
		}
		kept[k] = v
	}
	return kept
}

// FormatModTime writes a time as rclone and s3fs do on S3: seconds since 1970, with the fraction if there is one.
func FormatModTime(t time.Time) string {
	s := strconv.FormatInt(t.Unix(), 10)
	if ns := t.Nanosecond(); ns > 0 {
		s += "." + strings.TrimRight(strconv.Itoa(1_000_000_000 + ns)[1:], "0")
	}
	return s
}

// parseTime reads RFC 3339, or seconds since 1970 with or without a fraction. What no listing could
// show is no time.
func parseTime(v string) (time.Time, bool) {
	v = strings.TrimSpace(v)
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		whole, part, _ := strings.Cut(v, ".")
		sec, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || sec > math.MaxInt32*100 || sec < -math.MaxInt32*100 {
			return time.Time{}, false
		}
		var ns int64
		if part != "" {
			if ns, err = strconv.ParseInt((part + "000000000")[:9], 10, 64); err != nil || ns < 0 {
				return time.Time{}, false
			}
		}
		t = time.Unix(sec, ns)
	}
	t = t.UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999
}

// Toucher is a Store that can keep a time with an object.
type Toucher interface {
	// Touch makes t the object's time of change, and changes nothing else. It is
	// errors.ErrUnsupported where the store would have to copy the object and was not told to.
	Touch(ctx context.Context, key string, t time.Time) error
}

// Digester is a Store that keeps digests of its objects.
type Digester interface {
	// Digest returns the digest of the whole object, under a name as [vfs.Hasher] has them, without reading the
	// object. It is errors.ErrUnsupported where the store does not have that one.
	Digest(ctx context.Context, key, algo string) ([]byte, error)
}

var _ vfs.Hasher = (*FS)(nil)

// Chtimes sets a file's time of change where the store can keep one beside the content.
func (f *FS) Chtimes(name string, _, mtime time.Time) error {
	t, ok := f.t.store.(Toucher)
	if !ok {
		return pathError("chtimes", name, errors.ErrUnsupported)
	}
	return f.ofFile("chtimes", name, func(key string) error { return t.Touch(f.ctx, key, mtime) })
}

// Hash implements vfs.Hasher with what the store has computed.
func (f *FS) Hash(name, algo string) (sum []byte, err error) {
	d, ok := f.t.store.(Digester)
	if !ok {
		return nil, pathError("hash", name, errors.ErrUnsupported)
	}
	err = f.ofFile("hash", name, func(key string) (err error) {
		sum, err = d.Digest(f.ctx, key, algo)
		return err
	})
	return sum, err
}

// ofFile runs what is for files only.
func (f *FS) ofFile(op, name string, do func(key string) error) error {
	key, err := f.key(name)
	if err == nil && key == f.t.prefix {
		err = vfs.ErrIsDir
	}
	if err == nil {
		err = f.t.unseen(f.ctx, key)
	}
	if err == nil {
		if err = do(key); errors.Is(err, fs.ErrNotExist) {
			if _, derr := f.StatDir(name); derr == nil {
				err = vfs.ErrIsDir
			}
		}
	}
	return pathError(op, name, err)
}
