package gcs

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// fake is a bucket with the JSON API's rules that matter here: generations and
// their preconditions, checksums that are checked, sessions that take bytes only in order and in
// units of 256 KiB. What a test wants to go wrong, it says with before and after.
type fake struct {
	t   *testing.T
	srv *httptest.Server

	mu       sync.Mutex
	objects  map[string]*stored
	old      map[string]*stored // by key and generation, where a test keeps versions
	sessions map[string]*session
	gen      int64
	log      []string // "insert", "begin", "chunk bytes 0-1/*", …

	// before may answer a request in the fake's place, by returning true.
	before beforeHook
	// lose tells to carry the request out and then to break the connection.
	lose loseHook
	// cut is how many bytes of a download's body are sent before the connection breaks; 0 for all.
	cut func(n int) int
	// maxPersist, if set, limits how much of one chunk a session keeps.
	maxPersist int

	noMove    bool // objects.move is not known
	folders   bool // the bucket has a hierarchical namespace
	polls     int
	downloads int
	noTime    bool // downloads without Last-Modified

	over chan struct{} // closed when the test is over, for those who answer nothing
}

type (
	beforeHook func(op string, w http.ResponseWriter, r *http.Request) bool
	loseHook   func(op string, r *http.Request) bool
)

// setBefore and setLose: requests that were called off may still be under way.
func (f *fake) setBefore(h beforeHook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = h
}

func (f *fake) setLose(h loseHook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lose = h
}

type stored struct {
	data    []byte
	ctype   string
	gen     int64
	meta    map[string]string
	class   string
	created time.Time
	attrs   resourceAttrs
	gzip    bool // stored with Content-Encoding gzip
}

// resourceAttrs is what a client may say of an object and get back.
type resourceAttrs struct {
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	CustomTime         string            `json:"customTime,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

const testBucket = "cams"

func newFake(t *testing.T) *fake {
	f := &fake{t: t, objects: map[string]*stored{}, sessions: map[string]*session{}, gen: 1000, over: make(chan struct{})}
	f.srv = httptest.NewServer(f)
	t.Cleanup(f.srv.Close)
	t.Cleanup(func() { close(f.over) })
	return f
}

// quick are limits for tests: the order of things is that of the real ones.
var quick = limits{
	attempts: 8,
	first:    time.Millisecond,
	longest:  4 * time.Millisecond,
	chunk:    20 * time.Second,
	cleanup:  10 * time.Second,
	stall:    10 * time.Second,
	answer:   10 * time.Second,
}

// store returns a Store on f with parts of 256 KiB.
func (f *fake) store(l limits) *Store {
	f.t.Helper()
	s, err := open(f.t.Context(), Options{
		Bucket:    testBucket,
		Endpoint:  f.srv.URL,
		Anonymous: true,
		Budget:    object.NewBudget(16 << 20),
		PartSize:  chunkUnit,
	}, l)
	if err != nil {
		f.t.Fatalf("open: %v", err)
	}
	f.t.Cleanup(func() { s.Close() })
	return s
}

func (f *fake) set(key string, data []byte) *stored {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.put(key, data, "application/octet-stream")
}

// put wants f.mu held.
func (f *fake) put(key string, data []byte, ctype string) *stored {
	f.gen++
	o := &stored{data: bytes.Clone(data), ctype: ctype, gen: f.gen, created: time.Now().UTC().Truncate(time.Second)}
	f.objects[key] = o
	return o
}

func (f *fake) get(key string) *stored {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.objects[key]
}

func (f *fake) ops() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

func (f *fake) count(prefix string) (n int) {
	for _, op := range f.ops() {
		if strings.HasPrefix(op, prefix) {
			n++
		}
	}
	return n
}

func fail(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Guploader-Uploadid", "req-1")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"errors":[{"reason":%q,"message":%q}]}}`, code, message, reason, message)
}

// silent holds a request without an answer until the client hangs up, which
// a server only sees when the body has been read, or the test is over.
func (f *fake) silent(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-f.over:
	}
}

func breakOff(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := f.op(r)
	f.mu.Lock()
	f.log = append(f.log, op)
	before, lose := f.before, f.lose
	f.mu.Unlock()
	if before != nil && before(op, w, r) {
		return
	}
	if lose != nil && lose(op, r) {
		f.serve(httptest.NewRecorder(), r)
		breakOff(w)
		return
	}
	f.serve(w, r)
}

func (f *fake) op(r *http.Request) string {
	up := strings.HasPrefix(r.URL.Path, "/upload/")
	rest := strings.TrimPrefix(r.URL.Path, "/storage/v1/b/"+testBucket+"/o")
	switch {
	case up && r.Method == http.MethodDelete:
		return "cancel"
	case up && r.Method == http.MethodPut:
		return "chunk " + r.Header.Get("Content-Range")
	case up && r.URL.Query().Get("uploadType") == "resumable":
		return "begin"
	case up:
		return "insert"
	case strings.HasSuffix(rest, "/compose"):
		return "compose"
	case strings.Contains(rest, "/rewriteTo/"):
		return "rewrite"
	case strings.Contains(rest, "/moveTo/"):
		return "move"
	case rest == "/storage/v1/b/"+testBucket:
		return "bucket"
	case strings.Contains(rest, "/renameTo/folders/"):
		return "rename folder"
	case strings.HasPrefix(rest, "perations/"): // o is cut off above
		return "operation"
	case r.Method == http.MethodDelete:
		return "delete"
	case rest == "":
		return "list"
	case r.URL.Query().Get("alt") == "media":
		return "media"
	}
	return "head"
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	switch op, _, _ := strings.Cut(f.op(r), " "); op {
	case "insert":
		f.insert(w, r)
	case "begin":
		f.begin(w, r)
	case "chunk":
		f.chunk(w, r)
	case "cancel":
		f.mu.Lock()
		delete(f.sessions, r.URL.Query().Get("upload_id"))
		f.mu.Unlock()
		w.WriteHeader(499)
	case "rewrite":
		f.rewrite(w, r)
	case "compose":
		f.compose(w, r)
	case "move":
		f.move(w, r)
	case "bucket":
		fmt.Fprintf(w, `{"hierarchicalNamespace":{"enabled":%t}}`, f.folders)
	case "rename":
		f.renameFolder(w, r)
	case "operation":
		f.polls++
		fmt.Fprintf(w, `{"name":"projects/_/buckets/b/operations/op 1","done":%t}`, f.polls > 1)
	case "list":
		f.list(w, r)
	default:
		f.object(w, r)
	}
}

// answer wants f.mu held.
func answer(w http.ResponseWriter, key string, o *stored) {
	json.NewEncoder(w).Encode(resourceOf(key, o))
}

func resourceOf(key string, o *stored) map[string]any {
	m := map[string]any{}
	if b, err := json.Marshal(o.attrs); err == nil {
		json.Unmarshal(b, &m)
	}
	maps.Copy(m, map[string]any{
		"name": key, "bucket": testBucket, "size": strconv.Itoa(len(o.data)), "generation": strconv.FormatInt(o.gen, 10),
		"crc32c": encodeSum(crc32.Checksum(o.data, castagnoli)), "contentType": o.ctype, "md5Hash": md5Of(o.data),
		"timeCreated": o.created.Format(time.RFC3339), "updated": o.created.Add(time.Hour).Format(time.RFC3339),
	})
	if o.meta != nil {
		m["metadata"] = o.meta
	}
	if o.class != "" {
		m["storageClass"] = o.class
	}
	return m
}

func md5Of(data []byte) string {
	sum := md5.Sum(data)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// refused answers for the precondition ifGenerationMatch, "" for none.
func (f *fake) refused(w http.ResponseWriter, match string, key string) bool {
	gen := "0"
	if o := f.objects[key]; o != nil {
		gen = strconv.FormatInt(o.gen, 10)
	}
	if match != "" && match != gen {
		fail(w, 412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
		return true
	}
	return false
}

func (f *fake) object(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/storage/v1/b/"+testBucket+"/o/")
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.objects[key]
	if g := r.URL.Query().Get("generation"); o != nil && g != "" && g != strconv.FormatInt(o.gen, 10) {
		o = f.old[key+"#"+g]
	}
	if o == nil {
		fail(w, 404, "notFound", "No such object: "+testBucket+"/"+key)
		return
	}
	switch {
	case r.Method == http.MethodDelete && !matches(r, "ifGenerationMatch", o):
		fail(w, 412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
	case r.Method == http.MethodDelete:
		delete(f.objects, key)
		w.WriteHeader(204)
	case r.Method == http.MethodPatch:
		var in struct{ Metadata map[string]string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			f.t.Errorf("patch: %v", err)
		}
		meta := maps.Clone(o.meta)
		if meta == nil {
			meta = map[string]string{}
		}
		maps.Copy(meta, in.Metadata)
		o.meta = meta
		answer(w, key, o)
	case r.URL.Query().Get("alt") == "media":
		f.media(w, r, o)
	default:
		answer(w, key, o)
	}
}

func (f *fake) media(w http.ResponseWriter, r *http.Request, o *stored) {
	h := w.Header()
	h.Set("X-Goog-Generation", strconv.FormatInt(o.gen, 10))
	h.Set("X-Goog-Hash", "crc32c="+encodeSum(crc32.Checksum(o.data, castagnoli)))
	if !f.noTime {
		h.Set("Last-Modified", o.created.Format(http.TimeFormat))
	}
	if o.gzip {
		h.Set("X-Goog-Stored-Content-Encoding", "gzip")
		if r.Header.Get("Accept-Encoding") != "gzip" {
			f.t.Error("download without Accept-Encoding gzip: the service would unpack it")
		}
		h.Set("Content-Encoding", "gzip")
	}
	data, code := o.data, http.StatusOK
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		first, last, _ := strings.Cut(from, "-")
		n, err := strconv.Atoi(first)
		end := len(data)
		if last != "" && err == nil {
			end, err = strconv.Atoi(last)
			end = min(end+1, len(data))
		}
		if err != nil {
			f.t.Errorf("Range %q", r.Header.Get("Range"))
		}
		if n >= len(data) {
			fail(w, 416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
			return
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", n, end-1, len(data)))
		data, code = data[n:end], http.StatusPartialContent
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(code)
	f.downloads++
	if f.cut != nil {
		if n := f.cut(f.downloads); n < len(data) {
			w.Write(data[:n])
			w.(http.Flusher).Flush()
			breakOff(w)
			return
		}
	}
	w.Write(data)
}

// list gives items and prefixes in one order, as the service counts them: both
// towards maxResults.
func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f.mu.Lock()
	defer f.mu.Unlock()
	most, _ := strconv.Atoi(q.Get("maxResults"))
	if most == 0 || most > 1000 {
		most = 1000
	}
	seen := map[string]bool{}
	for key := range f.objects {
		rest, ok := strings.CutPrefix(key, q.Get("prefix"))
		if !ok {
			continue
		}
		if head, _, ok := strings.Cut(rest, "/"); ok && q.Get("delimiter") == "/" {
			key = q.Get("prefix") + head + "/"
			seen[key] = true
			continue
		}
		if !seen[key] {
			seen[key] = false
		}
	}
	var names []string
	for name := range seen {
		if name > q.Get("pageToken") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	page := map[string]any{}
	if len(names) > most {
		names = names[:most]
		page["nextPageToken"] = names[most-1]
	}
	var items []any
	var prefixes []string
	for _, name := range names {
		if seen[name] {
			prefixes = append(prefixes, name)
		} else {
			items = append(items, resourceOf(name, f.objects[name]))
		}
	}
	page["items"], page["prefixes"] = items, prefixes
	json.NewEncoder(w).Encode(page)
}

// matches tells whether a precondition on a generation holds for an object, or for none.
func matches(r *http.Request, name string, o *stored) bool {
	want := r.URL.Query().Get(name)
	have := "0"
	if o != nil {
		have = strconv.FormatInt(o.gen, 10)
	}
	return want == "" || want == have
}

// conditions refuses a copy or a move whose preconditions do not hold.
func (f *fake) conditions(w http.ResponseWriter, r *http.Request, src, dst *stored) bool {
	if matches(r, "ifSourceGenerationMatch", src) && matches(r, "ifGenerationMatch", dst) {
		return true
	}
	fail(w, 412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
	return false
}
