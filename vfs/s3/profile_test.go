package s3

import (
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// recorder sees the requests as they leave, and takes them to the fake whatever host they are for.
type recorder struct {
	next http.RoundTripper
	f    *fake

	mu   sync.Mutex
	sent []*http.Request
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.sent = append(r.sent, q.Clone(q.Context()))
	r.mu.Unlock()
	if Operation(q) == "AssumeRole" {
		return r.next.RoundTrip(q)
	}
	u, err := url.Parse(r.f.URL)
	if err != nil {
		return nil, err
	}
	out := q.Clone(q.Context())
	if !strings.HasPrefix(out.URL.Path, "/"+fakeBucket) {
		out.URL.Path = "/" + fakeBucket + out.URL.Path
		out.URL.RawPath = ""
	}
	out.URL.Scheme, out.URL.Host = "http", u.Host
	return r.next.RoundTrip(out)
}

// of returns the requests of an operation of the SDK.
func (r *recorder) of(op string) []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.sent), func(q *http.Request) bool { return Operation(q) != op })
}

// record opens a Store whose requests are recorded.
func (f *fake) record(change func(*Options)) (*Store, *recorder) {
	r := &recorder{f: f}
	s, _ := f.open(func(o *Options) {
		o.RoundTripper = func(next http.RoundTripper) http.RoundTripper { r.next = next; return r }
		change(o)
	})
	return s, r
}

// Each preset against its flag set: what is written here comes from what is
// known of the service, and what goes over the wire has to follow from it.
func TestProfiles(t *testing.T) {
	type flags struct {
		crc32, etagMD5, pathStyle, encodeList, condPut, condComplete, completesAny, partCopy, partCopyChecksum, uniformParts, signEncoding, xID, condCopyDest, condDelete, batchDelete, ifMatch bool
		endpoint, region                                                                                                                                                                        string // the host by which it is recognised
	}
	want := map[string]flags{
		"aws": {crc32: true, ifMatch: true, etagMD5: true, encodeList: true, condPut: true, condComplete: true, partCopy: true, partCopyChecksum: true,
			signEncoding: true, xID: true, condCopyDest: true, condDelete: true, batchDelete: true, endpoint: "https://s3.eu-west-3.amazonaws.com", region: "us-east-1"},
		"minio": {crc32: true, ifMatch: true, etagMD5: true, pathStyle: true, encodeList: true, condPut: true, condComplete: true, partCopy: true,
			batchDelete: true, signEncoding: true, xID: true, region: "us-east-1"},
		"versitygw": {crc32: true, ifMatch: true, etagMD5: true, pathStyle: true, encodeList: true, condPut: true, condComplete: true, completesAny: true, partCopy: true, partCopyChecksum: true,
			condDelete: true, signEncoding: true, xID: true, region: "us-east-1"},
		"ceph": {etagMD5: true, pathStyle: true, encodeList: true, condPut: true, partCopy: true, xID: true, region: "us-east-1"},
		"r2": {etagMD5: true, encodeList: true, condPut: true, partCopy: true, uniformParts: true, signEncoding: true, xID: true,
			endpoint: "https://0123456789abcdef.r2.cloudflarestorage.com", region: "auto"},
		"b2": {encodeList: true, partCopy: true, signEncoding: true, xID: true, endpoint: "https://s3.us-west-004.backblazeb2.com", region: "us-east-1"},
		"wasabi": {etagMD5: true, encodeList: true, partCopy: true, signEncoding: true, xID: true,
			endpoint: "https://s3.eu-central-1.wasabisys.com", region: "us-east-1"},
		"gcs":     {pathStyle: true, endpoint: "https://storage.googleapis.com", region: "auto"},
		"generic": {encodeList: true, condPut: true, condComplete: true, partCopy: true, signEncoding: true, xID: true, endpoint: "https://s3.example.com", region: "us-east-1"},
	}
	for _, name := range Profiles() {
		t.Run(name, func(t *testing.T) {
			w, ok := want[name]
			if !ok {
				t.Fatal("nobody knows what this profile should be")
			}
			if w.endpoint != "" {
				if p, err := profileOf("", w.endpoint); err != nil || !reflect.DeepEqual(p, profiles[name]) {
					t.Errorf("%s is not recognised by its host", w.endpoint)
				}
			}
			f := newFake(t)
			s, r := f.record(func(o *Options) { o.Profile, o.Endpoint = name, "http://s3.test" })
			for _, size := range []int{10, 2*uniform + 1} {
				if err := put(s, t.Context(), "a b", random(size), object.PutOptions{IfAbsent: true}); err != nil {
					t.Fatal(err)
				}
				f.mu.Lock()
				delete(f.objects, "a b")
				f.mu.Unlock()
			}
			if _, err := s.List(t.Context(), "", "", 10); err != nil {
				t.Fatal(err)
			}
			one := func(op string) *http.Request {
				t.Helper()
				q := r.of(op)
				if len(q) == 0 {
					t.Fatalf("no %s", op)
				}
				return q[0]
			}
			puts, complete, list := one("PutObject"), one("CompleteMultipartUpload"), one("ListObjectsV2")
			scope := regexp.MustCompile(`Credential=[^/]*/[^/]*/([^/]*)/s3`).FindStringSubmatch(puts.Header.Get("Authorization"))
			if scope == nil {
				t.Fatalf("not signed: %q", puts.Header.Get("Authorization"))
			}
			z := s.profile.sizes(s.o) // as they are outside the tests
			first, size := z.whole(), z.at
			got := flags{
				crc32:            puts.Header.Get("X-Amz-Checksum-Crc32") != "" && complete.Header.Get("X-Amz-Checksum-Crc32") != "",
				pathStyle:        puts.URL.Host == "s3.test",
				encodeList:       list.URL.Query().Get("encoding-type") == "url",
				condPut:          puts.Header.Get("If-None-Match") == "*",
				condComplete:     complete.Header.Get("If-None-Match") == "*",
				uniformParts:     size(0) == first && size(100<<30) == first,
				signEncoding:     strings.Contains(puts.Header.Get("Authorization"), "accept-encoding"),
				xID:              puts.URL.Query().Has("x-id"),
				region:           scope[1],
				endpoint:         w.endpoint,
				etagMD5:          s.profile.etagMD5,
				completesAny:     s.profile.completesAny,
				partCopy:         s.profile.partCopy,
				partCopyChecksum: s.profile.partCopyChecksum,
				condCopyDest:     s.profile.condCopyDest,
				condDelete:       s.profile.condDelete,
				batchDelete:      s.profile.batchDelete,
				ifMatch:          s.profile.ifMatch,
			}
			if got != w {
				t.Errorf("got  %+v\nwant %+v", got, w)
			}
			if (puts.Header.Get("Content-Md5") != "") == w.crc32 {
				t.Errorf("Content-MD5 %q with checksum %v", puts.Header.Get("Content-Md5"), w.crc32)
			}
			if puts.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("Accept-Encoding %q was not sent", puts.Header.Get("Accept-Encoding"))
			}
			// Without the condition the object is looked for before.
			heads := 0
			for _, known := range []bool{w.condPut, w.condComplete} {
				if !known {
					heads++
				}
			}
			if n := len(r.of("HeadObject")); n != heads {
				t.Errorf("%d times HeadObject, want %d", n, heads)
			}
			if err := put(s, t.Context(), "a b", random(9), object.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := put(s, t.Context(), "a b", random(10), object.PutOptions{IfAbsent: true}); !isExist(err) {
				t.Errorf("a second one: %v, want fs.ErrExist", err)
			}
			f.holds("a b", random(9))
		})
	}
}

// The parts of an R2 upload have one size but for the last.
func TestUniformParts(t *testing.T) {
	f := newFake(t)
	f.alike = true
	s, _ := f.open(func(o *Options) { o.Profile = "r2"; o.PathStyle = true })
	data := random(2*uniform + 12345)
	if err := put(s, t.Context(), "f", data, object.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	f.holds("f", data)
	sizes := map[int]int{}
	for _, b := range f.bodies["part"] {
		sizes[len(b)]++
	}
	if sizes[uniform] != 2 || sizes[12345] != 1 || len(sizes) != 2 {
		t.Errorf("parts by size: %v", sizes)
	}
}

// Parts that are sent are whole blocks of the budget, so those that have to be as long are, too.
func TestUniformPartsAreWholeBlocks(t *testing.T) {
	for budget, part := range map[int64]int64{60_000_000: 64 << 20, 1 << 30: 6_000_000, 256 << 20: 64 << 20, 1 << 20: 64 << 20} {
		z := profiles["r2"].sizes(Options{MaxPartSize: part, Budget: object.NewBudget(budget)})
		if z.uniform%(64<<10) != 0 || z.uniform < leastPart || z.uniform > uniformPart {
			t.Errorf("budget %d, parts up to %d: %d bytes", budget, part, z.uniform)
		}
	}
}
