package logging

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// appendText writes a text in which what does not print is an escape, so that it stays within its line.
func appendText(b []byte, s string) []byte {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return append(b, s...)
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, `\x`...)
			b = append(b, "0123456789abcdef"[s[i]>>4], "0123456789abcdef"[s[i]&15])
		case unicode.IsPrint(r):
			b = append(b, s[i:i+n]...)
		default:
			q := strconv.AppendQuoteRune(nil, r)
			b = append(b, q[1:len(q)-1]...)
		}
		i += n
	}
	return b
}

// appendValue writes a value: as it is, or in quotation marks where it could be taken for something else than one value.
func appendValue(b []byte, s string) []byte {
	if s != "" && strings.IndexFunc(s, odd) < 0 {
		return append(b, s...)
	}
	return strconv.AppendQuote(b, s)
}

// odd tells what makes quotation marks necessary. Brackets stand around the user in the prefix.
func odd(r rune) bool {
	switch r {
	case ' ', '"', '[', ']', '\\', utf8.RuneError:
		return true
	}
	return !unicode.IsPrint(r)
}

// printing is a writer of JSON whose texts have escapes of JSON's own for what does not print: what a stranger has named
// its file must not turn the lines on the screen of who reads the log, and a program reads the name as it is. JSON asks for that in ASCII's
// control characters alone. A line comes in one Write.
type printing struct{ w io.Writer }

func (p printing) Write(line []byte) (int, error) {
	odd := func(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
	if bytes.IndexFunc(line, odd) < 0 {
		return p.w.Write(line)
	}
	b := make([]byte, 0, len(line)+64)
	for _, r := range string(line) {
		switch {
		case !odd(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	if _, err := p.w.Write(b); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Printable is a text in which what does not print is an escape.
func Printable(s string) string { return string(appendText(nil, s)) }
