package s3

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// copy does what has a source: a copy, a part that is one, and the renaming of directory buckets.
func (f *fake) copy(w http.ResponseWriter, r *http.Request, op, key string, up *fakeUpload) {
	h := r.Header
	match, absent := h.Get("X-Amz-Copy-Source-If-Match"), h.Get("If-None-Match")
	from := h.Get("X-Amz-Copy-Source")
	if op == "rename" {
		from, match = h.Get("X-Amz-Rename-Source"), h.Get("X-Amz-Rename-Source-If-Match")
	}
	src, err := url.QueryUnescape(from)
	src = strings.TrimPrefix(src[strings.IndexByte(src, '/')+1:], "/")
	o, ok := f.objects[src]
	_, taken := f.objects[key]
	switch {
	case err != nil || !ok:
		refuse(w, 404, "NoSuchKey")
		return
	case match != "" && match != o.etag, absent == "*" && taken && f.condCopy:
		refuse(w, 412, "PreconditionFailed")
		return
	case op == "copy" && f.maxCopy > 0 && len(o.data) > f.maxCopy:
		refuse(w, 400, "InvalidRequest")
		return
	}
	if op == "part copy" {
		var first, last int
		if n, _ := fmt.Sscanf(h.Get("X-Amz-Copy-Source-Range"), "bytes=%d-%d", &first, &last); n != 2 || last >= len(o.data) {
			refuse(w, 400, "InvalidArgument")
			return
		}
		if f.minio && up.crc {
			refuse(w, 400, "InvalidRequest")
			return
		}
		n, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
		part := newObject(o.data[first:last+1], "")
		up.parts[n] = part
		fmt.Fprintf(w, "<CopyPartResult><ETag>%s</ETag><ChecksumCRC32>%s</ChecksumCRC32></CopyPartResult>", part.etag, part.crc)
		return
	}
	if op == "rename" {
		delete(f.objects, src)
	} else {
		// As Amazon's: metadata and tags stay, class and encryption are what the request says.
		header := http.Header{}
		for k, v := range o.header {
			if !strings.HasPrefix(k, "X-Amz-Server-Side-Encryption") && k != "X-Amz-Storage-Class" {
				header[k] = v
			}
		}
		for k, v := range kept(h) {
			header[k] = v
		}
		o.header, o.acl = header, ""
	}
	o.at = time.Now()
	f.objects[key] = o
	fmt.Fprintf(w, "<CopyObjectResult><ETag>%s</ETag></CopyObjectResult>", o.etag)
}

func (f *fake) deleteObjects(w http.ResponseWriter, body []byte) {
	var in struct {
		Object []struct{ Key, ETag string }
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		refuse(w, 400, "MalformedXML")
		return
	}
	fmt.Fprint(w, "<DeleteResult>")
	for _, o := range in.Object {
		if have, ok := f.objects[o.Key]; ok && o.ETag != "" && o.ETag != have.etag {
			fmt.Fprint(w, "<Error><Key>")
			xml.EscapeText(w, []byte(o.Key))
			fmt.Fprint(w, "</Key><Code>PreconditionFailed</Code></Error>")
			continue
		}
		delete(f.objects, o.Key)
	}
	fmt.Fprint(w, "</DeleteResult>")
}
