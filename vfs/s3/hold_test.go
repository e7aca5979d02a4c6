package s3

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// newPublishing is the tree of a process before the fake in which files x.tmp wait for their rename.
func (f *fake) newPublishing(profile string) (*object.FS, *object.Parks, *Store) {
	s, _ := f.open(func(o *Options) { o.Profile = profile; o.PathStyle = true })
	p, err := object.NewParks(s, ".ftpgw/")
	if err != nil {
		f.t.Fatal(err)
	}
	tree, err := object.New(s, object.Options{Pending: p, Publish: []object.Rule{{From: [2]string{"", ".tmp"}}},
		Metadata: map[string]string{"site": "1"}, Tags: map[string]string{"device": "cam"}})
	if err != nil {
		f.t.Fatal(err)
	}
	return tree, p, s
}

func storeFile(t *testing.T, tree *object.FS, name string, data []byte) {
	t.Helper()
	w, err := tree.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func (f *fake) spent() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := maps.Clone(f.counts)
	clear(f.counts)
	return c
}

// 46. One request at RNTO, and the removal of the note, whatever the profile of the server knows; with the checksum of the whole.
func Test46OneRequestAtRNTO(t *testing.T) {
	for _, profile := range []string{"aws", "versitygw", "minio", "ceph", "generic"} {
		for _, size := range []int{0, 1, minPart, minPart + 1, 12 << 20} {
			t.Run(fmt.Sprint(profile, "/", size), func(t *testing.T) {
				f := newFake(t)
				tree, _, _ := f.newPublishing(profile)
				data := pattern(3, size)
				storeFile(t, tree, "/d/x.jpg.tmp", data)
				if _, ok := f.object("d/x.jpg"); ok {
					t.Error("visible before RNTO")
				}
				f.spent()
				if _, err := tree.Stat("/d/x.jpg.tmp"); err != nil {
					t.Fatal(err)
				}
				if err := tree.Rename("/d/x.jpg.tmp", "/d/x.jpg"); err != nil {
					t.Fatal(err)
				}
				want := map[string]int{"complete": 1, "delete": 1}
				if p := profiles[profile]; !p.condDelete {
					want["head"] = 1 // before the deletion
				}
				if got := f.spent(); !maps.Equal(got, want) {
					t.Errorf("requests %v, want %v", got, want)
				}
				o, _ := f.object("d/x.jpg")
				if string(o.data) != string(data) || o.contentType != "image/jpeg" || o.header.Get("X-Amz-Meta-Site") != "1" || o.tags != "device=cam" {
					t.Errorf("%d bytes, %q, %v, %q", len(o.data), o.contentType, o.header, o.tags)
				}
				if profiles[profile].crc32 && size > 0 {
					if got, want := f.sent("complete")[0].Get("X-Amz-Checksum-Crc32"), *crc(crc32.ChecksumIEEE(data)); got != want {
						t.Errorf("Complete tells CRC32 %q, want %q", got, want)
					}
				}
				f.wantClean(t)
			})
		}
	}
}

// 46. Where the user may not overwrite, what has the final name stays, by the server's condition or by a look.
func Test46NoOverwrite(t *testing.T) {
	for _, profile := range []string{"aws", "ceph"} {
		t.Run(profile, func(t *testing.T) {
			f := newFake(t)
			tree, _, _ := f.newPublishing(profile)
			storeFile(t, tree, "/x.tmp", []byte("new"))
			f.set("x", []byte("old"))
			if err := tree.RenameNew("/x.tmp", "/x"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("RenameNew: %v, want fs.ErrExist", err)
			}
			if o, _ := f.object("x"); string(o.data) != "old" {
				t.Errorf("x is %q", o.data)
			}
			if err := tree.Rename("/x.tmp", "/x"); err != nil {
				t.Errorf("it does not wait on: %v", err)
			}
			if o, _ := f.object("x"); string(o.data) != "new" {
				t.Errorf("x is %q", o.data)
			}
			f.wantClean(t)
		})
	}
}

// 46 and 8. The answer to the completion is lost: the object itself is asked, in this process and in the next one.
func Test46AnswerLost(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprint("crash behind it=", again), func(t *testing.T) {
			f := newFake(t)
			tree, _, _ := f.newPublishing("aws")
			data := pattern(5, 6<<20)
			storeFile(t, tree, "/x.tmp", data)
			if again {
				// The process dies between the completion and the removal of the note.
				f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
					if op == "delete" && n == 1 {
						w.WriteHeader(http.StatusForbidden)
						return true
					}
					return false
				})
			} else {
				f.setAfter(func(op string, n int) bool {
					if op == "complete" && n == 1 {
						panic(http.ErrAbortHandler)
					}
					return false
				})
			}
			if err := tree.Rename("/x.tmp", "/x"); err != nil {
				t.Fatal(err)
			}
			if again {
				tree, _, _ = f.newPublishing("aws")
				if err := tree.Rename("/x.tmp", "/x"); err != nil {
					t.Errorf("repeated: %v", err)
				}
			}
			if o, _ := f.object("x"); string(o.data) != string(data) {
				t.Errorf("%d bytes, want %d", len(o.data), len(data))
			}
			f.wantClean(t)
		})
	}
}

// RNTO is sent again after its answer was lost, by a user who may not overwrite: what is there is his own file, whether the server
// looks at the condition or we do. One of somebody else is another matter.
func Test46AnswerLostNoOverwrite(t *testing.T) {
	for _, profile := range []string{"aws", "ceph"} {
		for _, others := range []bool{false, true} {
			t.Run(fmt.Sprint(profile, "/replaced=", others), func(t *testing.T) {
				f := newFake(t)
				tree, _, _ := f.newPublishing(profile)
				data := pattern(5, minPart+1)
				storeFile(t, tree, "/x.tmp", data)
				f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
					if op == "delete" && n == 1 {
						w.WriteHeader(http.StatusForbidden)
						return true
					}
					return false
				})
				if err := tree.RenameNew("/x.tmp", "/x"); err != nil {
					t.Fatal(err)
				}
				var want error
				if others {
					f.set("x", []byte("another's"))
					want = fs.ErrNotExist
				}
				tree, _, _ = f.newPublishing(profile)
				if err := tree.RenameNew("/x.tmp", "/x"); !errors.Is(err, want) {
					t.Errorf("repeated: %v, want %v", err, want)
				}
				f.wantClean(t)
			})
		}
	}
}

// The completion is carried out, its answer is lost, and then the server is away for a moment: the file waits for another RNTO.
func Test46AnswerLostAndServerAway(t *testing.T) {
	f := newFake(t)
	tree, _, _ := f.newPublishing("aws")
	data := pattern(5, minPart+1)
	storeFile(t, tree, "/x.tmp", data)
	away := false
	f.setAfter(func(op string, n int) bool {
		if op == "complete" && n == 1 {
			away = true
			panic(http.ErrAbortHandler)
		}
		return false
	})
	f.setBefore(func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
		if away && op == "head" {
			w.WriteHeader(http.StatusNotImplemented) // no more tries
			return true
		}
		return false
	})
	if err := tree.Rename("/x.tmp", "/x"); !errors.Is(err, vfs.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rename: %v, want vfs.ErrUnavailable alone", err)
	}
	away = false
	if err := tree.Rename("/x.tmp", "/x"); err != nil {
		t.Errorf("Rename again: %v", err)
	}
	if o, _ := f.object("x"); string(o.data) != string(data) {
		t.Errorf("%d bytes", len(o.data))
	}
	f.wantClean(t)
}

// The store cannot be asked whether a note was stored in the place of another one: neither upload is removed.
func TestHeldInDoubtStays(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(nil)
	u, err := s.PutHeld(t.Context(), "x", object.PutOptions{}, func(context.Context, string, []object.Part) error { return object.ErrInDoubt })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(t.Context()); !errors.Is(err, object.ErrInDoubt) {
		t.Errorf("Commit: %v", err)
	}
	if len(f.uploads) != 1 {
		t.Errorf("%d uploads, want the one that is in doubt", len(f.uploads))
	}
}

// 46. What is published are the parts that the server tells, as well as those that PutHeld has told; an unknown upload is none.
func Test46PartsOfTheServer(t *testing.T) {
	f := newFake(t)
	_, _, s := f.newPublishing("aws")
	id := ""
	u, err := s.PutHeld(t.Context(), "x", object.PutOptions{}, func(_ context.Context, got string, _ []object.Part) error {
		id = got
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	data := pattern(1, 2*minPart+mib)
	if _, err := u.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	parts, err := s.Parts(t.Context(), "x", id)
	if err != nil || len(parts) != 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	etag, err := s.Publish(t.Context(), "x", id, parts, object.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := s.Head(t.Context(), "x"); err != nil || etag == "" || etag != a.ETag {
		t.Errorf("the ETag of what was published is %q, not %q, %v", a.ETag, etag, err)
	}
	if o, _ := f.object("x"); string(o.data) != string(data) {
		t.Errorf("%d bytes", len(o.data))
	}
	if _, err := s.Publish(t.Context(), "x", "unknown", parts[:1], object.PutOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown upload: %v, want fs.ErrNotExist", err)
	}
}

// The janitor of multipart uploads leaves alone what has a note: that has a time of its own.
func TestAbortStaleLeavesWhatWaits(t *testing.T) {
	f := newFake(t)
	tree, _, _ := f.newPublishing("aws")
	storeFile(t, tree, "/x.tmp", []byte("waits"))
	_, parks, s := f.newPublishing("aws") // another process
	f.mu.Lock()
	f.uploads["orphan"] = &fakeUpload{key: "orphan", parts: map[int]fakeObject{}, at: time.Now().Add(-time.Hour)}
	f.mu.Unlock()
	if n, err := s.AbortStale(t.Context(), "", -time.Hour, parks.Uploads); n != 1 || err != nil {
		t.Errorf("AbortStale: %d, %v, want 1", n, err)
	}
	if err := tree.Rename("/x.tmp", "/x"); err != nil {
		t.Error(err)
	}
	broken := errors.New("broken")
	f.mu.Lock()
	f.uploads["orphan"] = &fakeUpload{key: "orphan", parts: map[int]fakeObject{}, at: time.Now().Add(-time.Hour)}
	f.mu.Unlock()
	if n, err := s.AbortStale(t.Context(), "", -time.Hour, func(context.Context) (map[string]bool, error) { return nil, broken }); n != 0 || !errors.Is(err, broken) {
		t.Errorf("AbortStale that cannot ask: %d, %v", n, err)
	}
}

// All notes are read once for all pages of uploads, unless one of them has no note.
func TestAbortStaleAsksOnce(t *testing.T) {
	for last, want := range map[string]int{"c": 1, "orphan": 2} {
		f := newFake(t)
		pages := []string{"a", "b", last}
		f.setBefore(func(op string, n int, w http.ResponseWriter, _ *http.Request) bool {
			if op != "list uploads" {
				return false
			}
			id := pages[n-1]
			fmt.Fprintf(w, "<ListMultipartUploadsResult><IsTruncated>%v</IsTruncated><NextKeyMarker>%s</NextKeyMarker><NextUploadIdMarker>%s</NextUploadIdMarker>"+
				"<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>", n < len(pages), id, id, id, id)
			return true
		})
		s, _ := f.open(nil)
		asked := 0
		n, err := s.AbortStale(t.Context(), "", time.Hour, func(context.Context) (map[string]bool, error) {
			asked++
			return map[string]bool{"a": true, "b": true, "c": true}, nil
		})
		if n != want-1 || err != nil || asked != want {
			t.Errorf("with %s: %d aborted, %v; asked %d times, want %d", last, n, err, asked, want)
		}
	}
}

// A directory bucket renames in one step: its files are files from the beginning.
func TestDirectoryBucketHoldsNothing(t *testing.T) {
	if (&Store{bucket: "b--use1-az4--x-s3"}).Holds() || !(&Store{bucket: "b"}).Holds() {
		t.Error("Holds")
	}
}

// MFMT of a file that waits would be one of an older object of its name.
func TestWaitingFileIsNotTouched(t *testing.T) {
	f := newFake(t)
	f.set("x.tmp", []byte("older"))
	tree, _, _ := f.newPublishing("aws")
	storeFile(t, tree, "/x.tmp", []byte("waits"))
	if err := tree.Chtimes("/x.tmp", time.Now(), time.Now()); !errors.Is(err, vfs.ErrBusy) {
		t.Errorf("Chtimes: %v, want vfs.ErrBusy", err)
	}
	if _, err := tree.Hash("/x.tmp", "CRC32"); !errors.Is(err, vfs.ErrBusy) && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Hash: %v, want vfs.ErrBusy", err)
	}
}

// 46. A server that says of an upload which is gone that it has completed it, because an object has the key: what another process has
// put in its place is published, and nobody is told that a file which was given up is there.
func Test46CompletedWhatIsGone(t *testing.T) {
	f := newFake(t)
	f.anyComplete = true
	first, _, _ := f.newPublishing("versitygw")
	second, _, _ := f.newPublishing("versitygw")
	f.set("x", []byte("old"))
	storeFile(t, first, "/x.tmp", []byte("one"))
	storeFile(t, second, "/x.tmp", []byte("two"))
	if err := first.Rename("/x.tmp", "/x"); err != nil {
		t.Fatal(err)
	}
	if o, _ := f.object("x"); string(o.data) != "two" {
		t.Errorf("x is %q, want the file that was stored last", o.data)
	}
	storeFile(t, first, "/x.tmp", []byte("six"))
	if err := second.Remove("/x.tmp"); err != nil {
		t.Fatal(err)
	}
	if err := first.Rename("/x.tmp", "/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was removed is renamed: %v", err)
	}
	f.wantClean(t)
}

// An upload that the server has lost before its completion is not stored, whatever it says.
func TestCompletedWhatIsGone(t *testing.T) {
	f := newFake(t)
	f.anyComplete = true
	s, _ := f.open(func(o *Options) { o.Profile = "versitygw" })
	f.set("x", []byte("old"))
	f.before = func(op string, _ int, _ http.ResponseWriter, _ *http.Request) bool {
		if op == "complete" {
			f.mu.Lock()
			clear(f.uploads)
			f.mu.Unlock()
		}
		return false
	}
	if err := put(s, t.Context(), "x", random(2*minPart), object.PutOptions{}); err == nil {
		t.Error("an upload that is gone is stored")
	}
	if o, _ := f.object("x"); string(o.data) != "old" {
		t.Errorf("%d bytes", len(o.data))
	}
}
