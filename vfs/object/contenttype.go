package object

import (
	"cmp"
	"mime"
	"path"
	"strings"
)

// contentTypes are the media types of what devices send, as far as Go does
// not know them where the system has no table of its own, as in a container.
var contentTypes = map[string]string{
	".3gp": "video/3gpp", ".7z": "application/x-7z-compressed", ".aac": "audio/aac", ".asf": "video/x-ms-asf",
	".avi": "video/x-msvideo", ".bin": "application/octet-stream", ".bmp": "image/bmp", ".bz2": "application/x-bzip2",
	".csv": "text/csv", ".dat": "application/octet-stream", ".doc": "application/msword",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".eml": "message/rfc822",
	".flac": "audio/flac", ".flv": "video/x-flv", ".gz": "application/gzip", ".h264": "video/h264", ".h265": "video/h265",
	".heic": "image/heic", ".ini": "text/plain", ".jfif": "image/jpeg", ".jpe": "image/jpeg", ".log": "text/plain",
	".m4a": "audio/mp4", ".m4v": "video/mp4", ".md": "text/markdown", ".mjpeg": "video/x-motion-jpeg", ".mkv": "video/x-matroska",
	".mov": "video/quicktime", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".mpg": "video/mpeg", ".ogg": "audio/ogg",
	".parquet": "application/vnd.apache.parquet", ".rar": "application/vnd.rar", ".rtf": "application/rtf",
	".tar": "application/x-tar", ".tgz": "application/gzip", ".tif": "image/tiff", ".tiff": "image/tiff", ".ts": "video/mp2t",
	".tsv": "text/tab-separated-values", ".txt": "text/plain", ".wav": "audio/wav", ".webm": "video/webm", ".wmv": "video/x-ms-wmv",
	".xls": "application/vnd.ms-excel", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".xz": "application/x-xz", ".yaml": "application/yaml", ".yml": "application/yaml", ".zip": "application/zip",
	".zst": "application/zstd",
}

// contentType returns the media type of a file by the end of its name, empty if nobody knows it. It is the
// same on every machine for the names in contentTypes.
func contentType(name string) string {
	ext := path.Ext(name)
	return cmp.Or(contentTypes[strings.ToLower(ext)], mime.TypeByExtension(ext))
}
