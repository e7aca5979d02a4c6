// Package listing is a bucket with as many objects as one likes, spoken to by the
// S3 protocol. It knows ListObjectsV2 and says "there is nothing" to everything
// else, which is enough to list. It keeps no objects: their names are counted out.
package listing

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bucket is the handler. Prefix holds Count objects named Prefix + "f00000001.jpg" and on.
type Bucket struct {
	Name   string
	Prefix string
	Count  int
	// BeforePage, when it is set, is called before page n (the first is 1) is sent; it may wait.
	BeforePage func(r *http.Request, n int)
}

type content struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
	StorageClass string
}

type prefix struct{ Prefix string }

type result struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	KeyCount              int
	MaxKeys               int
	IsTruncated           bool
	NextContinuationToken string    `xml:",omitempty"`
	Contents              []content `xml:",omitempty"`
	CommonPrefixes        []prefix  `xml:",omitempty"`
}

// key returns the name of object i, the first being 1.
func (b *Bucket) key(i int) string { return fmt.Sprintf("%sf%08d.jpg", b.Prefix, i) }

// ServeHTTP answers the requests.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodHead && path == b.Name:
		return
	case r.Method == http.MethodGet && path == b.Name && q.Has("list-type"):
		b.list(w, r)
	case r.Method == http.MethodGet && path == b.Name && q.Has("uploads"):
		write(w, http.StatusOK, struct {
			XMLName     xml.Name `xml:"ListMultipartUploadsResult"`
			Bucket      string
			IsTruncated bool
		}{Bucket: b.Name})
	case r.Method == http.MethodGet && path == b.Name && q.Has("location"):
		write(w, http.StatusOK, struct {
			XMLName xml.Name `xml:"LocationConstraint"`
		}{})
	default:
		write(w, http.StatusNotFound, struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
			Message string
		}{Code: "NoSuchKey", Message: "there is nothing"})
	}
}

func (b *Bucket) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := strconv.Atoi(q.Get("max-keys"))
	if err != nil || limit > 1000 {
		limit = 1000
	}
	res := result{Name: b.Name, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), MaxKeys: limit}
	switch {
	case limit == 0:
	case res.Prefix != b.Prefix && strings.HasPrefix(b.Prefix, res.Prefix) && res.Delimiter == "/":
		// Above the directory: it is one common prefix, cut at the next slash.
		rest := strings.TrimPrefix(b.Prefix, res.Prefix)
		first, _, _ := strings.Cut(rest, "/")
		res.CommonPrefixes = []prefix{{res.Prefix + first + "/"}}
		res.KeyCount = 1
	case strings.HasPrefix(b.Prefix, res.Prefix):
		next := 1
		if t := q.Get("continuation-token"); t != "" {
			if next, err = strconv.Atoi(t); err != nil {
				http.Error(w, "bad token", http.StatusBadRequest)
				return
			}
		}
		if b.BeforePage != nil && limit > 2 { // no page of a listing: somebody asks whether there is anything
			b.BeforePage(r, (next-1)/limit+1)
		}
		for ; next <= b.Count && len(res.Contents) < limit; next++ {
			res.Contents = append(res.Contents, content{b.key(next), time.Unix(1_700_000_000+int64(next), 0).UTC().Format("2006-01-02T15:04:05.000Z"),
				`"d41d8cd98f00b204e9800998ecf8427e"`, next, "STANDARD"})
		}
		res.KeyCount = len(res.Contents)
		if next <= b.Count {
			res.IsTruncated, res.NextContinuationToken = true, strconv.Itoa(next)
		}
	}
	write(w, http.StatusOK, res)
}

func write(w http.ResponseWriter, code int, v any) {
	b, err := xml.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(code)
	fmt.Fprintf(w, "%s%s", xml.Header, b)
}
