package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// abortRounds is how often an upload is aborted until no part is left: a part
// that was under way may land after the first time (API reference, AbortMultipartUpload).
const abortRounds = 3

// Put implements object.Store. A file within the first part is one PutObject,
// sent when it is complete: a client's cut never reaches the server.
func (s *Store) Put(ctx context.Context, key string, o object.PutOptions) (object.Upload, error) {
	return object.NewUpload(ctx, s.o.Budget, &sink{s: s, key: key, o: o}, object.UploadOptions{
		FirstPart: s.sizes.at(0),
		PartSize:  s.sizes.at,
		Parallel:  s.o.Parallel,
		MaxParts:  maxParts,
	}), nil
}

// sink is one upload.
type sink struct {
	s   *Store
	key string
	o   object.PutOptions
	id  string // of the multipart upload

	// Of an upload that begins with bytes which the server has: see append.go.
	old   *carried                                   // the object that is replaced, whose attributes the new one gets; nil for none
	head  []span                                     // of it, copied as the first parts
	again int64                                      // so many bytes behind them are read, and written before what is new
	after int                                        // number of the last part before those of the scheduler
	first []part                                     // the parts before them
	begun func(ctx context.Context, id string) error // nil where nobody has to know the id
	// held ends an upload that is not to be seen yet, in the place of the completion: see hold.go.
	held func(ctx context.Context, id string, parts []object.Part) error

	mu    sync.Mutex
	parts []part // part n of the scheduler at n-1

	receipt object.Receipt
	etag    string // of the object; empty where the server does not tell
}

type part struct {
	number int
	etag   string
	sum    uint32
	summed bool // sum is known
	size   int64
}

// body are the options for a request with a body: it is not signed, as the checksum protects
// it and a second pass over all bytes would be needed. After the first success nobody asks the
// server first whether it will take one.
func (s *Store) body(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	if s.tested.Load() {
		o.ContinueHeaderThresholdBytes = -1
	}
}

// crc returns a checksum as headers have it.
func crc(sum uint32) *string {
	return aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)))
}

// digest returns the checksum headers of a body: CRC32, or MD5 where the server, or the upload,
// knows no other, and then also the ETag that an object of that body has.
func (s *Store) digest(body object.Body, summing bool) (crc32, contentMD5 *string, etag string, err error) {
	if summing {
		return crc(body.Sum32()), nil, "", nil
	}
	h := md5.New()
	if _, err := body.WriteTo(h); err != nil {
		return nil, nil, "", err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, nil, "", err
	}
	sum := h.Sum(nil)
	return nil, aws.String(base64.StdEncoding.EncodeToString(sum)), fmt.Sprintf("\"%x\"", sum), nil
}

func (k *sink) contentType() *string {
	if k.o.ContentType == "" {
		return nil
	}
	return &k.o.ContentType
}

// ifNoneMatch returns the condition of a request that must not replace an object. Where
// the server does not know it, the object is looked for instead; what comes up in between is replaced.
func (k *sink) ifNoneMatch(ctx context.Context, known bool) (*string, error) {
	if !k.o.IfAbsent {
		return nil, nil
	}
	if known {
		return aws.String("*"), nil
	}
	switch _, err := k.s.Head(ctx, k.key); {
	case err == nil:
		return nil, &storeError{"put", k.key, fs.ErrExist, errors.New("the object exists")}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return nil, nil
}

// tagging returns the tags as their header has them.
func (k *sink) tagging() *string {
	if len(k.o.Tags) == 0 {
		return nil
	}
	v := url.Values{}
	for name, value := range k.o.Tags {
		v.Set(name, value)
	}
	return aws.String(v.Encode())
}

// ifMatch is the condition that the object is still the one that was found.
func (k *sink) ifMatch() *string {
	if k.o.IfMatch == "" || !k.s.profile.ifMatch {
		return nil
	}
	return &k.o.IfMatch
}

// unchanged looks whether the condition of ifMatch holds, where the server does not do it itself. A change
// between the look and the commit is then not seen.
func (k *sink) unchanged(ctx context.Context) error {
	if k.o.IfMatch == "" || k.s.profile.ifMatch {
		return nil
	}
	a, err := k.s.Head(ctx, k.key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if a.ETag != k.o.IfMatch {
		return &storeError{"put", k.key, vfs.ErrBusy, errors.New("the object has changed")}
	}
	return nil
}

// fail translates an error. One of the conditions that does not hold is vfs.ErrBusy, and of
// IfAbsent fs.ErrExist; an object that is gone is a changed one.
func (k *sink) fail(ctx context.Context, op string, err error) error {
	err = translate(ctx, op, k.key, err)
	switch {
	case k.o.IfAbsent && code(err) == "PreconditionFailed":
		return fmt.Errorf("%w: %w", fs.ErrExist, err)
	case (k.begun != nil || k.after > 0) && errors.Is(err, errNoSuchUpload):
		// Another process that went on with it was first, or it has expired.
		return fmt.Errorf("%w: %w", vfs.ErrBusy, err)
	case k.o.IfMatch != "" && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", vfs.ErrBusy, err)
	}
	return err
}

// refused reports whether err is a condition of this upload that does not hold.
func (k *sink) refused(err error) bool {
	return k.o.IfAbsent && errors.Is(err, fs.ErrExist) || k.o.IfMatch != "" && errors.Is(err, vfs.ErrBusy)
}

// summing reports whether the upload has CRC32 checksums. Some servers copy no part into one that has.
func (k *sink) summing() bool {
	return k.s.profile.crc32 && (len(k.head) == 0 || k.s.profile.partCopyChecksum)
}

// Single implements object.Sink: PutObject.
func (k *sink) Single(ctx context.Context, body object.Body) error {
	switch {
	case k.after > 0:
		return k.last(ctx, body)
	case k.held != nil:
		return k.holdSingle(ctx, body)
	}
	sum, md5, etag, err := k.s.digest(body, k.s.profile.crc32)
	if err != nil {
		return translate(ctx, "put", k.key, err)
	}
	absent, err := k.ifNoneMatch(ctx, k.s.profile.condPut)
	if err != nil {
		return err
	}
	ctx, attempts := countAttempts(ctx)
	in := &s3.PutObjectInput{
		Bucket:        &k.s.bucket,
		Key:           &k.key,
		Body:          body,
		ContentLength: aws.Int64(body.Size()),
		ContentType:   k.contentType(),
		ChecksumCRC32: sum,
		ContentMD5:    md5,
		IfNoneMatch:   absent,
		IfMatch:       k.ifMatch(),
		Metadata:      k.o.Metadata,
		Tagging:       k.tagging(),
	}
	k.old.put(in)
	if err := k.unchanged(ctx); err != nil {
		return err
	}
	out, err := k.s.client.PutObject(ctx, in, k.s.body)
	if err == nil {
		k.s.tested.Store(true)
		k.stored(out.VersionId, body.Sum32(), true)
		k.etag = aws.ToString(out.ETag)
		return nil
	}
	err = k.fail(ctx, "put", err)
	// Did we refuse ourselves? The answer to an earlier attempt may have been lost.
	if k.refused(err) && attempts.Load() > 1 {
		if same, _ := k.same(ctx, body.Size(), body.Sum32(), true, etag); same {
			k.stored(nil, body.Sum32(), true)
			return nil
		}
	}
	return err
}

// Begin implements object.Sink: CreateMultipartUpload.
func (k *sink) Begin(ctx context.Context) error {
	if k.id != "" {
		return nil // it goes on
	}
	in := &s3.CreateMultipartUploadInput{Bucket: &k.s.bucket, Key: &k.key, ContentType: k.contentType(), Metadata: k.o.Metadata, Tagging: k.tagging()}
	k.old.create(in)
	if k.summing() {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
		in.ChecksumType = types.ChecksumTypeFullObject
	}
	out, err := k.s.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return k.fail(ctx, "begin upload", err)
	}
	k.begin(aws.ToString(out.UploadId))
	if k.begun != nil {
		return k.begun(ctx, k.id)
	}
	return nil
}

// begin says that the upload is one of this process.
func (k *sink) begin(id string) {
	k.id = id
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.s.active[k.id] = struct{}{}
}

// over says that the upload is no longer one of this process.
func (k *sink) over() {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	delete(k.s.active, k.id)
}

// Part implements object.Sink: UploadPart.
func (k *sink) Part(ctx context.Context, n int, body object.Body) error {
	if n == 1 && len(k.head) > 0 && k.first == nil {
		if err := k.copyHead(ctx); err != nil {
			return err
		}
	}
	sum, md5, _, err := k.s.digest(body, k.summing())
	if err != nil {
		return translate(ctx, "upload part", k.key, err)
	}
	number := k.after + n
	out, err := k.s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket:        &k.s.bucket,
		Key:           &k.key,
		UploadId:      &k.id,
		PartNumber:    aws.Int32(int32(number)),
		Body:          body,
		ContentLength: aws.Int64(body.Size()),
		ChecksumCRC32: sum,
		ContentMD5:    md5,
	}, k.s.body)
	if err != nil {
		return k.fail(ctx, "upload part", err)
	}
	k.s.tested.Store(true)
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.parts) < n {
		k.parts = append(k.parts, part{})
	}
	k.parts[n-1] = part{number, aws.ToString(out.ETag), body.Sum32(), true, body.Size()}
	return nil
}

// Complete implements object.Sink: CompleteMultipartUpload, with the checksum of
// the whole object. When the answer was lost, the object itself is asked.
func (k *sink) Complete(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held != nil {
		return k.hold(ctx)
	}
	all, size, sum, summed := k.whole()
	list := make([]types.CompletedPart, len(all))
	for i, p := range all {
		list[i] = types.CompletedPart{ETag: aws.String(p.etag), PartNumber: aws.Int32(int32(p.number))}
		if k.summing() && p.summed {
			list[i].ChecksumCRC32 = crc(p.sum)
		}
	}
	absent, err := k.ifNoneMatch(ctx, k.s.profile.condComplete)
	if err != nil {
		return err
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket:          &k.s.bucket,
		Key:             &k.key,
		UploadId:        &k.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: list},
		IfNoneMatch:     absent,
		IfMatch:         k.ifMatch(),
	}
	if k.summing() {
		in.ChecksumType = types.ChecksumTypeFullObject
		in.MpuObjectSize = &size
		if summed && size > 0 { // that of nothing, MinIO takes for wrong
			in.ChecksumCRC32 = crc(sum)
		}
	}
	if err := k.unchanged(ctx); err != nil {
		return err
	}
	ctx, attempts := countAttempts(ctx)
	out, err := k.s.client.CompleteMultipartUpload(ctx, in)
	if err == nil && k.s.profile.completesAny && in.ChecksumCRC32 != nil && out.ChecksumCRC32 == nil {
		err = k.made(ctx, size, sum)
	}
	if err != nil {
		err = k.fail(ctx, "complete upload", err)
		// No such upload is one of the unavailable.
		lost := errors.Is(err, vfs.ErrUnavailable) || attempts.Load() > 1 && k.refused(err)
		if !lost {
			return err
		}
		same, lerr := k.same(ctx, size, sum, summed, etagOf(all))
		if lerr != nil {
			return &storeError{"complete upload", k.key, vfs.ErrUnavailable, fmt.Errorf("%v; it may have been carried out: %v", err, lerr)}
		}
		if !same {
			return err
		}
		out = &s3.CompleteMultipartUploadOutput{}
	}
	if k.etag == "" && aws.ToString(out.ETag) != "" {
		k.etag = `"` + strings.Trim(*out.ETag, `"`) + `"` // as headers have it
	}
	k.stored(out.VersionId, sum, summed)
	k.over()
	return nil
}

// made looks whether the object is there that a server says it has completed without a word of its checksum.
func (k *sink) made(ctx context.Context, size int64, sum uint32) error {
	same, err := k.same(ctx, size, sum, true, "")
	if err == nil && !same {
		err = errNoSuchUpload
	}
	return err
}

// whole returns all parts of the upload, and the size and the checksum of the object that they make.
func (k *sink) whole() (all []part, size int64, sum uint32, summed bool) {
	all, summed = slices.Concat(k.first, k.parts), true
	for _, p := range all {
		sum = combine(sum, p.sum, p.size)
		summed = summed && p.summed
		size += p.size
	}
	return all, size, sum, summed
}

// stored keeps what the receipt tells. Where the answer was lost, so is the version.
func (k *sink) stored(version *string, sum uint32, summed bool) {
	k.receipt = object.Receipt{Version: aws.ToString(version)}
	if summed {
		k.receipt.Checksum = fmt.Sprintf("crc32:%08x", sum)
	}
}

// Receipt implements object.Receipter.
func (k *sink) Receipt() object.Receipt { return k.receipt }

// same reports whether the object has the content of this upload: its size and,
// where the server tells it, its CRC32; else its ETag, where we know what it has to be. The old
// object of that name can only be taken for the new one if it is equal. It is an error if the server does not tell for now.
func (k *sink) same(ctx context.Context, size int64, sum uint32, summed bool, etag string) (bool, error) {
	out, err := k.s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket:       &k.s.bucket,
		Key:          &k.key,
		ChecksumMode: types.ChecksumModeEnabled,
	})
	if err = translate(ctx, "head", k.key, err); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return false, nil // one that is only ours to write is not ours to know
	}
	if err != nil || aws.ToInt64(out.ContentLength) != size {
		return false, err
	}
	same := etag != "" && aws.ToString(out.ETag) == etag
	if summed && out.ChecksumCRC32 != nil && out.ChecksumType != types.ChecksumTypeComposite {
		same = *out.ChecksumCRC32 == *crc(sum)
	}
	if same {
		k.etag = aws.ToString(out.ETag)
	}
	return same, nil
}

// etagOf returns the ETag that most servers give to an object of these parts: the
// MD5 of their MD5s. It is empty where the parts' ETags are something else.
func etagOf(parts []part) string {
	h := md5.New()
	for _, p := range parts {
		sum, err := hex.DecodeString(strings.Trim(p.etag, "\""))
		if err != nil || len(sum) != md5.Size {
			return ""
		}
		h.Write(sum)
	}
	return fmt.Sprintf("\"%x-%d\"", h.Sum(nil), len(parts))
}

// Abort implements object.Sink: AbortMultipartUpload until no part is left.
func (k *sink) Abort(ctx context.Context) error {
	defer k.over()
	if k.id == "" {
		return nil // Begin has failed: there is nothing that we could name
	}
	return k.s.abort(ctx, k.key, k.id)
}

func (s *Store) abort(ctx context.Context, key, id string) error {
	for range abortRounds {
		_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: &id})
		if err = translate(ctx, "abort upload", key, err); gone(err) {
			return nil
		} else if err != nil {
			return err
		}
		left, err := s.client.ListParts(ctx, &s3.ListPartsInput{Bucket: &s.bucket, Key: &key, UploadId: &id, MaxParts: aws.Int32(1)})
		if err = translate(ctx, "list parts", key, err); gone(err) {
			return nil
		} else if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				return nil // aborted; we may not look
			}
			return err
		}
		if len(left.Parts) == 0 {
			return nil
		}
	}
	return &storeError{"abort upload", key, vfs.ErrBusy, errors.New("parts keep arriving")}
}

// gone reports whether the upload does not exist any more.
func gone(err error) bool { return errors.Is(err, errNoSuchUpload) || errors.Is(err, fs.ErrNotExist) }
