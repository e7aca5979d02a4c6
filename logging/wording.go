package logging

import (
	"log/slog"
	"strconv"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// appendWording writes what pyftpdlib says in other words, and the rest of the attributes behind it. It reports false for
// everything else. The words are what people search their logs for, and what programs that watch them know.
func appendWording(b []byte, c *protocol.Client, r slog.Record) ([]byte, bool) {
	var path, user slog.Value
	transfer := false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "path":
			path = a.Value
		case "user":
			user = a.Value
		case "result":
			transfer = true
		}
		return true
	})
	rest := func(skip ...string) {
		r.Attrs(func(a slog.Attr) bool {
			for _, s := range skip {
				if a.Key == s {
					return true
				}
			}
			b = appendAttr(b, "", a)
			return true
		})
	}
	switch {
	case r.Message == "login":
		b = appendUser(b, c.User)
		b = append(b, "logged in."...)
		rest()
	case r.Message == "logout":
		b = appendUser(b, c.User)
		b = append(b, "logged out."...)
		rest()
	case r.Message == "login failed" && user.Kind() == slog.KindString:
		b = appendUser(b, user.String())
		b = append(b, "failed login."...)
		rest("user")
	case path.Kind() == slog.KindString:
		b = appendText(b, r.Message)
		b = append(b, ' ')
		b = appendValue(b, path.String())
		if !transfer {
			rest("path")
			break
		}
		r.Attrs(func(a slog.Attr) bool {
			if a.Key != "result" {
				return true
			}
			if a.Value.String() == string(protocol.Done) {
				b = append(b, " completed=1"...)
			} else {
				b = append(b, " completed=0"...)
				b = appendAttr(b, "", a)
			}
			return false
		})
		rest("path", "result")
	default:
		return b, false
	}
	return b, true
}

// appendUser writes "USER 'name' ", whatever the name holds.
func appendUser(b []byte, name string) []byte {
	b = append(b, "USER '"...)
	q := strconv.Quote(name)
	for _, c := range []byte(q[1 : len(q)-1]) {
		if c == '\'' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, "' "...)
}
