package s3

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// AbortStale aborts multipart uploads that a crash has left: those with keys
// that begin with prefix, begun more than olderThan ago, and not under way in this process. Kept, unless it is nil, is asked
// for the ids of those that have to stay all the same: after each page of them that has uploads which it has not named yet. It returns
// how many it has aborted, and goes on after one that cannot be.
//
// An upload in a bucket does not say who began it. So "ours" means: below the
// prefix of the back end, and old. Where others upload to the same prefix, or
// other replicas of this program do, olderThan has to be longer than their longest upload. A lifecycle
// rule of the bucket (AbortIncompleteMultipartUpload) does the same without
// this program and is worth having besides.
func (s *Store) AbortStale(ctx context.Context, prefix string, olderThan time.Duration, kept func(context.Context) (map[string]bool, error)) (int, error) {
	before := time.Now().Add(-olderThan)
	n := 0
	var errs []error
	var stay map[string]bool
	in := &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &prefix}
	for {
		out, err := s.client.ListMultipartUploads(ctx, in)
		if err != nil {
			return n, errors.Join(append(errs, translate(ctx, "list uploads", prefix, err))...)
		}
		stale := slices.DeleteFunc(out.Uploads, func(u types.MultipartUpload) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			_, active := s.active[aws.ToString(u.UploadId)]
			return active || u.Initiated == nil || u.Initiated.After(before)
		})
		stays := func(u types.MultipartUpload) bool { return stay[aws.ToString(u.UploadId)] }
		if stale = slices.DeleteFunc(stale, stays); kept != nil && len(stale) > 0 {
			// Asked behind the look at those under way: what ends in between has its note by now.
			if stay, err = kept(ctx); err != nil {
				return n, errors.Join(append(errs, err)...)
			}
			stale = slices.DeleteFunc(stale, stays)
		}
		for _, u := range stale {
			id := aws.ToString(u.UploadId)
			if err := s.abort(ctx, aws.ToString(u.Key), id); err != nil {
				if errs = append(errs, err); len(errs) == 10 { // it will not get better
					return n, errors.Join(errs...)
				}
				continue
			}
			n++
		}
		if !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextKeyMarker) == aws.ToString(in.KeyMarker) &&
			aws.ToString(out.NextUploadIdMarker) == aws.ToString(in.UploadIdMarker) {
			return n, errors.Join(errs...)
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}
