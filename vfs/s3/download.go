package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// maxBreaks is how often in a row a body may break without a byte in between.
const maxBreaks = 5

// download is the body of an object, or of a range of it. When it breaks off, it goes on with the next byte;
// If-Match sees to it that the bytes are those of one object.
type download struct {
	s      *Store
	ctx    context.Context
	key    string
	attrs  object.Attrs
	off    int64
	end    int64 // of the range; -1 for the object's
	body   io.ReadCloser
	breaks int
}

// open asks for what is left of the range.
func (d *download) open() error {
	in := &s3.GetObjectInput{Bucket: &d.s.bucket, Key: &d.key}
	switch {
	case d.end >= 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", d.off, d.end-1))
	case d.off > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", d.off))
	}
	if d.attrs.ETag != "" {
		in.IfMatch = &d.attrs.ETag
	}
	out, err := d.s.client.GetObject(d.ctx, in)
	if err != nil {
		return translate(d.ctx, "get", d.key, err)
	}
	a := object.Attrs{
		Key:     d.key,
		Size:    aws.ToInt64(out.ContentLength),
		ModTime: modTime(out.LastModified, out.Metadata),
		ETag:    aws.ToString(out.ETag),
	}
	// A server may answer the range of a whole object with the object.
	if d.off > 0 || out.ContentRange != nil {
		start, size, ok := contentRange(aws.ToString(out.ContentRange))
		if !ok || start != d.off {
			out.Body.Close()
			return translate(d.ctx, "get", d.key, fmt.Errorf("asked for bytes %d-, got %q", d.off, aws.ToString(out.ContentRange)))
		}
		a.Size = size
	}
	if d.attrs.ETag != "" && a.ETag != d.attrs.ETag { // a server that ignores If-Match
		out.Body.Close()
		return &storeError{"get", d.key, vfs.ErrBusy, errors.New("the object has changed")}
	}
	d.attrs, d.body = a, out.Body
	if d.end < 0 || d.end > a.Size {
		d.end = a.Size
	}
	return nil
}

func (d *download) Read(p []byte) (int, error) {
	for {
		if d.body == nil {
			if err := d.open(); err != nil {
				if errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrBadOffset) {
					err = &storeError{"get", d.key, vfs.ErrBusy, fmt.Errorf("the object has gone: %v", err)}
				}
				return 0, err
			}
		}
		n, err := d.body.Read(p[:min(int64(len(p)), d.end-d.off)])
		d.off += int64(n)
		if n > 0 {
			d.breaks = 0
		}
		switch {
		case d.off >= d.end:
			if n > 0 {
				return n, nil
			}
			return n, io.EOF
		case err == nil:
			return n, nil
		case d.ctx.Err() != nil:
			return n, translate(d.ctx, "get", d.key, err)
		}
		d.body.Close()
		d.body = nil
		if d.breaks++; d.breaks > maxBreaks {
			return n, translate(d.ctx, "get", d.key, fmt.Errorf("the body broke off at %d of %d: %w", d.off, d.end, err))
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (d *download) Close() error {
	if d.body == nil {
		return nil
	}
	return d.body.Close()
}

// contentRange parses "bytes 3-9/10".
func contentRange(s string) (start, size int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, total, ok2 := strings.Cut(s, "/")
	first, _, ok3 := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	size, err2 := strconv.ParseInt(total, 10, 64)
	return start, size, ok && ok2 && ok3 && err == nil && err2 == nil
}
