package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// precious puts an object there that has all that a copy has to keep.
func (f *fake) precious(key string, size int) object.Attrs {
	o := newObject(bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size], "image/png")
	o.header = http.Header{
		"X-Amz-Meta-Mtime": {"123.5"}, "X-Amz-Meta-Who": {"cam 7"}, "X-Amz-Storage-Class": {"STANDARD_IA"},
		"X-Amz-Server-Side-Encryption": {"aws:kms"}, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": {"key-1"},
		"Cache-Control": {"no-cache"}, "Content-Disposition": {"attachment"}, "Content-Language": {"sw"},
		"Expires": {"Wed, 21 Oct 2026 07:28:00 GMT"},
	}
	o.tags = "a=b&c=d"
	o.acl = "<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList><Grant><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[key] = o
	return object.Attrs{Key: key}
}

// wantPrecious compares a copy with its source.
func (f *fake) wantPrecious(key string, size int) {
	f.t.Helper()
	f.precious("template", size)
	want, _ := f.object("template")
	got, ok := f.object(key)
	if !ok {
		f.t.Errorf("%s is not there", key)
		return
	}
	if !bytes.Equal(got.data, want.data) || got.contentType != want.contentType || got.tags != want.tags {
		f.t.Errorf("%s: %d bytes, type %q, tags %q; want %d, %q, %q", key, len(got.data), got.contentType, got.tags, size, want.contentType, want.tags)
	}
	for k := range want.header {
		if got.header.Get(k) != want.header.Get(k) {
			f.t.Errorf("%s: %s is %q, want %q", key, k, got.header.Get(k), want.header.Get(k))
		}
	}
	if !strings.Contains(got.acl, "READ") {
		f.t.Errorf("%s: access control list %q", key, got.acl)
	}
}

// The fake shows here what versitygw has not: classes, encryption, lists of grants.
func Test44MetadataTagsClassSSEAndACLKept(t *testing.T) {
	const part = minPart
	for _, size := range []int{0, 1, 3 * part, 3*part + 1, 2*part - 1} {
		for _, limit := range []int64{0, part + 1} { // one request; parts above 5 MiB and a byte
			for _, profile := range []string{"aws", "minio"} {
				for _, absent := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d bytes, limit %d, %s, absent %t", size, limit, profile, absent), func(t *testing.T) {
						f := newFake(t)
						f.condCopy = profile == "aws"
						s, _ := f.open(func(o *Options) {
							o.Profile, o.PathStyle, o.KeepACL, o.MaxCopy, o.CopyPart = profile, true, true, limit, part
						})
						f.precious("a", size)
						src, err := s.Head(t.Context(), "a")
						if err != nil {
							t.Fatal(err)
						}
						if err := s.Copy(t.Context(), "b", src, object.CopyOptions{IfAbsent: absent}); err != nil {
							t.Fatal(err)
						}
						f.wantPrecious("b", size)
						parts := size > 0 && (limit > 0 && int64(size) > limit || absent && profile == "minio")
						if got := f.count("part copy") > 0; got != parts {
							t.Errorf("copied in parts: %t, want %t", got, parts)
						}
						if f.pending() != 0 {
							t.Error("an upload is left")
						}
						err = s.Copy(t.Context(), "b", src, object.CopyOptions{IfAbsent: true})
						if !errors.Is(err, fs.ErrExist) {
							t.Errorf("a second time: %v, want fs.ErrExist", err)
						}
						if f.pending() != 0 {
							t.Error("an upload is left")
						}
					})
				}
			}
		}
	}
}

func Test44SourceChangedBetween(t *testing.T) {
	for name, limit := range map[string]int64{"one request": 0, "parts": 6 * mib} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s, _ := f.open(func(o *Options) { o.MaxCopy, o.CopyPart = limit, minPart })
			f.set("a", make([]byte, 22*mib))
			f.set("b", []byte("old"))
			src, err := s.Head(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			changed := false
			f.setBefore(func(op string, n int, _ http.ResponseWriter, _ *http.Request) bool {
				if (op == "copy" || op == "part copy" && n == 2) && !changed {
					changed = true
					f.set("a", bytes.Repeat([]byte("new"), 7*mib))
				}
				return false
			})
			if err := s.Copy(t.Context(), "b", src, object.CopyOptions{}); !errors.Is(err, vfs.ErrBusy) {
				t.Errorf("Copy: %v, want vfs.ErrBusy", err)
			}
			if o, _ := f.object("b"); string(o.data) != "old" {
				t.Errorf("the target has %d bytes, want the old ones", len(o.data))
			}
			if f.pending() != 0 {
				t.Error("an upload is left")
			}
			if err := s.Delete(t.Context(), "a", src.ETag); !errors.Is(err, vfs.ErrBusy) {
				t.Errorf("Delete of what was replaced: %v, want vfs.ErrBusy", err)
			}
			if _, ok := f.object("a"); !ok {
				t.Error("the new object is gone")
			}
		})
	}
}

func TestPartCopyEnds(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(func(o *Options) { o.MaxCopy, o.CopyPart = 1, minPart })
	f.set("a", make([]byte, 22*mib))
	src, _ := s.Head(t.Context(), "a")
	t.Run("a part fails", func(t *testing.T) {
		f.setBefore(func(op string, n int, w http.ResponseWriter, _ *http.Request) bool {
			if op == "part copy" && n == 3 {
				refuse(w, 403, "InvalidObjectState")
				return true
			}
			return false
		})
		if err := s.Copy(t.Context(), "b", src, object.CopyOptions{}); !errors.Is(err, vfs.ErrArchived) {
			t.Errorf("Copy: %v, want vfs.ErrArchived", err)
		}
	})
	f.setBefore(nil)
	t.Run("called off", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("control connection lost")
		f.setBefore(func(op string, n int, w http.ResponseWriter, _ *http.Request) bool {
			if op == "part copy" {
				cancel(gone)
			}
			return false
		})
		if err := s.Copy(ctx, "b", src, object.CopyOptions{}); !errors.Is(err, gone) {
			t.Errorf("Copy: %v, want the cause", err)
		}
	})
	f.setBefore(nil)
	if f.pending() != 0 {
		t.Errorf("%d uploads are left", f.pending())
	}
	if _, ok := f.object("b"); ok {
		t.Error("the target is there")
	}
	t.Run("the last answer is lost", func(t *testing.T) {
		f.setAfter(func(op string, n int) bool { return op == "complete" && n == 1 })
		if err := s.Copy(t.Context(), "b", src, object.CopyOptions{}); err != nil {
			t.Errorf("Copy: %v", err)
		}
		f.setAfter(nil)
	})
	if o, _ := f.object("b"); len(o.data) != 22*mib {
		t.Errorf("the copy has %d bytes", len(o.data))
	}
	if got := len(f.sent("part copy")); got == 0 {
		t.Error("no part was copied")
	}
	for _, h := range f.sent("part copy") {
		if h.Get("X-Amz-Copy-Source-If-Match") != src.ETag {
			t.Errorf("a part is not pinned: %q", h.Get("X-Amz-Copy-Source-If-Match"))
		}
	}
}

// A copy whose answer is lost is tried again, and refuses itself.
func TestCopyAbsentLostAnswer(t *testing.T) {
	f := newFake(t)
	f.condCopy = true
	s, _ := f.open(func(o *Options) { o.Profile, o.PathStyle = "aws", true })
	f.set("a", []byte("x"))
	src, _ := s.Head(t.Context(), "a")
	f.setAfter(func(op string, n int) bool { return op == "copy" && n == 1 })
	if err := s.Copy(t.Context(), "b", src, object.CopyOptions{IfAbsent: true}); err != nil {
		t.Errorf("Copy: %v", err)
	}
}

func TestDeleteCondition(t *testing.T) {
	for profile, headers := range map[string]bool{"aws": true, "minio": false} {
		t.Run(profile, func(t *testing.T) {
			f := newFake(t)
			s, _ := f.open(func(o *Options) { o.Profile, o.PathStyle = profile, true })
			f.set("a", []byte("x"))
			src, _ := s.Head(t.Context(), "a")
			if err := s.Delete(t.Context(), "a", `"other"`); !errors.Is(err, vfs.ErrBusy) {
				t.Errorf("another ETag: %v, want vfs.ErrBusy", err)
			}
			if err := s.Delete(t.Context(), "a", src.ETag); err != nil {
				t.Errorf("its ETag: %v", err)
			}
			if _, ok := f.object("a"); ok {
				t.Error("it is still there")
			}
			if err := s.Delete(t.Context(), "a", src.ETag); err != nil {
				t.Errorf("what is gone: %v", err)
			}
			if got := f.sent("delete")[0].Get("If-Match") != ""; got != headers {
				t.Errorf("the server is asked to compare: %t, want %t", got, headers)
			}
		})
	}
}

func TestDeleteAll(t *testing.T) {
	for profile, batch := range map[string]bool{"aws": true, "minio": true, "versitygw": false} {
		t.Run(profile, func(t *testing.T) {
			f := newFake(t)
			s, _ := f.open(func(o *Options) { o.Profile, o.PathStyle = profile, true })
			var all []object.Attrs
			for i := range 3 {
				key := fmt.Sprintf("d/%d & <%d>", i, i)
				f.set(key, []byte(key))
				a, _ := s.Head(t.Context(), key)
				all = append(all, a)
			}
			f.set(all[1].Key, []byte("replaced"))
			err := s.DeleteAll(t.Context(), all)
			if profile != "minio" && !errors.Is(err, vfs.ErrBusy) { // MinIO cannot compare: the listing has
				t.Errorf("DeleteAll: %v, want vfs.ErrBusy for the one that was replaced", err)
			}
			for i, a := range all {
				if _, ok := f.object(a.Key); ok != (i == 1 && profile != "minio") {
					t.Errorf("%q is there: %t", a.Key, ok)
				}
			}
			if got := f.count("delete objects") == 1; got != batch {
				t.Errorf("one request for all: %t, want %t", got, batch)
			}
		})
	}
}

// No server of the tests has RenameObject: the request is shown to the fake. Whether Amazon's takes it nobody has seen here.
func TestMoveInDirectoryBucket(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(nil)
	if err := s.Move(t.Context(), "b", object.Attrs{Key: "a"}, object.CopyOptions{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("in an ordinary bucket: %v, want errors.ErrUnsupported", err)
	}
	if n := f.count("rename"); n != 0 {
		t.Errorf("%d requests", n)
	}
	const express = "cams--euw1-az1--x-s3"
	f.bucket, f.condCopy = express, true
	s, _ = f.open(func(o *Options) { o.Bucket, o.PathStyle = express, true })
	f.set("a b", []byte("x"))
	a, err := s.Head(t.Context(), "a b")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Move(t.Context(), "c", a, object.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.object("a b"); ok {
		t.Error("the old name is still there")
	}
	if o, _ := f.object("c"); string(o.data) != "x" || f.count("copy")+f.count("delete") != 0 {
		t.Errorf("the new name holds %q; copies %d, deletions %d", o.data, f.count("copy"), f.count("delete"))
	}
	f.set("a b", []byte("y"))
	if err := s.Move(t.Context(), "c", a, object.CopyOptions{}); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("the source was replaced: %v, want vfs.ErrBusy", err)
	}
	b, _ := s.Head(t.Context(), "a b")
	if err := s.Move(t.Context(), "c", b, object.CopyOptions{IfAbsent: true}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the target exists: %v, want fs.ErrExist", err)
	}
}

// Directory buckets list in no order, and their ETag is no digest.
func TestDirectoryBucket(t *testing.T) {
	const express = "cams--euw1-az1--x-s3"
	f := newFake(t)
	f.bucket = express
	s, _ := f.open(func(o *Options) { o.Profile, o.Bucket, o.PathStyle = "aws", express, true })
	tree, err := object.New(s, object.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b/x", "c", "d/", "d/y", "e"} {
		f.set(key, []byte(key))
	}
	var got []string
	for info, err := range vfs.List(tree, "/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name())
	}
	slices.Sort(got)
	if want := []string{"a", "b", "c", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if _, err := s.Digest(t.Context(), "a", "MD5"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("MD5: %v, want errors.ErrUnsupported", err)
	}
	// A rename of a file over FTP is one request for it, and none that copies.
	if err := tree.Rename("/a", "/d/z"); err != nil {
		t.Fatal(err)
	}
	if f.count("rename") != 1 || f.count("copy")+f.count("delete")+f.count("put") != 0 {
		t.Errorf("requests %v, want one rename", f.counts)
	}
}

// With Look a copy under a condition stays the usual copy: one in parts would get another ETag, and take three requests.
func TestCopyAbsentByALook(t *testing.T) {
	for profile, heads := range map[string]int{"aws": 0, "minio": 1, "versitygw": 1, "ceph": 1, "generic": 1} {
		f := newFake(t)
		f.condCopy = profile == "aws"
		s, _ := f.open(func(o *Options) { o.Profile = profile })
		f.set("src", []byte("new"))
		src, err := s.Head(t.Context(), "src")
		if err != nil {
			t.Fatal(err)
		}
		before := f.count("head")
		if err := s.Copy(t.Context(), "dst", src, object.CopyOptions{IfAbsent: true, Look: true}); err != nil {
			t.Errorf("%s: Copy: %v", profile, err)
		}
		if n := f.count("head") - before; n != heads || f.count("copy") != 1 || f.count("begin") != 0 {
			t.Errorf("%s: %d looks, want %d; %d copies, %d in parts", profile, n, heads, f.count("copy"), f.count("begin"))
		}
		f.set("dst", []byte("old"))
		if err := s.Copy(t.Context(), "dst", src, object.CopyOptions{IfAbsent: true, Look: true}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: Copy onto an object: %v, want fs.ErrExist", profile, err)
		}
		if o, _ := f.object("dst"); string(o.data) != "old" {
			t.Errorf("%s: it is %q by now", profile, o.data)
		}
	}
}
