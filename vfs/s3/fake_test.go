package s3

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// fake is a small S3 server for tests: one bucket, a flat key space, checksums
// that are checked, and faults.
type fake struct {
	*httptest.Server
	t *testing.T

	// before may answer a request in the server's place, or break the connection
	// by a panic with http.ErrAbortHandler; it then returns true. after does so
	// when the request has been carried out. n counts the requests of an operation from 1.
	before beforeHook
	after  afterHook
	bucket string // default fakeBucket
	// condCopy: If-None-Match on the target of a copy counts, as on Amazon S3. maxCopy is the size in
	// bytes above which CopyObject refuses; 0 for none.
	condCopy bool
	maxCopy  int
	// minio has MinIO's way with UploadPartCopy: not into an upload with checksums.
	minio bool
	// alike has R2's rule: all parts of an object but the last have one length, and the last is not longer.
	alike bool
	// anyComplete has versitygw's way with the completion of an upload that it does not know: where an object has the key, it is done.
	anyComplete bool
	// cut ends the body of a GET after so many bytes; 0 does not.
	cut int

	mu       sync.Mutex
	objects  map[string]fakeObject
	uploads  map[string]*fakeUpload
	counts   map[string]int
	headers  map[string][]http.Header // by operation
	bodies   map[string][][]byte
	versions int
}

type (
	beforeHook func(op string, n int, w http.ResponseWriter, r *http.Request) bool
	afterHook  func(op string, n int) bool
)

// setBefore and setAfter: requests that were called off may still be under way.
func (f *fake) setBefore(h beforeHook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = h
}

func (f *fake) setAfter(h afterHook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after = h
}

// sent returns the headers of all requests of an operation.
func (f *fake) sent(op string) []http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.headers[op])
}

type fakeObject struct {
	data        []byte
	etag        string
	crc         string
	contentType string
	header      http.Header // what a client may say of an object and get back: metadata, class, encryption
	tags        string      // as a query
	acl         string      // the XML that was put
	at          time.Time
}

type fakeUpload struct {
	key, contentType string
	header           http.Header
	tags             string
	crc              bool
	parts            map[int]fakeObject
	at               time.Time
}

// kept returns the headers of a request that an object keeps and shows.
func kept(h http.Header) http.Header {
	out := http.Header{}
	for k, v := range h {
		switch {
		case strings.HasPrefix(k, "X-Amz-Meta-"), strings.HasPrefix(k, "X-Amz-Server-Side-Encryption"),
			k == "X-Amz-Storage-Class", k == "Cache-Control", k == "Content-Disposition", k == "Content-Language", k == "Expires",
			k == "Content-Encoding", k == "X-Amz-Website-Redirect-Location":
			out[k] = v
		}
	}
	return out
}

const fakeBucket = "bucket"

// Parts are small here, so that tests have fewer bytes to move, and larger than what an upload holds before its first
// part (256 KiB): minPart stands for the 5 MiB of the
// service, uniform for the 16 MiB where all have to be alike, mib for a MiB.
const (
	mib     = 64 << 10
	minPart = 5 * mib
	uniform = 8 * mib
)

func newFake(t *testing.T) *fake {
	f := &fake{
		t:       t,
		objects: make(map[string]fakeObject),
		uploads: make(map[string]*fakeUpload),
		counts:  make(map[string]int),
		headers: make(map[string][]http.Header),
		bodies:  make(map[string][][]byte),
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// open returns a Store on the fake.
func (f *fake) open(change func(*Options)) (*Store, *object.Budget) {
	f.t.Helper()
	b := object.NewBudget(64 << 20)
	o := Options{
		Bucket: fakeBucket, Endpoint: f.URL, Profile: "minio", AccessKey: "a", SecretKey: "s", Budget: b,
		StallTimeout: 10 * time.Second, HeaderTimeout: 10 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	s, err := New(f.t.Context(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	s.sizes.least, s.sizes.grow = minPart, func(int64) int64 { return minPart }
	if s.sizes.uniform > 0 {
		s.sizes.uniform = uniform
	}
	if o.CopyPart > 0 {
		s.o.CopyPart = o.CopyPart // also below 5 MiB
	}
	f.t.Cleanup(func() {
		s.Close()
		if b.InUse() != 0 || b.Reserved() != 0 || b.Waiting() != 0 {
			f.t.Errorf("the budget has %d bytes in use, %d reserved, %d waiting", b.InUse(), b.Reserved(), b.Waiting())
		}
		if len(s.active) != 0 {
			f.t.Errorf("%d uploads are taken for active", len(s.active))
		}
	})
	return s, b
}

func (f *fake) count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[op]
}

func (f *fake) pending() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.uploads)
}

func (f *fake) object(key string) (fakeObject, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.objects[key]
	return o, ok
}

func (f *fake) set(key string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[key] = newObject(data, "")
}

func newObject(data []byte, contentType string) fakeObject {
	sum := md5.Sum(data)
	return fakeObject{data: data, etag: `"` + hex.EncodeToString(sum[:]) + `"`, crc: *crc(crc32.ChecksumIEEE(data)),
		contentType: contentType, at: time.Now()}
}

func operation(r *http.Request, key string) string {
	q := r.URL.Query()
	switch {
	case key == "" && r.Method == "GET" && q.Has("uploads"):
		return "list uploads"
	case key == "" && q.Has("session"):
		return "session"
	case key == "" && r.Method == "HEAD":
		return "head bucket"
	case key == "" && r.Method == "GET":
		return "list"
	case key == "" && r.Method == "POST" && q.Has("delete"):
		return "delete objects"
	case q.Has("renameObject"):
		return "rename"
	case q.Has("tagging"):
		return "get tags"
	case q.Has("acl"):
		return strings.ToLower(r.Method) + " acl"
	case q.Has("uploads"):
		return "begin"
	case q.Has("uploadId") && r.Header.Get("X-Amz-Copy-Source") != "":
		return "part copy"
	case q.Has("uploadId"):
		return map[string]string{"PUT": "part", "POST": "complete", "DELETE": "abort", "GET": "list parts"}[r.Method]
	case r.Header.Get("X-Amz-Copy-Source") != "":
		return "copy"
	}
	return map[string]string{"PUT": "put", "GET": "get", "HEAD": "head", "DELETE": "delete"}[r.Method]
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>from the fake</Message><RequestId>r1</RequestId></Error>", code)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := strings.CutPrefix(r.URL.Path, "/"+cmp.Or(f.bucket, fakeBucket))
	key = strings.TrimPrefix(key, "/")
	op := operation(r, key)
	f.mu.Lock()
	f.counts[op]++
	n := f.counts[op]
	f.headers[op] = append(f.headers[op], r.Header.Clone())
	before, after := f.before, f.after
	f.mu.Unlock()
	if before != nil && before(op, n, w, r) {
		return
	}
	if !ok {
		refuse(w, 404, "NoSuchBucket")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	if op == "put" || op == "part" {
		if sum := r.Header.Get("X-Amz-Checksum-Crc32"); sum != "" && sum != *crc(crc32.ChecksumIEEE(body)) {
			refuse(w, 400, "BadDigest")
			return
		}
		sum := md5.Sum(body)
		if want := r.Header.Get("Content-Md5"); want != "" && want != base64.StdEncoding.EncodeToString(sum[:]) {
			refuse(w, 400, "BadDigest")
			return
		}
	}
	rec := httptest.NewRecorder()
	f.mu.Lock()
	f.bodies[op] = append(f.bodies[op], body)
	f.serve(rec, r, op, key, body)
	f.mu.Unlock()
	if after != nil && after(op, n) {
		panic(http.ErrAbortHandler) // the answer is lost
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", cmp.Or(rec.Header().Get("Content-Length"), strconv.Itoa(rec.Body.Len())))
	w.WriteHeader(rec.Code)
	if op == "get" && f.cut > 0 && rec.Body.Len() > f.cut {
		w.Write(rec.Body.Bytes()[:f.cut])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Write(rec.Body.Bytes())
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request, op, key string, body []byte) {
	q := r.URL.Query()
	old, exists := f.objects[key]
	up := f.uploads[q.Get("uploadId")]
	if q.Get("uploadId") != "" && (up == nil || up.key != key) {
		if f.anyComplete && op == "complete" && exists {
			fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"of what was asked"</ETag></CompleteMultipartUploadResult>`)
			return
		}
		refuse(w, 404, "NoSuchUpload")
		return
	}
	if (op == "put" || op == "complete") && exists && r.Header.Get("If-None-Match") == "*" {
		refuse(w, 412, "PreconditionFailed")
		return
	}
	if m := r.Header.Get("If-Match"); (op == "put" || op == "complete") && m != "" && (!exists || m != old.etag) {
		if !exists {
			refuse(w, 404, "NoSuchKey")
			return
		}
		refuse(w, 412, "PreconditionFailed")
		return
	}
	if (op == "get" || op == "head") && !exists {
		refuse(w, 404, "NoSuchKey")
		return
	}
	switch op {
	case "head bucket":
	case "session":
		fmt.Fprintf(w, "<CreateSessionResult><Credentials><SessionToken>t</SessionToken><SecretAccessKey>s</SecretAccessKey>"+
			"<AccessKeyId>a</AccessKeyId><Expiration>%s</Expiration></Credentials></CreateSessionResult>", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case "put":
		o := newObject(body, r.Header.Get("Content-Type"))
		o.header, o.tags = kept(r.Header), r.Header.Get("X-Amz-Tagging")
		f.objects[key] = o
		w.Header().Set("ETag", f.objects[key].etag)
	case "delete":
		if m := r.Header.Get("If-Match"); m != "" && exists && m != old.etag {
			refuse(w, 412, "PreconditionFailed")
			return
		}
		delete(f.objects, key)
		w.WriteHeader(204)
	case "copy", "part copy", "rename":
		f.copy(w, r, op, key, up)
	case "delete objects":
		f.deleteObjects(w, body)
	case "get tags":
		v, _ := url.ParseQuery(old.tags)
		fmt.Fprint(w, "<Tagging><TagSet>")
		for k := range v {
			fmt.Fprintf(w, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", k, v.Get(k))
		}
		fmt.Fprint(w, "</TagSet></Tagging>")
	case "get acl":
		fmt.Fprint(w, old.acl)
	case "put acl":
		old.acl = string(body)
		f.objects[key] = old
	case "head", "get":
		h := w.Header()
		h.Set("ETag", old.etag)
		h.Set("Last-Modified", old.at.UTC().Format(http.TimeFormat))
		h.Set("Content-Type", old.contentType)
		for k, v := range old.header {
			h[k] = v
		}
		if v, _ := url.ParseQuery(old.tags); len(v) > 0 {
			h.Set("X-Amz-Tagging-Count", strconv.Itoa(len(v)))
		}
		if m := r.Header.Get("If-Match"); m != "" && m != old.etag {
			refuse(w, 412, "PreconditionFailed")
			return
		}
		if r.Header.Get("X-Amz-Checksum-Mode") != "" {
			h.Set("X-Amz-Checksum-Crc32", old.crc)
		}
		if op == "head" {
			h.Set("Content-Length", strconv.Itoa(len(old.data)))
			return
		}
		data := old.data
		if rg := r.Header.Get("Range"); rg != "" {
			var off, last int
			if n, _ := fmt.Sscanf(rg, "bytes=%d-%d", &off, &last); n < 2 {
				last = len(data) - 1
			}
			last = min(last, len(data)-1)
			if off >= len(data) {
				refuse(w, 416, "InvalidRange")
				return
			}
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, last, len(data)))
			data = data[off : last+1]
			w.WriteHeader(206)
		}
		w.Write(data)
	case "list":
		f.list(w, q)
	case "begin":
		f.versions++
		id := fmt.Sprintf("upload-%d", f.versions)
		f.uploads[id] = &fakeUpload{key: key, contentType: r.Header.Get("Content-Type"), parts: map[int]fakeObject{},
			header: kept(r.Header), tags: r.Header.Get("X-Amz-Tagging"),
			crc: r.Header.Get("X-Amz-Checksum-Type") == "FULL_OBJECT", at: time.Now()}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case "part":
		n, _ := strconv.Atoi(q.Get("partNumber"))
		up.parts[n] = newObject(body, "")
		w.Header().Set("ETag", up.parts[n].etag)
	case "complete":
		f.complete(w, r, up, q.Get("uploadId"), body)
	case "abort":
		delete(f.uploads, q.Get("uploadId"))
		w.WriteHeader(204)
	case "list parts":
		f.listParts(w, q, up)
	case "list uploads":
		fmt.Fprint(w, "<ListMultipartUploadsResult>")
		for id, u := range f.uploads {
			if strings.HasPrefix(u.key, q.Get("prefix")) {
				fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>", u.key, id, u.at.UTC().Format(time.RFC3339))
			}
		}
		fmt.Fprint(w, "</ListMultipartUploadsResult>")
	default:
		refuse(w, 405, "MethodNotAllowed")
	}
}

func (f *fake) complete(w http.ResponseWriter, r *http.Request, up *fakeUpload, id string, body []byte) {
	var in struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Part) == 0 {
		refuse(w, 400, "MalformedXML")
		return
	}
	var data []byte
	sums := md5.New()
	for i, p := range in.Part {
		o, ok := up.parts[p.PartNumber]
		if !ok || o.etag != p.ETag {
			refuse(w, 400, "InvalidPart")
			return
		}
		if i < len(in.Part)-1 && len(o.data) < minPart {
			refuse(w, 400, "EntityTooSmall")
			return
		}
		if first := up.parts[in.Part[0].PartNumber]; f.alike && (len(o.data) > len(first.data) || i < len(in.Part)-1 && len(o.data) != len(first.data)) {
			refuse(w, 400, "InvalidPart") // all non-trailing parts must have the same length
			return
		}
		data = append(data, o.data...)
		raw, _ := hex.DecodeString(strings.Trim(o.etag, `"`))
		sums.Write(raw)
	}
	o := newObject(data, up.contentType)
	o.etag = fmt.Sprintf("\"%x-%d\"", sums.Sum(nil), len(in.Part))
	o.header, o.tags = up.header, up.tags
	if sum := r.Header.Get("X-Amz-Checksum-Crc32"); up.crc && sum != o.crc && (sum != "" || len(data) > 0) { // of nothing none is told
		refuse(w, 400, "BadDigest")
		return
	}
	delete(f.uploads, id)
	f.objects[up.key] = o
	fmt.Fprintf(w, "<CompleteMultipartUploadResult><ETag>%s</ETag>", o.etag)
	if up.crc {
		fmt.Fprintf(w, "<ChecksumCRC32>%s</ChecksumCRC32>", o.crc)
	}
	fmt.Fprint(w, "</CompleteMultipartUploadResult>")
}
