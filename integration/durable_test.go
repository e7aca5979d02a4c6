package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// TestReplyAfterTheStore holds back the store's answer to the request that makes
// the object visible: the 226 must not be said before it is let go.
func TestReplyAfterTheStore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind string
		size       int
		ops        []string
	}{
		{"PutObject", s3Kind, 10 << 10, []string{"PutObject"}},
		{"PutObject of nothing", s3Kind, 0, []string{"PutObject"}},
		{"CompleteMultipartUpload", s3Kind, 12 << 20, []string{"CompleteMultipartUpload"}},
		{"insert", gcsKind, 10 << 10, []string{"objects.insert"}},
		{"insert of nothing", gcsKind, 0, []string{"objects.insert"}},
		// One chunk, sent alone or as the last of a resumable upload: as the gateway likes.
		{"one chunk", gcsKind, 3 << 20, []string{"objects.insert", "resumable.last"}},
		{"last chunk", gcsKind, 20 << 20, []string{"resumable.last"}},
	} {
		t.Run(tt.kind+"/"+tt.name, func(t *testing.T) {
			w := newWorld(t, tt.kind)
			g := newGateway(t, w)
			for _, tls := range []bool{false, true} {
				t.Run(fmt.Sprintf("tls=%v", tls), func(t *testing.T) {
					gate := fault.NewGate()
					defer gate.Open()
					w.proxy.Clear()
					w.proxy.Add(fault.Rule{Match: fault.Op(tt.ops...), Hold: gate})
					body := random(7, tt.size)
					name := fmt.Sprintf("held-%v.bin", tls)

					c := g.login(t, tls)
					d, err := c.Transfer(t.Context(), "STOR "+name)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := d.Write(body); err != nil {
						t.Fatal(err)
					}
					if err := d.Close(); err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					select {
					case op := <-gate.Arrived():
						t.Logf("the reply to %s is held", op)
					case <-ctx.Done():
						t.Fatalf("no request %v came; seen: %v", tt.ops, w.proxy.Counts())
					}
					// The store has the object, the gateway cannot know it. Time can only hide a
					// mistake here, never make one up.
					c.Raw.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
					b := make([]byte, 1)
					if n, err := c.Raw.Read(b); n > 0 || !isTimeout(err) {
						t.Fatalf("the gateway said something (%d bytes, %v) while the store had not answered", n, err)
					}
					gate.Open()
					r, err := c.ReadReply()
					if err != nil || r.Code != 226 {
						t.Fatalf("after the store's answer: %q, %v; want 226", r.Text, err)
					}
					w.wantObject(t, name, body)
				})
			}
		})
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout() || os.IsTimeout(err)
}
