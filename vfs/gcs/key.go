package gcs

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// maxKey is the longest object name in bytes of UTF-8.
const maxKey = 1024

// checkKey refuses what GCS forbids (https://cloud.google.com/storage/docs/objects#naming),
// before anything is sent: emulators take more, and the service's own refusal comes only
// after the data.
func checkKey(op, key string) error {
	why := ""
	switch {
	case key == "":
		why = "empty"
	case len(key) > maxKey:
		why = "longer than 1024 bytes"
	case !utf8.ValidString(key):
		why = "not UTF-8"
	case strings.ContainsAny(key, "\r\n\x00"):
		why = "has a line break or a NUL"
	case key == "." || key == "..":
		why = "a dot name"
	case strings.HasPrefix(key, ".well-known/acme-challenge/"):
		why = "reserved"
	default:
		return nil
	}
	return fmt.Errorf("gcs: %s %q: %w: %s", op, key, vfs.ErrBadName, why)
}
