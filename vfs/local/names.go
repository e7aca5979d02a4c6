package local

import "strings"

// trimmed reports whether a component of the slash-separated name ends with a dot or a space. Windows takes these off, so that
// "a." is the file "a": a client that stores the one would find the other, and a hidden file would be one no more.
func trimmed(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.TrimRight(part, ". ") != part {
			return true
		}
	}
	return false
}
