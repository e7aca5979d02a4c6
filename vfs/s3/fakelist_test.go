package s3

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// listParts gives the parts in pages of two.
func (f *fake) listParts(w http.ResponseWriter, q url.Values, up *fakeUpload) {
	after, _ := strconv.Atoi(q.Get("part-number-marker"))
	fmt.Fprint(w, "<ListPartsResult>")
	count, last, more := 0, 0, false
	for _, n := range slices.Sorted(maps.Keys(up.parts)) {
		if n <= after {
			continue
		}
		if more = count == 2; more {
			break
		}
		p := up.parts[n]
		fmt.Fprintf(w, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><Size>%d</Size>", n, p.etag, len(p.data))
		if up.crc {
			fmt.Fprintf(w, "<ChecksumCRC32>%s</ChecksumCRC32>", p.crc)
		}
		fmt.Fprint(w, "</Part>")
		count, last = count+1, n
	}
	fmt.Fprintf(w, "<IsTruncated>%v</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker></ListPartsResult>", more, last)
}

func (f *fake) list(w http.ResponseWriter, q url.Values) {
	after, _ := hex.DecodeString(q.Get("continuation-token"))
	prefix, token := q.Get("prefix"), string(after)
	most, _ := strconv.Atoi(q.Get("max-keys"))
	keys := make([]string, 0, len(f.objects))
	for k := range f.objects {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if strings.HasSuffix(f.bucket, directoryBucket) {
		slices.Reverse(keys) // such buckets sort nothing; of one page
	}
	enc := func(s string) string {
		if q.Get("encoding-type") == "url" {
			return url.QueryEscape(s)
		}
		var b bytes.Buffer
		xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	var out strings.Builder
	n, last := 0, ""
	truncated := false
	for _, k := range keys {
		name := k
		if i := strings.IndexByte(k[len(prefix):], '/'); i >= 0 && q.Get("delimiter") == "/" {
			name = k[:len(prefix)+i+1]
		}
		if name <= token || name == last {
			continue
		}
		if n == most {
			truncated = true
			break
		}
		n++
		last = name
		if q.Get("delimiter") == "/" && (name != k || strings.HasSuffix(name, "/") && name != prefix) {
			fmt.Fprintf(&out, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", enc(name))
			continue
		}
		o := f.objects[k]
		fmt.Fprintf(&out, "<Contents><Key>%s</Key><Size>%d</Size><LastModified>%s</LastModified><ETag>%s</ETag><StorageClass>%s</StorageClass></Contents>",
			enc(k), len(o.data), o.at.UTC().Format("2006-01-02T15:04:05.000Z"), strings.ReplaceAll(o.etag, `"`, "&quot;"), o.header.Get("X-Amz-Storage-Class"))
	}
	fmt.Fprint(w, "<ListBucketResult>")
	if q.Get("encoding-type") == "url" {
		fmt.Fprint(w, "<EncodingType>url</EncodingType>")
	}
	fmt.Fprintf(w, "<IsTruncated>%v</IsTruncated>%s", truncated, out.String())
	if truncated {
		// A token is no key, and no encoding is applied to it.
		fmt.Fprintf(w, "<NextContinuationToken>%s</NextContinuationToken>", hex.EncodeToString([]byte(last)))
	}
	fmt.Fprint(w, "</ListBucketResult>")
}
