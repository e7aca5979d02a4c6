package protocol

import (
	"path"
	"strings"
)

// resolve makes the clean absolute path that a client's argument means. Dots
// never lead above the root. It reports false for a name that no command
// may carry: NUL, CR and LF end names or lines somewhere.
func resolve(cwd, arg string) (string, bool) {
	if strings.ContainsAny(arg, "\x00\r\n") {
		return "", false
	}
	if !strings.HasPrefix(arg, "/") {
		arg = cwd + "/" + arg
	}
	return path.Clean(arg), true
}

// quote writes a path for a 257 reply: in quotes, quotes doubled, RFC 959 appendix II.
func quote(p string) string { return `"` + strings.ReplaceAll(p, `"`, `""`) + `"` }
