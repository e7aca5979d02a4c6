package local

import (
	"os"
	"path/filepath"
)

// nonblock: there are no FIFOs in a directory of Windows.
const nonblock = 0

func blocking(*os.File) error { return nil }

// syncDir does nothing: Windows does not flush directories; NTFS journals the names.
func syncDir(*os.Root, string) error { return nil }

// localize refuses NUL, backslash, colon, device names, what is not UTF-8, and what would become another name.
func localize(name string) (string, bool) {
	if trimmed(name) {
		return "", false
	}
	name, err := filepath.Localize(name)
	return name, err == nil
}
