package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// TestAppendMax bounds what an append may cost: copies inside the store, which have no bound by default, and bytes that go
// through the gateway. Beyond it nothing changes.
func TestAppendMax(t *testing.T) {
	for _, c := range []struct {
		name, kind, keys string
		size, offset     int // offset -1: APPE
		want             int
	}{
		{"S3, no bound on copies", s3Kind, "profile: versitygw, append_through_max: 0B,", 12 << 20, -1, 226},
		{"S3, copies below the bound", s3Kind, "profile: versitygw, append_copy_max: 12MiB,", 12 << 20, -1, 226},
		{"S3, copies above the bound", s3Kind, "profile: versitygw, append_copy_max: 12MiB,", 12<<20 + 1, -1, 552},
		{"S3, the bound is for what is kept", s3Kind, "profile: versitygw, append_copy_max: 6MiB,", 12 << 20, 6 << 20, 226},
		{"S3, a server that copies no parts", s3Kind, "profile: gcs, append_through_max: 6MiB,", 6 << 20, -1, 226},
		{"S3, too much goes through", s3Kind, "profile: gcs, append_through_max: 6MiB,", 6<<20 + 1, -1, 552},
		{"S3, nothing goes through but less than a part", s3Kind, "profile: gcs, append_through_max: 0B,", 5<<20 - 1, -1, 226},
		{"S3, nothing goes through", s3Kind, "profile: gcs, append_through_max: 0B,", 5 << 20, -1, 552},
		{"GCS, joined inside the store", gcsKind, "append_through_max: 0B,", 9 << 20, -1, 226},
		{"GCS, in the middle, below the bound", gcsKind, "append_through_max: 1kB,", 3000, 1000, 226},
		{"GCS, in the middle, above the bound", gcsKind, "append_through_max: 1kB,", 3000, 1001, 552},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.kind)
			w.yaml = strings.Replace(w.yaml, "{", "{"+c.keys+" ", 1)
			g := newGateway(t, w)
			old := random(1, c.size)
			if err := w.store.Put(t.Context(), "f.bin", old); err != nil {
				t.Fatal(err)
			}
			conn := g.login(t, false)
			line, kept := "APPE f.bin", c.size
			if c.offset >= 0 {
				line, kept = "STOR f.bin", c.offset
			}
			if c.offset >= 0 {
				if _, err := conn.Expect(350, fmt.Sprint("REST ", c.offset)); err != nil {
					t.Fatal(err)
				}
			}
			var refused *clients.Refused
			d, err := conn.Transfer(t.Context(), line)
			if errors.As(err, &refused) {
				if refused.Code != c.want {
					t.Errorf("%s: %q, want %d", line, refused.Text, c.want)
				}
				w.wantObject(t, "f.bin", old)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d.Write([]byte("new")) // who refuses late need not take it
			d.Close()
			r, err := conn.ReadReply()
			if err != nil || r.Code != c.want {
				t.Errorf("%s: %q, %v; want %d", line, r.Text, err, c.want)
			}
			want := old
			if c.want == 226 {
				want = append(old[:kept:kept], "new"...)
			}
			w.wantObject(t, "f.bin", want)
		})
	}
}
