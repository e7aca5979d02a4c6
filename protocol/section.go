package protocol

import (
	"io"

	"github.com/spf13/afero"
)

// section is an open file that ends early, for RETR behind RANG. It hides what the file can do beyond
// afero.File, above all to be moved by the kernel, which would not know of the end.
type section struct {
	afero.File
	left int64
}

func (f *section) Read(b []byte) (int, error) {
	if f.left <= 0 {
		return 0, io.EOF
	}
	n, err := f.File.Read(b[:min(int64(len(b)), f.left)])
	f.left -= int64(n)
	return n, err
}
