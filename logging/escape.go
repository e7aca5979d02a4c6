package logging

import (
	"log/slog"
	"strconv"
	"strings"
	"unicode"
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

// printing escapes what does not print in texts of the JSON log, as the text log does by itself: what a stranger
// has named its file must not turn the lines on the screen of who reads the log. JSON
// asks for it in ASCII's control characters alone, and sees to these itself.
func printing(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(escape(v))
	case error:
		a.Value = slog.StringValue(escape(v.Error()))
	}
	return a
}

func escape(s string) string {
	odd := func(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if odd(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Printable is a text in which what does not print is an escape.
func Printable(s string) string { return string(appendText(nil, s)) }
