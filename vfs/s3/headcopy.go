package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// span is a range of bytes of an object: from is in it, to is not.
type span struct{ from, to int64 }

// spans divides the first n bytes of an object into ranges of at most most bytes, none of them below
// least unless n is: too small a rest gets some of the range before, or is joined to a range that has nothing to give.
func spans(n, least, most int64) []span {
	var list []span
	for at := int64(0); at < n; {
		size := min(most, n-at)
		if rest := n - at - size; rest > 0 && rest < least {
			if size >= 2*least {
				size -= least
			} else {
				size += rest
			}
		}
		list = append(list, span{at, at + size})
		at += size
	}
	return list
}

// spans divides the first n bytes of an object as the options say, into no more than half of
// the parts that an object can have. Where all parts have to be alike they are the largest number of such
// parts; what is left of the n bytes is no part of its own.
func (s *Store) spans(n int64) []span {
	if part := s.sizes.uniform; part > 0 {
		list := make([]span, n/part)
		for i := range list {
			list[i] = span{int64(i) * part, int64(i+1) * part}
		}
		return list
	}
	return spans(n, s.sizes.least, max(s.o.CopyPart, n/(maxParts/2)+1))
}

// headParts makes parts first, first+1, … of the multipart upload id of dst out of ranges of
// src, inside the server (UploadPartCopy), eight at once. The object has to be
// the one with the ETag, else vfs.ErrBusy. The parts are returned in order. The
// goroutines have ended when headParts returns.
func (s *Store) headParts(ctx context.Context, dst, id, src, etag string, list []span, first int) ([]part, error) {
	parts := make([]part, len(list))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg   sync.WaitGroup
		once sync.Once
		err  error
	)
	slots := make(chan struct{}, copyParallel)
	for i, sp := range list {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			p, perr := s.headPart(ctx, dst, id, src, etag, sp, first+i)
			if perr != nil {
				once.Do(func() { err = perr; cancel(perr) })
				return
			}
			parts[i] = p
		})
	}
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return parts, err
}

func (s *Store) headPart(ctx context.Context, dst, id, src, etag string, sp span, n int) (part, error) {
	out, err := s.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket:            &s.bucket,
		Key:               &dst,
		UploadId:          &id,
		PartNumber:        aws.Int32(int32(n)),
		CopySource:        s.copySource(src),
		CopySourceIfMatch: &etag,
		CopySourceRange:   aws.String(fmt.Sprintf("bytes=%d-%d", sp.from, sp.to-1)),
	})
	if err != nil {
		return part{}, translate(ctx, "copy part", src, err)
	}
	p := part{size: sp.to - sp.from, number: n}
	if r := out.CopyPartResult; r != nil {
		p.etag = aws.ToString(r.ETag)
		p.sum, p.summed = parseCRC(aws.ToString(r.ChecksumCRC32))
	}
	return p, nil
}

// parseCRC reads a checksum as headers have it.
func parseCRC(s string) (uint32, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}
