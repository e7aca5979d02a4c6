package s3

import "fmt"

// profile says in what a server differs from Amazon's. It has only what makes a difference here.
type profile struct {
	// crc32: the server knows checksum headers and whole-object checksums at the end of a
	// multipart upload. Without it each request has a Content-MD5.
	crc32 bool
	// pathStyle: the bucket stands in the path, as there is no name
	// "bucket.server".
	pathStyle bool
	// encodeList: the server can write the keys of a listing URL-encoded, so that any
	// character survives XML.
	encodeList bool
	// condCopyDest: a copy can be told not to replace what is there. Servers that do not know it
	// replace in silence.
	condCopyDest bool
	// condDelete: a deletion can be told which object is meant. Servers that do not know it
	// delete in silence.
	condDelete bool
	// batchDelete: many objects can be deleted with one request that has a CRC32 header.
	batchDelete bool
	// partCopyChecksum: parts may be copied into an upload that has a checksum.
	partCopyChecksum bool
	// ifMatch: the server keeps the condition If-Match of PutObject and
	// CompleteMultipartUpload. Without it the object is looked at just before.
	ifMatch bool
	// noPartCopy: the server copies no parts of objects. They are copied through this program.
	noPartCopy bool
}

var profiles = map[string]profile{
	"aws":       {crc32: true, encodeList: true, condCopyDest: true, condDelete: true, batchDelete: true, partCopyChecksum: true, ifMatch: true},
	"minio":     {crc32: true, pathStyle: true, encodeList: true, batchDelete: true, ifMatch: true},
	"versitygw": {crc32: true, pathStyle: true, encodeList: true, condDelete: true, partCopyChecksum: true, ifMatch: true},
	"ceph":      {pathStyle: true, encodeList: true},
	"generic":   {encodeList: true},
}

// profileOf returns the profile of that name. Without one it is Amazon's, or
// what any server understands if there is an endpoint.
func profileOf(name, endpoint string) (profile, error) {
	if name == "" {
		if name = "aws"; endpoint != "" {
			name = "generic"
		}
	}
	p, ok := profiles[name]
	if !ok {
		return p, fmt.Errorf("s3: unknown profile %q: want aws, minio, versitygw, ceph or generic", name)
	}
	return p, nil
}
