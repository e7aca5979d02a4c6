package integration

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// waiting is a session whose command waits in the store.
type waiting struct {
	c *clients.Conn
	d *clients.Data // nil where there is none yet
	i int
}

// slowCall is a way in which sessions come to wait for one kind of request.
type slowCall struct {
	name string
	// operations by kind of store.
	operations map[string]string
	// begin sends what will wait, and end reads the replies to it, from the moment at which the store answers.
	begin func(ctx context.Context, w *waiting) error
	end   func(w *waiting) error
	// ask talks to a session that waits, and end1 reads what it is told instead of end.
	ask  func(w *waiting) error
	end1 func(w *waiting) error
}

// talk wants NOOP and STAT to be answered at once, and STAT to tell of the verb.
func (w *waiting) talk(verb string) error {
	if _, err := w.c.Expect(200, "NOOP"); err != nil {
		return err
	}
	r, err := w.c.Expect(211, "STAT")
	if err == nil && !strings.Contains(r.Text, "\r\n "+verb+" ") {
		err = fmt.Errorf("STAT does not tell of %s: %q", verb, r.Text)
	}
	return err
}

// abort talks, and then breaks off what waits: 426 for that, 226 for ABOR, RFC 959 section 4.1.3.
func (w *waiting) abort(verb string) error {
	if err := w.talk(verb); err != nil {
		return err
	}
	if err := w.c.Send("ABOR"); err != nil {
		return err
	}
	if err := wantReplies(w.c, 426, 226); err != nil {
		return err
	}
	_, err := w.c.Expect(200, "NOOP")
	return err
}

// over wants nothing more to have been said.
func (w *waiting) over() error {
	_, err := w.c.Expect(257, "PWD")
	return err
}

// wantReplies wants replies with these codes, in this order.
func wantReplies(c *clients.Conn, codes ...int) error {
	for _, code := range codes {
		if r, err := c.ReadReply(); err != nil || r.Code != code {
			return fmt.Errorf("%q, %v; want %d", r.Text, err, code)
		}
	}
	return nil
}

// transfer begins a transfer.
func (w *waiting) transfer(ctx context.Context, line string) (err error) {
	w.d, err = w.c.Transfer(ctx, line)
	return err
}

// promised opens a data connection and sends a line whose 150 is still to come.
func (w *waiting) promised(ctx context.Context, line string) (err error) {
	w.d, err = w.c.Promise(ctx)
	if err != nil {
		return err
	}
	return w.c.Send(line)
}

var slowCalls = []slowCall{
	{
		name:       "PUT",
		operations: map[string]string{s3Kind: "PutObject", gcsKind: "objects.insert"},
		begin: func(ctx context.Context, w *waiting) error {
			if err := w.transfer(ctx, fmt.Sprintf("STOR up-%03d", w.i)); err != nil {
				return err
			}
			if _, err := w.d.Write([]byte("text")); err != nil {
				return err
			}
			return w.d.Close()
		},
		end: func(w *waiting) error { return wantReplies(w.c, 226) },
		// All bytes have been sent and the commit is under way: that is not called off any more.
		ask: func(w *waiting) error {
			if err := w.talk("STOR"); err != nil {
				return err
			}
			return w.c.Send("ABOR")
		},
		end1: func(w *waiting) error { return wantReplies(w.c, 226, 226) },
	},
	{
		name:       "LIST",
		operations: map[string]string{s3Kind: "ListObjectsV2", gcsKind: "objects.list"},
		begin:      func(ctx context.Context, w *waiting) error { return w.promised(ctx, "MLSD") },
		end: func(w *waiting) error {
			if err := wantReplies(w.c, 150); err != nil {
				return err
			}
			if b, err := io.ReadAll(w.d); err != nil || !strings.Contains(string(b), "file-000") {
				return fmt.Errorf("the listing is %q, %v", b, err)
			}
			return wantReplies(w.c, 226)
		},
		ask:  func(w *waiting) error { return w.abort("MLSD") },
		end1: (*waiting).over,
	},
	{
		// The 150 tells the name that STOU has found to be free.
		name:       "HEAD",
		operations: map[string]string{s3Kind: "HeadObject", gcsKind: "objects.get"},
		begin:      func(ctx context.Context, w *waiting) error { return w.promised(ctx, "STOU") },
		end: func(w *waiting) error {
			if err := wantReplies(w.c, 150); err != nil {
				return err
			}
			if err := w.d.Close(); err != nil {
				return err
			}
			return wantReplies(w.c, 226)
		},
		ask:  func(w *waiting) error { return w.abort("STOU") },
		end1: (*waiting).over,
	},
	{
		name:       "COPY",
		operations: map[string]string{s3Kind: "CopyObject", gcsKind: "objects.rewrite"},
		begin: func(_ context.Context, w *waiting) error {
			if _, err := w.c.Expect(350, fmt.Sprintf("RNFR file-%03d", w.i)); err != nil {
				return err
			}
			return w.c.Send(fmt.Sprintf("RNTO moved-%03d", w.i))
		},
		end:  func(w *waiting) error { return wantReplies(w.c, 250) },
		ask:  func(w *waiting) error { return w.abort("RNTO") },
		end1: (*waiting).over,
	},
}

// TestSlowStoreBlocksNobody lets the store keep its answers to 200 sessions, for each kind of request. Before it lets go,
// others are answered, come in and work, and a session that waits itself is; then all 200 come to their ends. What waits is
// known, so nothing here depends on how fast anything is.
func TestSlowStoreBlocksNobody(t *testing.T) {
	const n = 200
	for _, kind := range []string{s3Kind, gcsKind} {
		for _, call := range slowCalls {
			t.Run(kind+"/"+call.name, func(t *testing.T) {
				w := newWorld(t, kind)
				if kind == gcsKind { // the test server has no objects.move
					w.yaml = strings.TrimSuffix(w.yaml, "}") + ", move: off}"
				}
				w.yaml += fmt.Sprintf("\n  disk: {type: local, path: %q}", t.TempDir())
				g := prepareGateway(t, w, many)
				g.addUser(t, fmt.Sprintf(`  - {name: other, password: %q, home: "disk:/"}`, "plain:"+password))
				g.start(t, t)
				for i := range n {
					if call.name == "COPY" || i == 0 {
						if err := w.store.Put(t.Context(), fmt.Sprintf("file-%03d", i), []byte("text")); err != nil {
							t.Fatal(err)
						}
					}
				}
				before := g.login(t, false)
				all := make([]*waiting, n)
				for i := range all {
					all[i] = &waiting{c: g.login(t, false), i: i}
				}
				gate := fault.NewGate()
				defer gate.Open()
				w.proxy.Add(fault.Rule{Match: fault.Op(call.operations[kind]), Hold: gate})
				for _, s := range all {
					if err := call.begin(t.Context(), s); err != nil {
						t.Fatalf("session %d: %v", s.i, err)
					}
				}
				for i := range n {
					select {
					case <-gate.Arrived():
					case <-time.After(patience):
						t.Fatalf("%d of %d requests have come to the store", i, n)
					}
				}
				var over atomic.Int32
				ends := make(chan error, n)
				for _, s := range all[1:] { // the first is asked something else meanwhile
					go func() { // ends with the replies of its session
						err := call.end(s)
						over.Add(1)
						if err != nil {
							err = fmt.Errorf("session %d: %w", s.i, err)
						}
						ends <- err
					}()
				}

				// All of them wait. Who was there before is answered, newcomers log in, another back end works.
				if _, err := before.Expect(200, "NOOP"); err != nil {
					t.Error(err)
				}
				if _, err := before.Expect(211, "STAT"); err != nil {
					t.Error(err)
				}
				late := g.login(t, false)
				if _, err := late.Expect(200, "NOOP"); err != nil {
					t.Error(err)
				}
				target := g.target
				target.User = "other"
				disk, err := clients.Login(t.Context(), target)
				if err != nil {
					t.Fatal(err)
				}
				defer disk.Close()
				if r, err := disk.Store(t.Context(), "f", []byte("text")); err != nil || r.Code != 226 {
					t.Errorf("an upload to a disk: %q, %v", r.Text, err)
				}
				if call.name == "LIST" || call.name == "COPY" { // and so do other requests to the same bucket
					if r, err := late.Store(t.Context(), "late", []byte("text")); err != nil || r.Code != 226 {
						t.Errorf("an upload: %q, %v", r.Text, err)
					}
				}
				// Whose own command waits can ask how it stands, and break it off.
				if err := call.ask(all[0]); err != nil {
					t.Error(err)
				}
				if k := over.Load(); k != 0 {
					t.Errorf("%d sessions have had their reply before the store gave one", k)
				}

				gate.Open()
				ends <- call.end1(all[0])
				for range n {
					if err := <-ends; err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}
