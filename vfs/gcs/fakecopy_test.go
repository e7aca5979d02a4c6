package gcs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// compose is objects.compose with its preconditions and the checksum of the whole.
func (f *fake) compose(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/storage/v1/b/"+testBucket+"/o/"), "/compose")
	var in struct {
		Destination struct {
			ContentType, CRC32C string
			resourceAttrs
		}
		SourceObjects []struct {
			Name                string
			Generation          string
			ObjectPreconditions struct{ IfGenerationMatch string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.SourceObjects) > 32 {
		fail(w, 400, "invalid", "bad compose")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refused(w, r.URL.Query().Get("ifGenerationMatch"), key) {
		return
	}
	var data []byte
	for _, src := range in.SourceObjects {
		o := f.objects[src.Name]
		if o == nil || src.Generation != "" && src.Generation != strconv.FormatInt(o.gen, 10) {
			fail(w, 404, "notFound", "No such object: "+testBucket+"/"+src.Name)
			return
		}
		if f.refused(w, src.ObjectPreconditions.IfGenerationMatch, src.Name) {
			return
		}
		data = append(data, o.data...)
	}
	if in.Destination.CRC32C != "" && in.Destination.CRC32C != encodeSum(crc32.Checksum(data, castagnoli)) {
		fail(w, 400, "invalid", "Provided CRC32C does not match calculated")
		return
	}
	o := f.put(key, data, in.Destination.ContentType)
	o.attrs = in.Destination.resourceAttrs
	answer(w, key, o)
}

func (f *fake) rewrite(w http.ResponseWriter, r *http.Request) {
	src, dst, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/storage/v1/b/"+testBucket+"/o/"), "/rewriteTo/b/"+testBucket+"/o/")
	body, _ := io.ReadAll(r.Body)
	if len(bytes.TrimSpace(body)) > 2 {
		f.t.Errorf("rewrite with metadata %s: the source's would be lost", body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.objects[src]
	if o == nil {
		fail(w, 404, "notFound", "No such object: "+testBucket+"/"+src)
		return
	}
	if !f.conditions(w, r, o, f.objects[dst]) {
		return
	}
	if r.URL.Query().Get("rewriteToken") == "" && len(o.data) > 100 {
		fmt.Fprintf(w, `{"done":false,"rewriteToken":"more","totalBytesRewritten":"100","objectSize":"%d"}`, len(o.data))
		return
	}
	n := f.put(dst, o.data, o.ctype)
	n.meta, n.class = o.meta, o.class
	json.NewEncoder(w).Encode(map[string]any{"done": true, "resource": resourceOf(dst, n)})
}

func (f *fake) move(w http.ResponseWriter, r *http.Request) {
	if f.noMove {
		fail(w, 404, "notFound", "Not Found")
		return
	}
	src, dst, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/storage/v1/b/"+testBucket+"/o/"), "/moveTo/o/")
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.objects[src]
	if o == nil {
		fail(w, 404, "notFound", "No such object: "+testBucket+"/"+src)
		return
	}
	if !f.conditions(w, r, o, f.objects[dst]) {
		return
	}
	n := f.put(dst, o.data, o.ctype)
	n.meta, n.class = o.meta, o.class
	delete(f.objects, src)
	answer(w, dst, n)
}

// renameFolder begins an operation and does all of it at once.
func (f *fake) renameFolder(w http.ResponseWriter, r *http.Request) {
	src, dst, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/storage/v1/b/"+testBucket+"/folders/"), "/renameTo/folders/")
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, o := range f.objects {
		if rest, ok := strings.CutPrefix(key, src); ok {
			f.objects[dst+rest] = o
			delete(f.objects, key)
		}
	}
	fmt.Fprint(w, `{"name":"projects/_/buckets/b/operations/op 1","done":false}`)
}
