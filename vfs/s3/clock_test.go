package s3

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// The clock is off by 20 minutes: it works, and there is one warning. (Our own
// fake refuses as servers do whose limit is a quarter of an hour.)
func TestClockOff(t *testing.T) {
	for _, off := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
		f := newFake(t)
		refused := 0
		f.setBefore(func(op string, _ int, w http.ResponseWriter, r *http.Request) bool {
			now := time.Now().Add(off)
			w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
			sent, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
			if err != nil {
				t.Errorf("X-Amz-Date %q", r.Header.Get("X-Amz-Date"))
			}
			if now.Sub(sent).Abs() > 15*time.Minute {
				refused++
				refuse(w, 403, "RequestTimeTooSkewed")
				return true
			}
			return false
		})
		var log bytes.Buffer
		s, _ := f.open(func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		for _, size := range []int{100, 2*minPart + 1, 5} {
			if err := put(s, t.Context(), "f", random(size), object.PutOptions{}); err != nil {
				t.Errorf("off by %v, %d bytes: %v", off, size, err)
			}
			f.holds("f", random(size))
		}
		if refused == 0 {
			t.Error("nothing was refused")
		}
		if n := strings.Count(log.String(), "clock"); n != 1 {
			t.Errorf("off by %v: %d warnings, want one:\n%s", off, n, log.String())
		}
	}
}
