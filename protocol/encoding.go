package protocol

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// wire is the encoding of the control connection at this moment; nil is UTF-8.
func (s *session) wire() encoding.Encoding {
	if s.utf8 {
		return nil
	}
	return s.encoding
}

// encode turns UTF-8 into the session's encoding; what has no place in it becomes a
// question mark: a listing with one odd name is better than none.
func (s *session) encode(text string) []byte {
	e := s.wire()
	if e == nil {
		return []byte(text)
	}
	enc := e.NewEncoder()
	if b, err := enc.Bytes([]byte(text)); err == nil {
		return b
	}
	var out []byte
	for _, r := range text {
		b, err := enc.Bytes(utf8.AppendRune(nil, r))
		if err != nil || r == utf8.RuneError {
			b = []byte{'?'}
		}
		out = append(out, b...)
	}
	return out
}

// decode turns the session's encoding into UTF-8. It reports false for bytes that the encoding does not
// have: the file would get a name that nobody has asked for. Without an encoding the bytes stay
// as they are: a disk can hold them, a bucket refuses what is no UTF-8.
func (s *session) decode(raw []byte) (string, bool) {
	e := s.wire()
	if e == nil {
		return string(raw), true
	}
	b, err := e.NewDecoder().Bytes(raw)
	if err != nil {
		return string(raw), false
	}
	text := string(b)
	return text, !strings.ContainsRune(text, utf8.RuneError)
}

// optsUTF8 is OPTS UTF8 ON and OFF, of an expired draft that many clients still follow: Windows sends
// "OPTS UTF8 ON" unasked and believes the answer. Where another encoding is configured, ON switches to
// UTF-8 until the login ends, and OFF back. Where none is, there is nothing that OFF could switch to.
func (s *session) optsUTF8(arg string) {
	switch on := strings.ToUpper(strings.TrimSpace(arg)); {
	case on == "ON", on == "", on == "NLST":
		s.utf8 = true
		s.reply(200, "UTF8 is on")
	case on == "OFF" && s.encoding == nil:
		s.reply(504, "UTF8 cannot be switched off, no other encoding is configured")
	case on == "OFF":
		s.utf8 = false
		s.reply(200, "UTF8 is off")
	default:
		s.reply(501, "ON or OFF is needed")
	}
}
