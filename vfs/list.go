package vfs

import (
	"errors"
	"io"
	"iter"
	"os"

	"github.com/spf13/afero"
)

// listPage is how many entries List asks a directory for at a time: the page
// size of S3's ListObjectsV2, so that one call is one request.
const listPage = 1000

// List yields the entries of the directory dir as the tree delivers them, one
// page in memory at a time, in the tree's own order. It stops after the first
// error, which it yields with a nil FileInfo. A directory that does not exist
// yields fs.ErrNotExist, a file ErrNotDir.
func List(fsys afero.Fs, dir string) iter.Seq2[os.FileInfo, error] {
	return func(yield func(os.FileInfo, error) bool) {
		d, err := fsys.Open(dir)
		if err != nil {
			yield(nil, err)
			return
		}
		defer d.Close()
		for {
			page, err := d.Readdir(listPage)
			for _, fi := range page {
				if !yield(fi, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) || err == nil && len(page) == 0 {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}
