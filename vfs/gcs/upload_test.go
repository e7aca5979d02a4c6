package gcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func TestUploadSizes(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	for _, size := range []int{0, 1, chunkUnit - 1, chunkUnit, chunkUnit + 1, 2 * chunkUnit, 2*chunkUnit + 1, 5*chunkUnit - 1} {
		key := fmt.Sprintf("cam 7/%d%%+?#é.jpg", size)
		data := content(size)
		before := len(f.ops())
		if err := upload(t.Context(), s, key, data, object.PutOptions{ContentType: "image/jpeg"}); err != nil {
			t.Fatalf("upload of %d bytes: %v", size, err)
		}
		o := f.get(key)
		if o == nil || !bytes.Equal(o.data, data) || o.ctype != "image/jpeg" {
			t.Errorf("upload of %d bytes: stored another object", size)
		}
		ops := f.ops()[before:]
		if small := size <= chunkUnit; small != slices.Equal(ops, []string{"insert"}) {
			t.Errorf("upload of %d bytes: requests %q", size, ops)
		}
	}
	if n := s.budget.InUse(); n != 0 {
		t.Errorf("budget in use after all uploads: %d", n)
	}
}

// A plain upload goes out with a type even if none was given, and an overwrite has no precondition.
func TestUploadOverwrites(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	for _, size := range []int{10, 3 * chunkUnit} {
		f.set("a", []byte("old"))
		if err := upload(t.Context(), s, "a", content(size), object.PutOptions{}); err != nil {
			t.Fatalf("overwrite with %d bytes: %v", size, err)
		}
		if o := f.get("a"); len(o.data) != size || o.ctype != defaultType {
			t.Errorf("overwrite with %d bytes: got %d bytes of type %q", size, len(o.data), o.ctype)
		}
	}
}

func TestUploadIfAbsent(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	for _, size := range []int{10, 3 * chunkUnit} {
		f.set("a", []byte("old"))
		err := upload(t.Context(), s, "a", content(size), object.PutOptions{IfAbsent: true})
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%d bytes on an existing key: got %v, want fs.ErrExist", size, err)
		}
		if o := f.get("a"); string(o.data) != "old" {
			t.Errorf("%d bytes: the existing object was replaced", size)
		}
		if err := upload(t.Context(), s, fmt.Sprint("new", size), content(size), object.PutOptions{IfAbsent: true}); err != nil {
			t.Errorf("%d bytes on a free key: %v", size, err)
		}
	}
}

// The key becomes taken while the session is open: the last request hears it.
func TestUploadIfAbsentLate(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	u, err := s.Put(t.Context(), "a", object.PutOptions{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(content(3 * chunkUnit)); err != nil {
		t.Fatal(err)
	}
	f.set("a", []byte("theirs"))
	if err := u.Commit(t.Context()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Commit = %v, want fs.ErrExist", err)
	}
	if o := f.get("a"); string(o.data) != "theirs" {
		t.Error("the other's object was replaced")
	}
}

// TestUploadRetries: what the SDK's Writer gives up on at once.
func TestUploadRetries(t *testing.T) {
	for _, code := range []int{500, 502, 503, 504, 429, 408} {
		for _, op := range []string{"insert", "begin", "chunk"} {
			t.Run(fmt.Sprint(op, code), func(t *testing.T) {
				f := newFake(t)
				s := f.store(quick)
				left := 3
				f.setBefore(func(o string, w http.ResponseWriter, r *http.Request) bool {
					if !strings.HasPrefix(o, op) || left == 0 {
						return false
					}
					left--
					fail(w, code, "backendError", "try later")
					return true
				})
				data := content(10)
				if op != "insert" {
					data = content(3*chunkUnit + 5)
				}
				if err := upload(t.Context(), s, "a", data, object.PutOptions{}); err != nil {
					t.Fatalf("upload: %v", err)
				}
				if left != 0 {
					t.Errorf("%d failures were not met", left)
				}
				if !bytes.Equal(f.get("a").data, data) {
					t.Error("stored bytes differ")
				}
			})
		}
	}
}

func TestUploadGivesUp(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.set("a", []byte("old"))
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if op != "insert" {
			return false
		}
		fail(w, 503, "backendError", "try later")
		return true
	})
	err := upload(t.Context(), s, "a", []byte("new"), object.PutOptions{})
	if !errors.Is(err, vfs.ErrUnavailable) || !strings.Contains(err.Error(), "req-1") {
		t.Errorf("got %v, want vfs.ErrUnavailable with the request's id", err)
	}
	if n := f.count("insert"); n != quick.attempts {
		t.Errorf("%d attempts, want %d", n, quick.attempts)
	}
	if string(f.get("a").data) != "old" {
		t.Error("old object touched")
	}
}

// A refusal that will not change is not repeated.
func TestUploadRefused(t *testing.T) {
	for _, tc := range []struct {
		code   int
		reason string
		want   error
	}{
		{403, "forbidden", fs.ErrPermission},
		{403, "retentionPolicyNotMet", fs.ErrPermission},
		{403, "quotaExceeded", vfs.ErrQuota},
		{413, "uploadTooLarge", vfs.ErrTooLarge},
		{507, "", vfs.ErrFull},
		{401, "authError", vfs.ErrUnavailable},
	} {
		t.Run(fmt.Sprint(tc.code, tc.reason), func(t *testing.T) {
			f := newFake(t)
			s := f.store(quick)
			f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
				fail(w, tc.code, tc.reason, "no")
				return true
			})
			for _, size := range []int{5, 3 * chunkUnit} {
				before := len(f.ops())
				err := upload(t.Context(), s, "a", content(size), object.PutOptions{})
				if !errors.Is(err, tc.want) {
					t.Errorf("%d bytes: got %v, want %v", size, err, tc.want)
				}
				if ops := f.ops()[before:]; len(ops) != 1 {
					t.Errorf("%d bytes: requests %q, want one", size, ops)
				}
			}
		})
	}
}

// TestUploadReplyLost: the store has done it, the reply does not come.
func TestUploadReplyLost(t *testing.T) {
	for _, absent := range []bool{false, true} {
		for _, size := range []int{10, 3*chunkUnit + 7, 2 * chunkUnit} {
			t.Run(fmt.Sprint(absent, size), func(t *testing.T) {
				f := newFake(t)
				s := f.store(quick)
				lost := false
				f.setLose(func(op string, r *http.Request) bool {
					last := op == "insert" || strings.HasPrefix(op, "chunk ") && !strings.HasSuffix(op, "/*")
					if lost || !last {
						return false
					}
					lost = true
					return true
				})
				data := content(size)
				if err := upload(t.Context(), s, "a", data, object.PutOptions{IfAbsent: absent}); err != nil {
					t.Fatalf("upload: %v (requests %q)", err, f.ops())
				}
				if !lost {
					t.Error("no reply was lost")
				}
				if !bytes.Equal(f.get("a").data, data) {
					t.Error("stored bytes differ")
				}
			})
		}
	}
}

// After a lost reply somebody else's object of the same name is not taken for ours.
func TestUploadReplyLostOther(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if op != "insert" || f.get("a") != nil {
			return false
		}
		f.set("a", []byte("theirs"))
		breakOff(w)
		return true
	})
	err := upload(t.Context(), s, "a", []byte("mine.."), object.PutOptions{IfAbsent: true})
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if string(f.get("a").data) != "theirs" {
		t.Error("the other's object was replaced")
	}
}

// All replies are lost, and in the end the object is there.
func TestUploadAllRepliesLost(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.setLose(func(op string, r *http.Request) bool { return op == "insert" })
	if err := upload(t.Context(), s, "a", []byte("data"), object.PutOptions{}); err != nil {
		t.Errorf("upload: %v", err)
	}
}

// What is damaged on the way is sent once more, and what is damaged in memory is never stored.
func TestUploadDamaged(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	damage := 1
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if op != "insert" || damage == 0 {
			return false
		}
		damage--
		fail(w, 400, "invalid", "Provided CRC32C \"AAAAAA==\" doesn't match calculated CRC32C \"BBBBBB==\"")
		return true
	})
	if err := upload(t.Context(), s, "a", []byte("data"), object.PutOptions{}); err != nil {
		t.Errorf("damaged once: %v", err)
	}
	damage = 1000
	if err := upload(t.Context(), s, "b", []byte("data"), object.PutOptions{}); !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("always damaged: got %v, want vfs.ErrUnavailable", err)
	}
	if n := f.count("insert"); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

// lying is a body whose checksum is not that of its bytes: memory that went bad after the bytes came.
type lying struct{ object.Body }

func (lying) Sum32() uint32 { return 1 }

type memBody struct{ *bytes.Reader }

func (b memBody) Size() int64   { return b.Reader.Size() }
func (b memBody) Sum32() uint32 { return 0 }

func TestChecksumIsChecked(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	body := func(n int) object.Body { return lying{memBody{bytes.NewReader(content(n))}} }

	k := &sink{s: s, key: "a", o: object.PutOptions{ContentType: defaultType}}
	if err := k.Single(t.Context(), body(100)); !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("Single = %v, want vfs.ErrUnavailable", err)
	}
	k = &sink{s: s, key: "a", o: object.PutOptions{ContentType: defaultType}}
	for _, err := range []error{k.Begin(t.Context()), k.Part(t.Context(), 1, body(chunkUnit)), k.Part(t.Context(), 2, body(9))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Complete(t.Context()); !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("Complete = %v, want vfs.ErrUnavailable", err)
	}
	if f.get("a") != nil {
		t.Error("a damaged object was stored")
	}
}

// A store that does not check what it is told tells what it has; that is taken back.
func TestStoredDamageIsTakenBack(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if op != "insert" {
			return false
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		answer(w, "a", f.put("a", []byte("DATA"), defaultType))
		return true
	})
	if err := upload(t.Context(), s, "a", []byte("data"), object.PutOptions{}); !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("got %v, want vfs.ErrUnavailable", err)
	}
	if f.get("a") != nil {
		t.Error("the damaged object is still there")
	}
}

// TestChunkBroken cuts chunks at odd places: the session goes on from what the store has kept.
func TestChunkBroken(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	s.part = 4 * chunkUnit
	f.maxPersist = chunkUnit
	n := 0
	f.setLose(func(op string, r *http.Request) bool {
		n++
		return strings.HasPrefix(op, "chunk ") && n%3 == 0
	})
	data := content(9*chunkUnit + 12345)
	if err := upload(t.Context(), s, "a", data, object.PutOptions{}); err != nil {
		t.Fatalf("upload: %v (%q)", err, f.ops())
	}
	if !bytes.Equal(f.get("a").data, data) {
		t.Error("stored bytes differ")
	}
	if f.count("chunk bytes */*") == 0 {
		t.Error("the session was never asked what it has")
	}
}

// Parts that are no multiple of 256 KiB: the rest travels with the next one.
func TestOddParts(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	k := &sink{s: s, key: "a", o: object.PutOptions{ContentType: defaultType}}
	if err := k.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for i, size := range []int{5 << 16, 1, 3 << 16, 2 * chunkUnit, 7} {
		data := content(size)
		all = append(all, data...)
		if err := k.Part(t.Context(), i+1, summed(data)); err != nil {
			t.Fatalf("Part %d: %v", i+1, err)
		}
		if len(k.carry) >= chunkUnit {
			t.Errorf("after part %d: %d bytes kept", i+1, len(k.carry))
		}
	}
	if f.get("a") != nil {
		t.Error("visible before Complete")
	}
	if err := k.Complete(t.Context()); err != nil {
		t.Fatalf("Complete: %v", err)
	}
	if !bytes.Equal(f.get("a").data, all) {
		t.Error("stored bytes differ")
	}
}

// TestAbort: at every moment before the commit, giving up leaves the old object and no session.
func TestAbort(t *testing.T) {
	for _, size := range []int{0, 10, chunkUnit, chunkUnit + 1, 2 * chunkUnit, 4*chunkUnit + 9} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			f := newFake(t)
			s := f.store(quick)
			f.set("a", []byte("old"))
			ctx, cancel := context.WithCancel(t.Context())
			u, err := s.Put(ctx, "a", object.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.Write(content(size)); err != nil {
				t.Fatal(err)
			}
			cancel() // the transfer was broken off
			if err := u.Abort(t.Context()); err != nil {
				t.Errorf("Abort: %v", err)
			}
			if err := u.Commit(t.Context()); err != nil {
				t.Errorf("Commit after Abort = %v, want nil", err)
			}
			if string(f.get("a").data) != "old" {
				t.Error("old object touched")
			}
			if n := len(f.sessions); n != 0 {
				t.Errorf("%d sessions left", n)
			}
			if n := s.budget.InUse(); n != 0 {
				t.Errorf("budget in use: %d", n)
			}
		})
	}
}

// A commit whose time is over in the middle of a part ends, and the session is cleaned up.
func TestCommitTimeout(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	held := make(chan struct{})
	var once sync.Once
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(op, "chunk ") {
			return false
		}
		once.Do(func() { close(held) })
		f.silent(r)
		return true
	})
	u, err := s.Put(t.Context(), "a", object.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(content(chunkUnit + 1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("too late")
	go func() { // ends with the cancel
		<-held
		cancel(late)
	}()
	if err := u.Commit(ctx); !errors.Is(err, late) {
		t.Errorf("Commit = %v, want the context's cause", err)
	}
	if f.get("a") != nil || f.count("cancel") != 1 {
		t.Errorf("object there or session not cancelled: %q", f.ops())
	}
}

// A session that the store has forgotten is an error for a later try, not a missing file.
func TestSessionGone(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(op, "chunk ") {
			f.mu.Lock()
			clear(f.sessions)
			f.mu.Unlock()
		}
		return false
	})
	err := upload(t.Context(), s, "a", content(2*chunkUnit), object.PutOptions{})
	if !errors.Is(err, vfs.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want vfs.ErrUnavailable", err)
	}
}

// TestStalledStore: a store that takes the connection and says nothing does not hold an upload for ever. Attempts are counted where
// they begin: on a busy machine the limit may end one before the store has seen it.
func TestStalledStore(t *testing.T) {
	f := newFake(t)
	l := quick
	l.answer, l.stall, l.attempts = 30*time.Millisecond, 30*time.Millisecond, 2
	s := f.store(l)
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if op == "head" {
			return false
		}
		f.silent(r)
		return true
	})
	var attempts atomic.Int32
	next := s.http.Transport
	s.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			attempts.Add(1)
		}
		return next.RoundTrip(r)
	})
	err := upload(t.Context(), s, "a", content(1000), object.PutOptions{})
	if !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("got %v, want vfs.ErrUnavailable", err)
	}
	if n := attempts.Load(); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
	if n := f.count("insert"); n > 2 {
		t.Errorf("the store has seen %d, want 2", n)
	}
}

// A peer that stops reading in the middle of the body, where the kernel's
// buffers are full, is noticed as well.
func TestStalledBody(t *testing.T) {
	f := newFake(t)
	l := quick
	l.stall, l.attempts = 100*time.Millisecond, 2
	s := f.store(l)
	s.part = 12 << 20
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if op != "insert" {
			return false
		}
		f.silent(r) // reads nothing
		return true
	})
	err := upload(t.Context(), s, "a", content(12<<20-1), object.PutOptions{})
	var st stalled
	if !errors.Is(err, vfs.ErrUnavailable) || !errors.As(err, &st) {
		t.Errorf("got %v, want stalled", err)
	}
}

// The address of a session is a key to it, and stays out of errors.
func TestErrorsHideSession(t *testing.T) {
	f := newFake(t)
	l := quick
	l.chunk = 50 * time.Millisecond
	s := f.store(l)
	f.setBefore(func(op string, w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(op, "chunk ") {
			breakOff(w)
			return true
		}
		return false
	})
	err := upload(t.Context(), s, "a", content(2*chunkUnit), object.PutOptions{})
	if err == nil || strings.Contains(err.Error(), "upload_id") {
		t.Errorf("got %v, want an error without upload_id", err)
	}
	if !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("got %v, want vfs.ErrUnavailable", err)
	}
}

func TestUploadNoBucket(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	f.setBefore(noBucket)
	for _, size := range []int{1, 2 * chunkUnit} {
		err := upload(t.Context(), s, "a", content(size), object.PutOptions{})
		if !errors.Is(err, ErrNoSuchBucket) || !errors.Is(err, vfs.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d bytes: got %v, want ErrNoSuchBucket", size, err)
		}
	}
}

func noBucket(op string, w http.ResponseWriter, r *http.Request) bool {
	fail(w, 404, "notFound", "The specified bucket does not exist.")
	return true
}

// Many small uploads share a few connections and no memory is left.
func TestManySmall(t *testing.T) {
	f := newFake(t)
	s := f.store(quick)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := range 4 {
				if err := upload(t.Context(), s, fmt.Sprintf("%d/%d", i, j), content(1000+i), object.PutOptions{}); err != nil {
					t.Errorf("upload: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := f.count(""); n != 200 {
		t.Errorf("%d requests for 200 uploads", n)
	}
	if n := s.budget.InUse(); n != 0 {
		t.Errorf("budget in use: %d", n)
	}
}
