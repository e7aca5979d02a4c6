package integration

import (
	"strings"
	"testing"
)

// TestBucketRefusals asks for what a bucket cannot do (yet), and looks whether
// anything changed.
func TestBucketRefusals(t *testing.T) {
	for _, kind := range []string{s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			w.yaml = strings.Replace(w.yaml, "{", "{strict_names: true, ", 1)
			g := newGateway(t, w)
			old := []byte("the older object")
			for _, key := range []string{"f.txt", "dir/below.txt"} {
				if err := w.store.Put(t.Context(), key, old); err != nil {
					t.Fatal(err)
				}
			}
			c := g.login(t, false)
			refuse := func(code int, lines ...string) {
				t.Helper()
				if _, err := c.Expect(229, "EPSV"); err != nil {
					t.Fatal(err)
				}
				for i, line := range lines {
					want := code
					if i < len(lines)-1 {
						want = 350
					}
					if _, err := c.Expect(want, line); err != nil {
						t.Error(err)
					}
				}
			}
			refuse(554, "REST 99", "STOR f.txt")
			refuse(550, "REST 4", "STOR absent.txt")
			refuse(553, "APPE dir")
			refuse(553, "STOR dir")
			refuse(553, "STOR f.txt/below")
			refuse(550, "MKD f.txt")
			refuse(550, "MKD dir")
			refuse(550, "RMD dir")
			refuse(550, "DELE dir")
			if kind != gcsKind { // there a time is metadata, and can be changed
				refuse(550, "MFMT 20200101000000 f.txt")
			}
			refuse(553, "RNFR f.txt", "RNTO dir")
			w.wantObject(t, "f.txt", old)
			w.wantObject(t, "dir/below.txt", old)
			if got := w.files(t, ""); len(got) != 2 {
				t.Errorf("files: %q, want only the two older ones", got)
			}
		})
	}
}
