package protocol

import (
	"io/fs"
	"os"
	"testing"
	"time"
)

// entry is a directory entry with a time, or none.
type entry struct{ mtime time.Time }

func (e entry) Name() string       { return "d" }
func (e entry) Size() int64        { return 0 }
func (e entry) Mode() os.FileMode  { return fs.ModeDir | 0o755 }
func (e entry) ModTime() time.Time { return e.mtime }
func (e entry) IsDir() bool        { return true }
func (e entry) Sys() any           { return nil }

// What has no time is listed with that of the server's start, the same in each
// session: clients that mirror would otherwise see changes.
func TestLongFormatTime(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	srv := &Server{}
	srv.init()
	if since := time.Since(srv.start); since < 0 || since > time.Hour {
		t.Errorf("the server's start is %v", srv.start)
	}
	srv.start = start
	for _, tt := range []struct {
		mtime, now time.Time
		want       string
	}{
		{time.Time{}, start.Add(time.Minute), "drwxr-xr-x   1 ftp      ftp                 0 Mar  4 05:06 d"},
		{time.Time{}, start.AddDate(1, 0, 0), "drwxr-xr-x   1 ftp      ftp                 0 Mar  4  2026 d"},
		{start.AddDate(0, 0, -1), start, "drwxr-xr-x   1 ftp      ftp                 0 Mar  3 05:06 d"},
	} {
		write := (&session{srv: srv}).longFormat(tt.now, nil)
		if got := string(write(nil, listed{path: "/d", name: "d", fi: entry{tt.mtime}})); got != tt.want {
			t.Errorf("a time of %v is listed at %v as\n%q, want\n%q", tt.mtime, tt.now, got, tt.want)
		}
	}
}
