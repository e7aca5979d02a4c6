package fault

import (
	"net/http"
	"strings"
)

// Operation names a request to an object store: for S3 as its API reference does
// (PutObject, UploadPart, ListObjectsV2, …), for GCS by resource and method:
//
//	objects.insert     an upload in one request
//	resumable.start    the beginning of an upload in several requests
//	resumable.chunk    a chunk that is not the last
//	resumable.last     the chunk that ends the object, or the request that only tells its size
//	resumable.cancel   the upload is given up
//	objects.get, objects.media, objects.list, objects.delete, objects.patch,
//	objects.rewrite, objects.copy, objects.move, objects.compose
//
// What it does not know is "other".
func Operation(r *http.Request) string {
	p := r.URL.Path
	switch {
	case strings.HasPrefix(p, "/upload/storage/v1/"), strings.HasPrefix(p, "/upload/resumable/"):
		return gcsUpload(r)
	case strings.HasPrefix(p, "/storage/v1/b"), strings.HasPrefix(p, "/download/storage/v1/b"):
		return gcsJSON(r)
	case r.Header.Get("Authorization") == "" && r.Header.Get("X-Amz-Date") == "" && !r.URL.Query().Has("X-Amz-Signature"):
		// GCS reads objects by their plain path.
		switch r.Method {
		case http.MethodGet:
			return "objects.media"
		case http.MethodHead:
			return "objects.get"
		}
		return "other"
	}
	return s3(r)
}

func s3(r *http.Request) string {
	q := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch r.Method {
	case http.MethodPut:
		copies := r.Header.Get("X-Amz-Copy-Source") != ""
		switch {
		case q.Has("uploadId") && copies:
			return "UploadPartCopy"
		case q.Has("uploadId"):
			return "UploadPart"
		case key == "":
			return "CreateBucket"
		case copies:
			return "CopyObject"
		}
		return "PutObject"
	case http.MethodPost:
		switch {
		case q.Has("uploads"):
			return "CreateMultipartUpload"
		case q.Has("uploadId"):
			return "CompleteMultipartUpload"
		case q.Has("delete"):
			return "DeleteObjects"
		}
	case http.MethodDelete:
		switch {
		case q.Has("uploadId"):
			return "AbortMultipartUpload"
		case key != "":
			return "DeleteObject"
		}
	case http.MethodHead:
		if key == "" {
			return "HeadBucket"
		}
		return "HeadObject"
	case http.MethodGet:
		switch {
		case q.Has("uploadId"):
			return "ListParts"
		case q.Has("uploads"):
			return "ListMultipartUploads"
		case q.Has("list-type"):
			return "ListObjectsV2"
		case key != "":
			return "GetObject"
		}
	}
	return "other"
}

func gcsUpload(r *http.Request) string {
	switch {
	case r.Method == http.MethodDelete:
		return "resumable.cancel"
	case r.Method == http.MethodPost && r.URL.Query().Get("uploadType") == "resumable" && !r.URL.Query().Has("upload_id"):
		return "resumable.start"
	case r.Method == http.MethodPost && !r.URL.Query().Has("upload_id") && !strings.HasPrefix(r.URL.Path, "/upload/resumable/"):
		return "objects.insert"
	case strings.HasSuffix(r.Header.Get("Content-Range"), "/*"):
		return "resumable.chunk"
	}
	return "resumable.last"
}

func gcsJSON(r *http.Request) string {
	// The key is one escaped segment, so the escaped path has to be cut up.
	p := strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/download"), "/storage/v1/b/")
	seg := strings.Split(p, "/")
	if len(seg) < 2 || seg[1] != "o" {
		return "other"
	}
	if len(seg) == 2 || seg[2] == "" {
		return "objects.list"
	}
	if len(seg) > 3 {
		switch verb := seg[3]; verb {
		case "rewriteTo":
			return "objects.rewrite"
		case "copyTo":
			return "objects.copy"
		case "moveTo":
			return "objects.move"
		case "compose":
			return "objects.compose"
		}
	}
	switch r.Method {
	case http.MethodGet:
		if r.URL.Query().Get("alt") == "media" {
			return "objects.media"
		}
		return "objects.get"
	case http.MethodDelete:
		return "objects.delete"
	case http.MethodPatch, http.MethodPut:
		return "objects.patch"
	}
	return "other"
}
