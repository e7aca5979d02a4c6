package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// told is an event as a receiver sees it.
type told struct {
	Type string `json:"type"`
	Data struct {
		Type, User, Remote, Path, To, Backend, Bucket, Key, Version, Checksum, Result string

		Bytes int64
	} `json:"data"`
}

// receiver is somebody who is told of events over HTTP.
type receiver struct {
	*httptest.Server
	away atomic.Bool // answers 503
	mu   sync.Mutex
	got  []told
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var e told
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		if r.away.Load() || err != nil || req.Header.Get("Webhook-Signature") == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, e)
	}))
	t.Cleanup(r.Close)
	return r
}

// of returns the events of a type about a path.
func (r *receiver) of(kind, path string) (n int, last told) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.got {
		if e.Data.Type == kind && e.Data.Path == path {
			n, last = n+1, e
		}
	}
	return n, last
}

func (r *receiver) config(dir string, more ...string) string {
	return fmt.Sprintf("events: {outbox: %q, webhooks: [{name: intake, url: %q, secret: s3cret}]%s}",
		filepath.Join(dir, "events.db"), r.URL, strings.Join(more, ""))
}

// TestEveryAcknowledgedUploadHasItsEvent kills the gateway while uploads run and the
// receiver is away. Whatever got its 226 is told behind the next start.
func TestEveryAcknowledgedUploadHasItsEvent(t *testing.T) {
	for _, kind := range []string{s3Kind, gcsKind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			r := newReceiver(t)
			r.away.Store(true)
			g := newGateway(t, w, r.config(w.dir))
			var mu sync.Mutex
			acknowledged := map[string][]byte{}
			enough := make(chan struct{})
			var wg sync.WaitGroup
			for i := range 6 {
				wg.Go(func() {
					c, err := clients.Login(t.Context(), g.target)
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					for n := 0; ; n++ {
						name, body := fmt.Sprintf("/f-%d-%d", i, n), random(byte(i*16+n), 2000+n)
						reply, err := c.Store(t.Context(), name, body)
						if err != nil || reply.Code != 226 {
							return // killed
						}
						mu.Lock()
						acknowledged[name] = body
						if len(acknowledged) == 40 {
							close(enough)
						}
						mu.Unlock()
					}
				})
			}
			select {
			case <-enough:
			case <-time.After(patience):
				t.Error("the uploads do not get on")
			}
			g.Kill()
			wg.Wait()
			r.away.Store(false)
			g.again(t, t)
			for name, body := range acknowledged {
				eventually(t, "the event of "+name, func(context.Context) (bool, error) {
					n, e := r.of("received", name)
					if n == 0 {
						return false, nil
					}
					d := e.Data
					if d.Bytes != int64(len(body)) || d.User != user || d.Remote != "127.0.0.1" || d.Backend != "store" || d.Result != "done" ||
						e.Type != "io.github.ftp-gateway.received" {
						return false, fmt.Errorf("%+v", e)
					}
					if kind != localKind && (d.Bucket != bucket || d.Key != strings.TrimPrefix(name, "/") || !strings.HasPrefix(d.Checksum, "crc32")) {
						return false, fmt.Errorf("%+v", e)
					}
					if kind == gcsKind && d.Version == "" {
						return false, fmt.Errorf("no generation: %+v", e)
					}
					return true, nil
				})
				w.wantObject(t, strings.TrimPrefix(name, "/"), body)
			}
			t.Logf("%d uploads had been acknowledged when the gateway was killed", len(acknowledged))
		})
	}
}

// TestACutUploadIsNeverToldAsReceived kills clients that have sent everything but their
// farewell: a receiver hears of an incomplete upload, also where the bytes stay on the disk.
func TestACutUploadIsNeverToldAsReceived(t *testing.T) {
	for _, kind := range []string{localKind, s3Kind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			r := newReceiver(t)
			g := newGateway(t, w, r.config(w.dir))
			for i := range 10 {
				name := fmt.Sprintf("/killed-%d", i)
				p := startVictim(t, victimArgs{Target: g.target, Name: name, Seed: byte(i), Size: 30_000})
				p.Process.Kill()
				p.Wait()
				eventually(t, "the event of "+name, func(context.Context) (bool, error) {
					whole, _ := r.of("received", name)
					cut, e := r.of("incomplete_received", name)
					if whole > 0 {
						t.Fatalf("a killed client's upload was told as received")
					}
					return cut == 1 && e.Data.Result == "cut", nil
				})
			}
		})
	}
}

// TestEventsOfASession tells a whole session to a log file and to a program.
func TestEventsOfASession(t *testing.T) {
	w := newWorld(t, localKind)
	dir := t.TempDir()
	log, ran := filepath.Join(dir, "events.jsonl"), filepath.Join(dir, "ran")
	script := filepath.Join(dir, "on-event")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf '%s|%s|%s\\n' \"$1\" \"$2\" \"$FTP_USER\" >> '"+ran+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, w, fmt.Sprintf(`events: {outbox: %q, log: {file: %q}, commands: [{name: script, command: [%q, "{type}", "{path}"], types: [received, renamed], parallel: 1}]}`,
		filepath.Join(dir, "events.db"), log, script))
	bad := g.target
	bad.Password = "wrong"
	if _, err := clients.Login(t.Context(), bad); err == nil {
		t.Fatal("a wrong password was accepted")
	}
	c := g.login(t, false)
	name := `/a b;$(touch x).txt`
	for _, step := range []struct {
		code int
		line string
	}{{257, "MKD /d"}} {
		if _, err := c.Expect(step.code, step.line); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := c.Store(t.Context(), name, []byte("text")); err != nil || r.Code != 226 {
		t.Fatal(r, err)
	}
	if _, err := c.Retrieve(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		code int
		line string
	}{{350, "RNFR " + name}, {250, "RNTO /d/b"}, {250, "DELE /d/b"}, {250, "RMD /d"}} {
		if _, err := c.Expect(step.code, step.line); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	want := "login_failed login directory_made received sent renamed deleted directory_removed logout"
	eventually(t, "the events", func(context.Context) (bool, error) {
		text, err := os.ReadFile(log)
		if err != nil {
			return false, err
		}
		var got []string
		for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
			var e struct{ Type, Remote, Path, Key string }
			if err := json.Unmarshal(s.Bytes(), &e); err != nil {
				return false, err
			}
			if e.Type == "connect" || e.Type == "disconnect" {
				continue // also of those who only looked whether the server is there
			}
			if e.Type == "received" && (e.Path != name || e.Key != filepath.Join(w.dir, "disk", name) || e.Remote != "127.0.0.1") {
				t.Fatalf("received: %s", s.Bytes())
			}
			got = append(got, e.Type)
		}
		if strings.Join(got, " ") == want {
			return true, nil
		}
		return false, fmt.Errorf("got %v", got)
	})
	eventually(t, "the program's runs", func(context.Context) (bool, error) {
		text, err := os.ReadFile(ran)
		return strings.Contains(string(text), "received|"+name+"|"+user+"\n") && strings.Contains(string(text), "renamed|"+name+"|"+user+"\n"), err
	})
}
