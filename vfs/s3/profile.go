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
	// ifMatch: the server keeps the condition If-Match of PutObject and
	// CompleteMultipartUpload. Without it the object is looked at just before.
	ifMatch bool
	// partCopy: the server copies parts of objects (UploadPartCopy). Without it they are copied
	// through this program.
	partCopy bool
	// copySummed: it does so for an upload that was created with CRC32, too. MinIO does not.
	copySummed bool
}

var profiles = map[string]profile{
	"aws":       {crc32: true, encodeList: true, ifMatch: true, partCopy: true, copySummed: true},
	"minio":     {crc32: true, pathStyle: true, encodeList: true, ifMatch: true, partCopy: true},
	"versitygw": {crc32: true, pathStyle: true, encodeList: true, ifMatch: true, partCopy: true, copySummed: true},
	"ceph":      {pathStyle: true, encodeList: true, partCopy: true},
	"generic":   {encodeList: true, partCopy: true},
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
