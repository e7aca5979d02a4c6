package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// The hidden files of Atomic: no client can list, open or make one.
const (
	tempPrefix = ".ftp-gateway-"
	tempSuffix = ".part"
)

// tempName makes a name that nobody guesses and no two uploads share: 128 random bits.
func tempName() string { return tempPrefix + strings.ToLower(rand.Text()) + tempSuffix }

func isTemp(base string) bool {
	return len(base) >= len(tempPrefix)+len(tempSuffix) &&
		strings.EqualFold(base[:len(tempPrefix)], tempPrefix) &&
		strings.EqualFold(base[len(base)-len(tempSuffix):], tempSuffix)
}

// hasTemp reports whether a component of the slash-separated name is a hidden
// one. Case does not count: there are disks for which it does not.
func hasTemp(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if isTemp(part) {
			return true
		}
	}
	return false
}

// Clean removes the hidden files that uploads have left whose process was
// killed: those that nobody has written to for olderThan. The program calls it
// at the start; an hour is far more than any stalled upload is waited for. It
// walks the whole tree with a page of entries in memory and follows no links.
// What cannot be read or removed is left and told in the error; the rest is done.
func (l *FS) Clean(ctx context.Context, olderThan time.Duration) (removed int, err error) {
	c := cleaner{l: l, before: time.Now().Add(-olderThan)}
	err = c.dir(ctx, ".", 0)
	if c.more > 0 {
		c.errs = append(c.errs, fmt.Errorf("and %d more", c.more))
	}
	return c.removed, errors.Join(append(c.errs, err)...)
}

// cleaner is one walk.
type cleaner struct {
	l       *FS
	before  time.Time
	removed int
	errs    []error // the first few
	more    int
}

// maxCleanErrors: a tree may hold any number of directories that cannot be read.
const maxCleanErrors = 10

// maxCleanDepth bounds the descriptors of one walk: each level holds one open.
const maxCleanDepth = 128

var errTooDeep = errors.New("directories too deep to be cleaned")

func (c *cleaner) note(name string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return // somebody else was faster
	}
	if len(c.errs) == maxCleanErrors {
		c.more++
		return
	}
	c.errs = append(c.errs, c.l.fail("clean", name, err))
}

// dir returns only the context's error.
func (c *cleaner) dir(ctx context.Context, rel string, depth int) error {
	if depth == maxCleanDepth {
		c.note(rel, errTooDeep)
		return nil
	}
	d, err := c.l.root.OpenFile(rel, os.O_RDONLY|nonblock, 0)
	if err != nil {
		c.note(rel, err)
		return nil
	}
	defer d.Close()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		page, err := d.ReadDir(256)
		for _, e := range page {
			name := path.Join(rel, e.Name())
			switch {
			case e.IsDir():
				if err := c.dir(ctx, name, depth+1); err != nil {
					return err
				}
			case e.Type().IsRegular() && isTemp(e.Name()):
				c.file(name, e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			c.note(rel, err)
			return nil
		}
	}
}

func (c *cleaner) file(rel string, e os.DirEntry) {
	fi, err := e.Info()
	if err == nil && !fi.ModTime().Before(c.before) {
		return
	}
	if err == nil {
		err = c.l.root.Remove(rel)
	}
	if err != nil {
		c.note(rel, err)
		return
	}
	c.removed++
}
