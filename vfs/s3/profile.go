package s3

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// profile says in what a server differs from Amazon's. It has only what makes a difference here.
//
// What could be run (minio, versitygw, ceph) was seen; aws, r2, b2, wasabi and gcs
// are by their documentation and the reports of others, on the safe side: a flag
// that is off costs a request or some CPU, one that is wrongly on costs uploads.
type profile struct {
	// crc32: the server knows checksum headers and whole-object checksums at the end of a
	// multipart upload. Without it each request has a Content-MD5.
	crc32 bool
	// etagMD5: the ETag of an object that one request has stored without
	// encryption by KMS or customer key is the MD5 of its content.
	etagMD5 bool
	// pathStyle: the bucket stands in the path, as there is no name
	// "bucket.server".
	pathStyle bool
	// encodeList: the server can write the keys of a listing URL-encoded, so that any
	// character survives XML.
	encodeList bool
	// condPut: PutObject honours If-None-Match. Without it the object is looked for before.
	condPut bool
	// condComplete: CompleteMultipartUpload honours If-None-Match.
	condComplete bool
	// completesAny: the server answers 200, without a checksum, to the completion of an upload that was aborted, where an
	// object has the key, and of one that it is putting together, or was when it was killed.
	completesAny bool
	// partCopy: the server has UploadPartCopy.
	partCopy bool
	// partCopyChecksum: parts may be copied into an upload that has a checksum.
	partCopyChecksum bool
	// condCopyDest: a copy can be told not to replace what is there. Servers that do not know it
	// replace in silence.
	condCopyDest bool
	// condDelete: a deletion can be told which object is meant. Servers that do not know it
	// delete in silence.
	condDelete bool
	// batchDelete: many objects can be deleted with one request that has a CRC32 header.
	batchDelete bool
	// ifMatch: the server keeps the condition If-Match of PutObject and
	// CompleteMultipartUpload. Without it the object is looked at just before.
	ifMatch bool
	// uniformParts: all parts but the last have to have the same size.
	uniformParts bool
	// signEncoding: the header Accept-Encoding may be signed. A front end that changes it on the way
	// makes every signature wrong.
	signEncoding bool
	// xID: the query parameter x-id, which the SDK adds to help reading logs, may be sent.
	xID bool
	// region is the one that requests are signed for where none is configured.
	region string
	// hosts are the ends of the host names by which an endpoint is recognised.
	hosts []string
}

var profiles = map[string]profile{
	"aws": {crc32: true, ifMatch: true, etagMD5: true, encodeList: true, condPut: true, condComplete: true, partCopy: true, partCopyChecksum: true,
		condCopyDest: true, condDelete: true, batchDelete: true, signEncoding: true, xID: true, hosts: []string{".amazonaws.com", ".amazonaws.com.cn"}},
	"minio": {crc32: true, ifMatch: true, etagMD5: true, pathStyle: true, encodeList: true, condPut: true, condComplete: true, partCopy: true,
		batchDelete: true, signEncoding: true, xID: true, region: "us-east-1"},
	"versitygw": {crc32: true, ifMatch: true, etagMD5: true, pathStyle: true, encodeList: true, condPut: true, condComplete: true, completesAny: true, partCopy: true,
		partCopyChecksum: true, condDelete: true, signEncoding: true, xID: true, region: "us-east-1"},
	// Version 16, the oldest that was tried, overwrites in spite of If-None-Match at the completion.
	"ceph": {etagMD5: true, pathStyle: true, encodeList: true, condPut: true, partCopy: true, xID: true, region: "us-east-1"},
	"r2": {etagMD5: true, encodeList: true, condPut: true, partCopy: true, uniformParts: true, signEncoding: true, xID: true,
		region: "auto", hosts: []string{".r2.cloudflarestorage.com"}},
	"b2": {encodeList: true, partCopy: true, signEncoding: true, xID: true, region: "us-east-1",
		hosts: []string{".backblazeb2.com"}},
	"wasabi": {etagMD5: true, encodeList: true, partCopy: true, signEncoding: true, xID: true, region: "us-east-1",
		hosts: []string{".wasabisys.com"}},
	// Google's XML API with HMAC keys. Its own conditions are other headers.
	"gcs": {pathStyle: true, region: "auto", hosts: []string{"storage.googleapis.com"}},
	"generic": {encodeList: true, condPut: true, condComplete: true, partCopy: true, signEncoding: true, xID: true,
		region: "us-east-1"},
}

// Profiles returns the names of all profiles, sorted.
func Profiles() []string { return slices.Sorted(maps.Keys(profiles)) }

// profileOf returns the profile of that name. Without one it is that of the
// endpoint's host name: Amazon's without an endpoint, and what any server understands for a
// host that nobody knows.
func profileOf(name, endpoint string) (profile, error) {
	if name == "" {
		name = "generic"
		if endpoint == "" {
			name = "aws"
		}
		u, err := url.Parse(endpoint)
		for n, p := range profiles {
			if err == nil && slices.ContainsFunc(p.hosts, func(end string) bool {
				return strings.HasSuffix("."+strings.ToLower(u.Hostname()), "."+strings.TrimPrefix(end, "."))
			}) {
				name = n
			}
		}
	}
	p, ok := profiles[name]
	if !ok {
		return p, fmt.Errorf("s3: unknown profile %q: want one of %s", name, strings.Join(Profiles(), ", "))
	}
	if endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return p, fmt.Errorf("s3: endpoint %q: want http://host or https://host", endpoint)
		}
		if net.ParseIP(u.Hostname()) != nil {
			p.pathStyle = true
		}
	}
	return p, nil
}
