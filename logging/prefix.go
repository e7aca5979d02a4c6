package logging

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// DefaultPrefix begins the lines of sessions as pyftpdlib has it.
const DefaultPrefix = "{remote}-[{user}]"

// names are what may stand in braces in a prefix.
var names = []string{"remote", "remote_ip", "remote_port", "local", "local_ip", "local_port", "user", "session", "host", "software"}

// prefix is a template taken apart: a text, a name, a text, a name ..., a text.
type prefix []string

func parsePrefix(template string) (prefix, error) {
	var p prefix
	for rest := template; ; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			return append(p, rest), nil
		}
		end := strings.IndexByte(rest, '}')
		if end < open || rest[open] == '}' {
			return nil, fmt.Errorf("logging: %q holds a brace without its other half", template)
		}
		name := rest[open+1 : end]
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("logging: %q holds {%s}", template, name)
		}
		p = append(p, rest[:open], name)
		rest = rest[end+1:]
	}
}

// of returns the prefix of a client's lines.
func (p prefix) of(c *protocol.Client) string {
	var b []byte
	for i, s := range p {
		if i%2 == 0 {
			b = appendText(b, s)
			continue
		}
		switch s {
		case "remote":
			b = appendAddrPort(b, c.Remote)
		case "remote_ip":
			b = appendAddr(b, c.Remote)
		case "remote_port":
			b = strconv.AppendUint(b, uint64(c.Remote.Port()), 10)
		case "local":
			b = appendAddrPort(b, c.Local)
		case "local_ip":
			b = appendAddr(b, c.Local)
		case "local_port":
			b = strconv.AppendUint(b, uint64(c.Local.Port()), 10)
		case "user":
			user := c.User
			if user == "" {
				user = c.Claimed
			}
			b = appendField(b, user)
		case "session":
			b = strconv.AppendUint(b, c.ID, 10)
		case "host":
			b = appendField(b, c.Host)
		case "software":
			b = appendField(b, c.Software)
		}
	}
	return string(b)
}

// appendAddrPort writes IPv6 addresses in brackets; what is no address is a dash.
func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return append(b, '-')
	}
	return a.AppendTo(b)
}

func appendAddr(b []byte, a netip.AddrPort) []byte {
	switch {
	case !a.IsValid():
		return append(b, '-')
	case a.Addr().Is6():
		return append(a.Addr().AppendTo(append(b, '[')), ']')
	}
	return a.Addr().AppendTo(b)
}

// appendField writes what a stranger has chosen: nothing as nothing, and in quotation marks what could be taken for more than one field.
func appendField(b []byte, s string) []byte {
	if s == "" {
		return b
	}
	return appendValue(b, s)
}
