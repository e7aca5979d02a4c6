package vfstest

import (
	"io"
	"strconv"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// Sentence 7: a store changes its way at the end of the first part, and an
// empty file has no part at all.
var sizeChecks = []check{{"7 sizes", false, sizes}}

func sizes(t *T) {
	one, two := t.caps().FirstPart, t.caps().FirstPart+t.caps().Part
	for _, c := range []struct {
		name string
		size int64
	}{
		{"empty file", 0},
		{"one byte", 1},
		{"first part less one", one - 1},
		{"first part", one},
		{"first part and one", one + 1},
		{"two parts less one", two - 1},
		{"exactly two parts", two},
		{"two parts and one", two + 1},
	} {
		t.Run(c.name, func(t *T) {
			fsys := t.fs()
			want := pattern(c.size)
			f, err := create(fsys, "/f")
			if err != nil {
				t.Fatalf("OpenFile: %v", err)
			}
			// In odd steps, so that no write ends where a part does.
			n, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{strings.NewReader(want)}, make([]byte, 30011))
			if err != nil || n != c.size {
				vfs.Abort(f, err)
				t.Fatalf("writing: %d, %v; want %d", n, err, c.size)
			}
			if err := f.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			t.holds(fsys, "/f", want)
			t.lists(fsys, "/", "f")
			fi, err := list1(fsys, "/")
			if err != nil || fi.Size() != c.size {
				t.Errorf("List: %v, %v; want size %s", fi, err, strconv.FormatInt(c.size, 10))
			}
		})
	}
}
