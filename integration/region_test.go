package integration

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/fault"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

var signedFor = regexp.MustCompile(`Credential=[^/]*/[^/]*/([^/]*)/s3`)

// inRegion tells the requests that are signed for a region.
func inRegion(region string, ops ...string) func(*http.Request) bool {
	of := fault.Op(ops...)
	return func(r *http.Request) bool {
		m := signedFor.FindStringSubmatch(r.Header.Get("Authorization"))
		return m != nil && m[1] == region && (len(ops) == 0 || of(r))
	}
}

// TestWrongRegion configures a region in which the bucket is not. The gateway hears of it at the start, or from the first
// upload where the store did not answer at the start: both go well, and the log tells what to write.
func TestWrongRegion(t *testing.T) {
	forms := map[string]fault.Rule{
		"301": {Status: 301, Header: http.Header{"X-Amz-Bucket-Region": {servers.S3Region}},
			Body: `<?xml version="1.0"?><Error><Code>PermanentRedirect</Code><Message>elsewhere</Message><Endpoint>bucket.s3.` + servers.S3Region + `.amazonaws.com</Endpoint></Error>`},
		// To a HEAD this has no body; Amazon's has the header then.
		"400": {Status: 400, Header: http.Header{"X-Amz-Bucket-Region": {servers.S3Region}},
			Body: `<?xml version="1.0"?><Error><Code>AuthorizationHeaderMalformed</Code><Message>elsewhere</Message><Region>` + servers.S3Region + `</Region></Error>`},
	}
	for form, rule := range forms {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, store down at the start: %v", form, late), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, s3Kind)
				w.yaml = strings.Replace(w.yaml, "region: "+servers.S3Region, "region: eu-central-1", 1)
				rule.Match = inRegion("eu-central-1")
				if late {
					w.proxy.Add(fault.Rule{Match: fault.Op("HeadBucket"), Status: 503, Body: "<Error><Code>SlowDown</Code></Error>"})
				}
				w.proxy.Add(rule)
				g := newGateway(t, w)
				c := g.login(t, false)
				for name, size := range map[string]int{"small.jpg": 1000, "large.bin": 6 << 20} {
					if r, err := c.Store(t.Context(), name, random(3, size)); err != nil || r.Code != 226 {
						t.Fatalf("STOR of %d bytes: %v, %v", size, r, err)
					}
					w.wantObject(t, name, random(3, size))
				}
				w.wantNoUploads(t)
				log := g.Log()
				if n := strings.Count(log, "the bucket is in another region"); n != 1 || !strings.Contains(log, "region: "+servers.S3Region) {
					t.Errorf("the log tells %d times where the bucket is, want once, with the line to write:\n%s", n, g.Tail(30))
				}
				if late == !strings.Contains(log, "the back end cannot be used now") {
					t.Errorf("warned of the store at the start: %v, want %v", !late, late)
				}
			})
		}
	}
}

// TestTemporaryRedirect sends single requests elsewhere (307), as Amazon does with a new bucket until its name is known
// everywhere: signed anew for that host, which versitygw checks, and with the body from its first byte.
func TestTemporaryRedirect(t *testing.T) {
	w := newWorld(t, s3Kind)
	g := newGateway(t, w)
	other, err := fault.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetTarget(w.addr)
	c := g.login(t, false)
	for op, size := range map[string]int{"PutObject": 1000, "CreateMultipartUpload": 6 << 20, "UploadPart": 12 << 20, "CompleteMultipartUpload": 6 << 20} {
		w.proxy.Clear()
		other.Clear()
		w.proxy.Add(fault.Rule{Match: fault.Op(op), Times: 1, Status: 307, Header: http.Header{"Location": {other.URL() + "/" + bucket + "/f.bin"}},
			Body: `<?xml version="1.0"?><Error><Code>TemporaryRedirect</Code></Error>`})
		if r, err := c.Store(t.Context(), "f.bin", random(5, size)); err != nil || r.Code != 226 {
			t.Errorf("%s sent elsewhere: %v, %v", op, r, err)
		}
		w.wantObject(t, "f.bin", random(5, size))
		if n := other.Count(op); n != 1 {
			t.Errorf("%s sent elsewhere: %d requests there, want 1", op, n)
		}
	}
	w.wantNoUploads(t)
}
