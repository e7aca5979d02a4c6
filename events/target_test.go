package events

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func upload() Event {
	n, s := int64(5), 0.25
	return Event{ID: "id-1", Type: Received, Time: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Session: 3, Remote: "192.0.2.7", Port: 4711,
		User: "cam7", Path: "/a b/$(x) ; rm.jpg", Command: "STOR", Bytes: &n, Seconds: &s, Result: "done",
		Backend: "cams", Bucket: "pictures", Key: "site/a b/$(x) ; rm.jpg", Version: "v1", Checksum: "crc32:0badcafe"}
}

func TestWebhookIsASignedCloudEvent(t *testing.T) {
	secret := []byte("a secret of the receiver")
	status := http.StatusNoContent
	var body []byte
	var head http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		head = r.Header
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		io.WriteString(w, "why")
	}))
	defer srv.Close()
	w, err := NewWebhook(srv.URL, "/ftp-gateway/test", secret, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Deliver(t.Context(), upload()); err != nil {
		t.Fatal(err)
	}
	check, err := standardwebhooks.NewWebhookRaw(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Verify(body, head); err != nil {
		t.Errorf("signature: %v", err)
	}
	if err := check.Verify(append(body, ' '), head); err == nil {
		t.Error("the signature fits another body too")
	}
	var c cloudevents.Event
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.SpecVersion() != "1.0" || c.Type() != "io.github.ftp-gateway.received" || c.ID() != "id-1" || c.Source() != "/ftp-gateway/test" ||
		c.Subject() != "/a b/$(x) ; rm.jpg" || !c.Time().Equal(upload().Time) {
		t.Errorf("attributes: %v", c)
	}
	var data Event
	if err := c.DataAs(&data); err != nil || data.Key != upload().Key || *data.Bytes != 5 || data.Checksum != "crc32:0badcafe" {
		t.Errorf("data: %+v, %v", data, err)
	}
	for _, tt := range []struct {
		status int
		final  bool
	}{{500, false}, {302, false}, {404, false}, {429, false}, {410, true}} {
		status = tt.status
		err := w.Deliver(t.Context(), upload())
		if err == nil || errors.As(err, new(*Refusal)) != tt.final {
			t.Errorf("status %d: %v (final: want %v)", tt.status, err, tt.final)
		}
	}
}

// A secret as the libraries of Standard Webhooks make them is read as they read it.
func TestWebhookSecretOfStandardWebhooks(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	receiver, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = receiver.Verify(body, r.Header)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	w, err := NewWebhook(srv.URL, "/ftp-gateway/test", []byte(secret), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Deliver(t.Context(), upload()); err != nil {
		t.Error(err)
	}
	if _, err := NewWebhook(srv.URL, "/ftp-gateway/test", []byte("whsec_no base64"), 0, nil); err == nil {
		t.Error("a secret that cannot be read is taken")
	}
}

// What a receiver's URL holds is not told by the error of a receiver that is away.
func TestWebhookURLIsNotTold(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	w, err := NewWebhook(srv.URL+"/s3cret?token=s3cret", "/ftp-gateway/test", nil, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Deliver(t.Context(), upload()); err == nil || strings.Contains(err.Error(), "s3cret") || errors.As(err, new(*Refusal)) {
		t.Errorf("a receiver that is away: %v", err)
	}
}

func TestCommandGetsValuesAndNoShell(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	script := filepath.Join(dir, "on upload")
	text := "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" \"$FTP_PATH\" \"$FTP_BYTES\" \"$SECRET\" \"$FTP_EVENT\" > '" + out + "'\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := NewCommand([]string{script, "--", "{path}", "{bucket}/{key}", "{unknown}"}, append(os.Environ(), "SECRET=x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	e := upload()
	e.User = "{path}" // what a client chose is not filled in again
	if err := c.Deliver(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(got), "\n"), "\n")
	want := []string{"4", "--", "/a b/$(x) ; rm.jpg", "pictures/site/a b/$(x) ; rm.jpg", "{unknown}", "/a b/$(x) ; rm.jpg", "5", ""}
	for i, w := range want {
		if i >= len(lines) || lines[i] != w {
			t.Fatalf("line %d: got %q, want %q", i, lines, want)
		}
	}
	var back Event
	if err := json.Unmarshal([]byte(lines[len(want)]), &back); err != nil || back.User != "{path}" {
		t.Errorf("FTP_EVENT: %v, %+v", err, back)
	}
}

func TestCommandThatFails(t *testing.T) {
	c, err := NewCommand([]string{"sh", "-c", "echo no such thing >&2; exit 3"}, os.Environ(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(t.Context(), upload()); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("exit 3: %v", err)
	}
	if c, err = NewCommand([]string{"sleep", "600"}, os.Environ(), 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(t.Context(), upload()); err == nil {
		t.Error("a program that does not end was a success")
	}
	// A child that is left behind holds the output open for longer than anybody waits.
	if c, err = NewCommand([]string{"sh", "-c", "sleep 20 & exit 0"}, os.Environ(), 0); err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(t.Context(), upload()); err != nil {
		t.Errorf("exit 0 beside a child that goes on: %v", err)
	}
	if _, err := NewCommand([]string{"/no/such/program"}, nil, 0); err == nil {
		t.Error("a missing program was accepted")
	}
}
