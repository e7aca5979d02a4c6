package protocol

import "golang.org/x/text/encoding"

// newEncoder replaces what the encoding cannot say instead of failing: a
// listing with one odd name is better than none.
func newEncoder(e encoding.Encoding) *encoding.Encoder {
	return encoding.ReplaceUnsupported(e.NewEncoder())
}
