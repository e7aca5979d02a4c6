package protocol

import (
	"bytes"
	"io"
)

// ascii reports whether TYPE A converts line ends in the next transfer.
func (s *session) ascii() bool {
	switch s.profile.ASCII {
	case ASCIIAlways:
		return s.typeA
	case ASCIINever:
		return false
	}
	return s.typeA && s.typeSent
}

// toNetwork writes LF as CR LF, RFC 959 section 3.1.1.1. A CR LF that the file has already stays one.
type toNetwork struct {
	w   io.Writer
	cr  bool // the last byte was CR
	buf []byte
}

func (a *toNetwork) Write(b []byte) (int, error) {
	out := a.buf[:0]
	for rest := b; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			out = append(out, rest...)
			a.cr = rest[len(rest)-1] == '\r'
			break
		}
		out = append(out, rest[:i]...)
		if i > 0 {
			a.cr = rest[i-1] == '\r'
		}
		if !a.cr {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		a.cr = false
		rest = rest[i+1:]
	}
	a.buf = out
	if _, err := a.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// fromNetwork writes CR LF as LF. A CR that no LF follows stays.
type fromNetwork struct {
	w   io.Writer
	cr  bool // a CR is held back
	buf []byte
}

func (a *fromNetwork) Write(b []byte) (int, error) {
	out := a.buf[:0]
	for rest := b; len(rest) > 0; {
		if a.cr && rest[0] != '\n' {
			out = append(out, '\r')
		}
		a.cr = false
		i := bytes.IndexByte(rest, '\r')
		if i < 0 {
			out = append(out, rest...)
			break
		}
		out = append(out, rest[:i]...)
		a.cr = true
		rest = rest[i+1:]
	}
	a.buf = out
	if len(out) > 0 {
		if _, err := a.w.Write(out); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// flush writes a CR that was the last byte of all.
func (a *fromNetwork) flush() error {
	if !a.cr {
		return nil
	}
	a.cr = false
	_, err := a.w.Write([]byte{'\r'})
	return err
}
