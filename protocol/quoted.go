package protocol

import (
	"strconv"
	"strings"
)

// nextName takes the first name off an argument that holds several: in double quotes, with a quote in it
// doubled, or up to the next space. It reports false where there is none, or its quotes do not end.
func nextName(arg string) (name, rest string, ok bool) {
	arg = strings.TrimLeft(arg, " ")
	if !strings.HasPrefix(arg, `"`) {
		name, rest, _ = strings.Cut(arg, " ")
		return name, rest, name != ""
	}
	var b strings.Builder
	for i := 1; i < len(arg); i++ {
		switch {
		case arg[i] != '"':
			b.WriteByte(arg[i])
		case i+1 < len(arg) && arg[i+1] == '"':
			b.WriteByte('"')
			i++
		case i+1 < len(arg) && arg[i+1] != ' ':
			return "", "", false // "a"b is neither
		default:
			return b.String(), arg[i+1:], b.Len() > 0
		}
	}
	return "", "", false
}

// names splits an argument into the names in it: see nextName.
func names(arg string) ([]string, bool) {
	var all []string
	for strings.TrimLeft(arg, " ") != "" {
		name, rest, ok := nextName(arg)
		if !ok {
			return nil, false
		}
		all, arg = append(all, name), rest
	}
	return all, true
}

// trailingNumbers takes up to two numbers off the end of an argument.
func trailingNumbers(arg string) (name string, n []int64) {
	name = strings.TrimRight(arg, " ")
	for len(n) < 2 {
		i := strings.LastIndexByte(name, ' ')
		if i <= 0 {
			break
		}
		v, ok := parseCount(name[i+1:])
		if !ok {
			break
		}
		n = append([]int64{v}, n...)
		name = strings.TrimRight(name[:i], " ")
	}
	return name, n
}

// parseCount reads a number of bytes: decimal digits and nothing else.
func parseCount(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
