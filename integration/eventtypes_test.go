package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
)

// TestEveryTypeOfEvent has a session do everything that there is an event for, before a receiver that does not answer: the
// session is done before the first event is taken. Then each has come, signed, and what was refused comes again under the same
// id. The event of an upload has all that there is to say.
func TestEveryTypeOfEvent(t *testing.T) {
	const secret = "a secret of sixteen or more"
	verify, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	open := make(chan struct{})
	var mu sync.Mutex
	got := map[string]map[string]any{} // the last event of each type
	refused := map[string]bool{}
	again := 0
	sizes := map[any]any{} // of a file that is appended to, and how much came with each upload
	hooks := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		select {
		case <-open:
		case <-r.Context().Done():
			return
		}
		var e struct {
			ID   string
			Data map[string]any
		}
		if err == nil {
			err = verify.Verify(body, r.Header)
		}
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			t.Errorf("%s: %v", body, err)
		case e.ID != r.Header.Get("Webhook-Id"):
			t.Errorf("the id is %q in the header and %q in the event", r.Header.Get("Webhook-Id"), e.ID)
		case e.Data["type"] == "received" && !refused[e.ID]:
			refused[e.ID] = true
			rw.WriteHeader(http.StatusInternalServerError)
			return
		case refused[e.ID]:
			again++
		}
		kind, _ := e.Data["type"].(string)
		if e.Data["path"] == "/dir/longer.bin" {
			if kind == "received" {
				sizes[e.Data["size"]] = e.Data["bytes"]
			}
			return
		}
		got[kind] = e.Data
	}))
	defer hooks.Close()
	w := newWorld(t, s3Kind)
	raw := w.store.(*store.S3)
	if _, err := raw.Client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &raw.Bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Put(t.Context(), "big.bin", random(1, 16<<20)); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, w, append(calm, fmt.Sprintf("events: {outbox: %q, webhooks: [{name: intake, url: %q, secret: %q, timeout: 2m, parallel: 2}]}",
		filepath.Join(w.dir, "events.db"), hooks.URL, secret))...)

	bad := g.target
	bad.Password = "wrong"
	if c, err := clients.Login(t.Context(), bad); err == nil {
		c.Close()
		t.Fatal("a wrong password was accepted")
	}
	c := g.login(t, true)
	say(t, c, "MKD dir", 257)
	say(t, c, "TYPE I", 200)
	if r, err := c.Store(t.Context(), "dir/whole.bin", []byte("0123456789")); err != nil || r.Code != 226 {
		t.Fatal(r, err)
	}
	for range 2 { // ten bytes more, and again
		d, err := c.Transfer(t.Context(), "APPE dir/longer.bin")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write([]byte("0123456789")); err != nil {
			t.Fatal(err)
		}
		d.Close()
		if err := wantReplies(c, 226); err != nil {
			t.Fatal(err)
		}
	}
	say(t, c, "DELE dir/longer.bin", 250)
	if _, err := c.Retrieve(t.Context(), "dir/whole.bin"); err != nil {
		t.Fatal(err)
	}
	d, err := c.Transfer(t.Context(), "STOR dir/half.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	d.Reset()
	refusedReply(t, c, 426, 451)
	if d, err = c.Transfer(t.Context(), "RETR big.bin"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(d, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	d.Reset()
	refusedReply(t, c, 426, 451)
	say(t, c, "SITE CPFR dir/whole.bin", 350)
	say(t, c, "SITE CPTO dir/copy.bin", 250)
	say(t, c, "RNFR dir/whole.bin", 350)
	say(t, c, "RNTO dir/new.bin", 250)
	say(t, c, "DELE dir/new.bin", 250)
	say(t, c, "DELE dir/copy.bin", 250)
	say(t, c, "RMD dir", 250)
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	if len(got) > 0 {
		t.Errorf("%d events were taken by a receiver that had not answered", len(got))
	}
	mu.Unlock()
	close(open)

	want := strings.Fields("connect disconnect login login_failed logout received incomplete_received sent incomplete_sent " +
		"deleted renamed copied directory_made directory_removed")
	eventually(t, "an event of each type", func(context.Context) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		var missing []string
		for _, kind := range want {
			if got[kind] == nil {
				missing = append(missing, kind)
			}
		}
		return len(missing) == 0 && sizes[10.0] == 10.0 && sizes[20.0] == 10.0, fmt.Errorf("missing: %q; sizes with their bytes: %v", missing, sizes)
	})
	mu.Lock()
	defer mu.Unlock()
	for kind := range got {
		if !slices.Contains(want, kind) {
			t.Errorf("an event of the type %q", kind)
		}
	}
	if again == 0 {
		t.Error("the event that was refused has not come again")
	}
	up := got["received"]
	for key, value := range map[string]any{"user": user, "remote": "127.0.0.1", "path": "/dir/whole.bin", "command": "STOR", "bytes": 10.0, "size": 10.0, "result": "done",
		"backend": "store", "bucket": bucket, "key": "dir/whole.bin", "tls": true, "data_tls": true} {
		if up[key] != value {
			t.Errorf("received: %s is %v, want %v", key, up[key], value)
		}
	}
	for _, key := range []string{"id", "time", "session", "port", "seconds", "checksum", "version"} {
		if up[key] == nil || up[key] == "" {
			t.Errorf("received has no %s", key)
		}
	}
	if e := got["incomplete_received"]; e["path"] != "/dir/half.bin" || e["result"] != "cut" {
		t.Errorf("incomplete_received: %v", e)
	}
	if e := got["incomplete_sent"]; e["path"] != "/big.bin" || e["result"] != "cut" {
		t.Errorf("incomplete_sent: %v", e)
	}
	if e := got["renamed"]; e["path"] != "/dir/whole.bin" || e["to"] != "/dir/new.bin" {
		t.Errorf("renamed: %v", e)
	}
	if e := got["login_failed"]; e["reason"] != "denied" || e["user"] != user {
		t.Errorf("login_failed: %v", e)
	}
}
