package protocol

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// reply sends a one-line reply. It remembers the code for hooks and log. An error
// of the connection ends the session at its next read.
func (s *session) reply(code int, text string) {
	s.send(code, []string{text})
}

func (s *session) replyf(code int, format string, args ...any) {
	s.reply(code, fmt.Sprintf(format, args...))
}

// send sends a reply of one or more lines, RFC 959 section 4.2: "ccc-first",
// further lines, "ccc last". Lines in between begin with a space, so that none
// of them can look like the last.
func (s *session) send(code int, lines []string) {
	b := s.out[:0]
	for i, l := range lines {
		switch {
		case i == len(lines)-1:
			b = strconv.AppendInt(b, int64(code), 10)
			b = append(b, ' ')
		case i == 0:
			b = strconv.AppendInt(b, int64(code), 10)
			b = append(b, '-')
		default:
			b = append(b, ' ')
		}
		b = s.appendText(b, l)
		b = append(b, '\r', '\n')
	}
	s.lastCode = code
	s.debugReply(code, lines)
	s.write(b)
	if cap(b) <= 512 {
		s.out = b[:0]
	}
}

// appendText appends a text in the encoding of the control connection. Control characters, CR and LF
// above all, become question marks: whatever a text is made of, it cannot
// end a reply early or begin another one.
func (s *session) appendText(b []byte, text string) []byte {
	if strings.ContainsFunc(text, isControl) {
		text = strings.Map(func(r rune) rune {
			if isControl(r) {
				return '?'
			}
			return r
		}, text)
	}
	raw := s.encode(text)
	if bytes.IndexByte(raw, telnetIAC) >= 0 {
		raw = bytes.ReplaceAll(raw, []byte{telnetIAC}, []byte{telnetIAC, telnetIAC})
	}
	return append(b, raw...)
}

// isControl reports whether r is a control character: those of ASCII, and the ones from U+0080 to U+009F, among
// them NEL (U+0085) and terminals' CSI (U+009B). Line and paragraph separators and the marks that turn the
// direction of writing are characters of names like others: a client gets back the name that it gave.
func isControl(r rune) bool { return unicode.IsControl(r) }
