package object_test

import (
	"maps"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// Objects written by rclone, s3fs, gcsfuse and gsutil show their time.
func TestModTime(t *testing.T) {
	at := func(ns int) time.Time { return time.Date(2001, 2, 3, 4, 5, 6, ns, time.UTC) }
	for name, c := range map[string]struct {
		metadata map[string]string
		want     time.Time // zero: none
	}{
		"none":            {nil, time.Time{}},
		"other":           {map[string]string{"device": "7"}, time.Time{}},
		"rclone on S3":    {map[string]string{"mtime": "981173106.123456789"}, at(123456789)},
		"rclone, whole":   {map[string]string{"mtime": "981173106"}, at(0)},
		"rclone on GCS":   {map[string]string{"mtime": "2001-02-03T04:05:06.5Z"}, at(500000000)},
		"s3fs":            {map[string]string{"Mtime": "981173106", "Uid": "0", "Mode": "33188"}, at(0)},
		"gcsfuse":         {map[string]string{"gcsfuse_mtime": "2001-02-03T05:05:06+01:00"}, at(0)},
		"gsutil":          {map[string]string{"goog-reserved-file-mtime": "981173106"}, at(0)},
		"broken and good": {map[string]string{"mtime": "yesterday", "goog-reserved-file-mtime": "981173106"}, at(0)},
		"header's case":   {map[string]string{"Goog-Reserved-File-Mtime": "981173106"}, at(0)},
		"before 1970":     {map[string]string{"mtime": "-1"}, time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)},
		"too late":        {map[string]string{"mtime": "999999999999999"}, time.Time{}},
		"negative part":   {map[string]string{"mtime": "1.-5"}, time.Time{}},
		"line break":      {map[string]string{"mtime": "981173106\n"}, at(0)},
	} {
		got, ok := object.ModTime(c.metadata)
		if ok != !c.want.IsZero() || ok && !got.Equal(c.want) {
			t.Errorf("%s: %v %v, want %v", name, got, ok, c.want)
		}
	}
	for _, ns := range []int{0, 1, 500000000, 123456789} {
		text := object.FormatModTime(at(ns))
		if got, ok := object.ModTime(map[string]string{"mtime": text}); !ok || !got.Equal(at(ns)) {
			t.Errorf("%q reads as %v, want %v", text, got, at(ns))
		}
	}
	given := map[string]string{"mtime": "1", "Goog-Reserved-File-Mtime": "1", "gcsfuse_mtime": "x", "device": "7"}
	if got := object.WithoutModTime(given); !maps.Equal(got, map[string]string{"device": "7"}) || len(given) != 4 {
		t.Errorf("without the time: %v", got)
	}
}
