package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/fault"
)

// addUsers puts users before the one that every configuration has.
func (g *gateway) addUsers(t *testing.T, lines ...string) {
	t.Helper()
	conf := g.options.Args[len(g.options.Args)-1]
	b, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "users:\n", "users:\n"+strings.Join(lines, "\n")+"\n", 1)
	if err := writeFile(conf, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// loginAs opens a session of another user.
func (g *gateway) loginAs(t *testing.T, name string) *clients.Conn {
	t.Helper()
	target := g.target
	target.User = name
	c, err := clients.Login(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// option adds keys to the back end of a world.
func (w *world) option(keys string) { w.yaml = strings.Replace(w.yaml, "{", "{"+keys+", ", 1) }

// put writes objects past the gateway.
func (w *world) put(t *testing.T, all map[string]string) {
	t.Helper()
	for key, content := range all {
		if err := w.store.Put(t.Context(), key, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
}

func expect(t *testing.T, c *clients.Conn, lines ...string) {
	t.Helper()
	for _, l := range lines {
		var code int
		fmt.Sscan(l, &code)
		if _, err := c.Expect(code, l[4:]); err != nil {
			t.Error(err)
		}
	}
}

// stored stores a file and wants its 226.
func stored(t *testing.T, c *clients.Conn, name string, content []byte) {
	t.Helper()
	if r, err := c.Store(t.Context(), name, content); err != nil || r.Code != 226 {
		t.Fatalf("STOR %s: %v, %v", name, r, err)
	}
}

func buckets(t *testing.T, do func(t *testing.T, w *world)) {
	for _, kind := range []string{s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			if kind == s3Kind {
				w.option("profile: versitygw") // which compares before it deletes
			}
			do(t, w)
		})
	}
}

func Test44RNTOFile(t *testing.T) {
	buckets(t, func(t *testing.T, w *world) {
		g := newGateway(t, w)
		c := g.login(t, false)
		content := random(44, 1<<20)
		stored(t, c, "x.tmp", content)
		w.proxy.Clear()
		expect(t, c, "350 RNFR x.tmp", "250 RNTO x")
		w.wantObject(t, "x", content)
		w.wantObject(t, "x.tmp", nil)
		if w.kind == s3Kind {
			for op, want := range map[string]int{"HeadObject": 1, "ListObjectsV2": 1, "CopyObject": 1, "GetObject": 0, "PutObject": 0} {
				if got := w.proxy.Count(op); got != want {
					t.Errorf("%d requests %s, want %d", got, op, want)
				}
			}
		}

		t.Run("target exists: replaced", func(t *testing.T) {
			w.put(t, map[string]string{"new": "new", "old": "old"})
			expect(t, c, "350 RNFR new", "250 RNTO old")
			w.wantObject(t, "old", []byte("new"))
			w.wantObject(t, "new", nil)
		})
		t.Run("target is a directory", func(t *testing.T) {
			w.put(t, map[string]string{"dir/f": "f"})
			expect(t, c, "350 RNFR x", "553 RNTO dir")
			w.wantObject(t, "x", content)
			w.wantObject(t, "dir/f", []byte("f"))
		})
		t.Run("copy ok but delete fails", func(t *testing.T) {
			w.put(t, map[string]string{"a": "a"})
			w.proxy.Add(fault.Rule{Match: func(r *http.Request) bool { return r.Method == http.MethodDelete }, Status: http.StatusForbidden,
				Body: "<Error><Code>AccessDenied</Code></Error>"})
			expect(t, c, "350 RNFR a", "553 RNTO b")
			w.wantObject(t, "a", []byte("a"))
			w.wantObject(t, "b", []byte("a"))
			w.proxy.Clear()
			expect(t, c, "350 RNFR a", "250 RNTO b") // the repetition is safe
			w.wantObject(t, "a", nil)
			w.wantObject(t, "b", []byte("a"))
		})
		if w.kind == s3Kind { // fake-gcs-server ignores preconditions on copies
			t.Run("source changed between", func(t *testing.T) {
				w.put(t, map[string]string{"a": "seen", "b": "old"})
				expect(t, c, "350 RNFR a")
				w.put(t, map[string]string{"a": "changed"})
				expect(t, c, "450 RNTO b")
				w.wantObject(t, "a", []byte("changed"))
				w.wantObject(t, "b", []byte("old"))
			})
			t.Run("stored between copy and deletion", func(t *testing.T) {
				w.put(t, map[string]string{"a": "seen"})
				gate := fault.NewGate()
				w.proxy.Add(fault.Rule{Match: fault.Op("CopyObject"), Hold: gate})
				expect(t, c, "350 RNFR a")
				if err := c.Send("RNTO b"); err != nil {
					t.Fatal(err)
				}
				<-gate.Arrived()
				w.put(t, map[string]string{"a": "stored meanwhile"})
				gate.Open()
				if r, err := c.ReadReply(); err != nil || r.Code != 450 {
					t.Errorf("RNTO: %v, %v; want 450", r, err)
				}
				w.proxy.Clear()
				w.wantObject(t, "a", []byte("stored meanwhile"))
				w.wantObject(t, "b", []byte("seen"))
			})
			t.Run("stored while it is deleted", func(t *testing.T) {
				gate := fault.NewGate()
				w.proxy.Add(fault.Rule{Match: fault.Op("HeadObject"), Hold: gate})
				if err := c.Send("DELE b"); err != nil {
					t.Fatal(err)
				}
				<-gate.Arrived()
				w.put(t, map[string]string{"b": "stored meanwhile"})
				gate.Open()
				if r, err := c.ReadReply(); err != nil || r.Code != 450 {
					t.Errorf("DELE: %v, %v; want 450", r, err)
				}
				w.proxy.Clear()
				w.wantObject(t, "b", []byte("stored meanwhile"))
			})
		}
		w.wantNoUploads(t)
	})
}

func Test45RNTODirectory(t *testing.T) {
	buckets(t, func(t *testing.T, w *world) {
		w.option("rename_dir_max_keys: 4")
		g := newGateway(t, w)
		before := map[string]string{"d/a": "a", "d/b": "b", "d/sub/c": "c", "d/sub/deep/e": "e"}
		w.put(t, before)
		moved := func(t *testing.T) {
			t.Helper()
			for key, content := range before {
				w.wantObject(t, key, nil)
				w.wantObject(t, "new"+key[1:], []byte(content))
			}
		}
		t.Run("above the limit 550 with nothing done", func(t *testing.T) {
			c := g.login(t, false)
			w.put(t, map[string]string{"d/f": "one too many"})
			expect(t, c, "350 RNFR d", "550 RNTO new")
			if got := w.files(t, ""); len(got) != len(before)+1 {
				t.Errorf("files: %q", got)
			}
			expect(t, c, "250 DELE d/f")
		})
		t.Run("refusals", func(t *testing.T) {
			c := g.login(t, false)
			w.put(t, map[string]string{"file": "f", "full/f": "f"})
			expect(t, c, "350 RNFR d", "553 RNTO d/sub/x", "350 RNFR d", "553 RNTO file", "350 RNFR d", "550 RNTO full")
			for key, content := range before {
				w.wantObject(t, key, []byte(content))
			}
		})
		t.Run("killed while it copies, and repeated", func(t *testing.T) {
			c := g.login(t, false)
			gate := fault.NewGate()
			defer gate.Open()
			w.proxy.Add(fault.Rule{Match: fault.Op("CopyObject", "objects.rewrite"), Hold: gate})
			expect(t, c, "350 RNFR d")
			if err := c.Send("RNTO new"); err != nil {
				t.Fatal(err)
			}
			for range before {
				<-gate.Arrived()
			}
			g.Kill()
			w.proxy.Clear()
			for key, content := range before {
				w.wantObject(t, key, []byte(content))
			}
			if len(w.files(t, "new/")) == 0 {
				t.Error("nothing had been copied: the test shows nothing")
			}
			g.start(t, t)
			c = g.login(t, false)
			expect(t, c, "350 RNFR d", "250 RNTO new")
			moved(t)
			expect(t, c, "550 CWD d", "250 CWD new/sub/deep")
			if got := w.files(t, ".ftpgw/"); len(got) > 0 {
				t.Errorf("notes are left: %q", got)
			}
		})
	})
}

func Test40LastFileDeleted(t *testing.T) {
	buckets(t, func(t *testing.T, w *world) {
		w.option("keep_dirs: marker")
		g := newGateway(t, w)
		w.put(t, map[string]string{"d/f": "f"})
		expect(t, g.login(t, false), "250 DELE d/f")
		expect(t, g.login(t, false), "250 CWD d", "250 CDUP", "250 RMD d", "550 CWD nothing")
		expect(t, g.login(t, false), "550 CWD d")
	})
}

func Test49STOUUnder50ConcurrentSessions(t *testing.T) {
	buckets(t, func(t *testing.T, w *world) {
		g := newGateway(t, w)
		const n = 50
		sessions := make([]*clients.Conn, n)
		for i := range sessions {
			sessions[i] = g.login(t, false)
		}
		var wg sync.WaitGroup
		for i, c := range sessions {
			wg.Go(func() {
				d, err := c.Transfer(t.Context(), "STOU")
				if err == nil {
					_, err = fmt.Fprintf(d, "content %02d", i)
				}
				if err == nil {
					err = d.Close()
				}
				if err != nil {
					t.Errorf("session %d: %v", i, err)
					return
				}
				if r, err := c.ReadReply(); err != nil || r.Code != 226 {
					t.Errorf("session %d: %v, %v", i, r, err)
				}
			})
		}
		wg.Wait()
		names := w.files(t, "")
		var contents []string
		for _, name := range names {
			b, err := w.store.Get(t.Context(), name)
			if err != nil {
				t.Error(err)
			}
			contents = append(contents, string(b))
		}
		slices.Sort(contents)
		if len(slices.Compact(contents)) != n || len(names) != n {
			t.Errorf("%d names with %d contents, want %d: %q", len(names), len(contents), n, names)
		}
	})
}

func Test49NoOverwriteUser(t *testing.T) {
	buckets(t, func(t *testing.T, w *world) {
		g := prepareGateway(t, w)
		g.addUsers(t,
			fmt.Sprintf("  - {name: adds, password: %q, home: \"store:/\", overwrite: no}", "plain:"+password),
			fmt.Sprintf("  - {name: numbers, password: %q, home: \"store:/\", overwrite: rename}", "plain:"+password))
		g.start(t, t)
		w.put(t, map[string]string{"f.jpg": "old", "g.jpg": "other"})
		c := g.loginAs(t, "adds")
		epsv := func() { t.Helper(); expect(t, c, "229 EPSV") }
		for _, line := range []string{"553 STOR f.jpg", "553 APPE f.jpg"} {
			epsv()
			expect(t, c, line)
		}
		epsv()
		expect(t, c, "350 REST 1", "553 STOR f.jpg", "350 RNFR g.jpg", "553 RNTO f.jpg")
		w.wantObject(t, "f.jpg", []byte("old"))
		w.wantObject(t, "g.jpg", []byte("other"))
		stored(t, c, "new.jpg", []byte("new"))

		// Two begin before either has ended: the store decides, and the slower one is told.
		slow := g.loginAs(t, "adds")
		d, err := slow.Transfer(t.Context(), "STOR race.jpg")
		if err != nil {
			t.Fatal(err)
		}
		stored(t, c, "race.jpg", []byte("fast"))
		d.Write([]byte("slow"))
		d.Close()
		if r, err := slow.ReadReply(); err != nil || r.Code != 553 {
			t.Errorf("the slower one: %v, %v; want 553", r, err)
		}
		w.wantObject(t, "race.jpg", []byte("fast"))

		c = g.loginAs(t, "numbers")
		for i := range 3 {
			stored(t, c, "f.jpg", fmt.Appendf(nil, "again %d", i))
		}
		expect(t, c, "350 RNFR g.jpg", "250 RNTO f.jpg")
		for name, content := range map[string]string{"f.jpg": "old", "f-1.jpg": "again 0", "f-2.jpg": "again 1", "f-3.jpg": "again 2", "f-4.jpg": "other"} {
			w.wantObject(t, name, []byte(content))
		}
		w.wantObject(t, "g.jpg", nil)
	})
}

func TestHomeByUserDateAndClient(t *testing.T) {
	buckets(t, func(t *testing.T, w *world) {
		g := prepareGateway(t, w)
		g.addUsers(t, fmt.Sprintf("  - {name: cam8, password: %q, home: \"store:/in/{user}/{remote}/{yyyy}/{MM}/{dd}\"}", "plain:"+password))
		g.start(t, t)
		day := time.Now().UTC()
		c := g.loginAs(t, "cam8")
		stored(t, c, "f", []byte("x"))
		next := time.Now().UTC() // the login may have been on either side of midnight
		got := w.files(t, "")
		want := []string{}
		for _, d := range []time.Time{day, next} {
			want = append(want, "in/cam8/127.0.0.1/"+d.Format("2006/01/02")+"/f")
		}
		if len(got) != 1 || !slices.Contains(want, got[0]) {
			t.Errorf("files %q, want %q", got, want[0])
		}
		if list, err := c.List(t.Context(), "NLST"); err != nil || !bytes.Equal([]byte(list), []byte("f\r\n")) {
			t.Errorf("NLST: %q, %v", list, err)
		}
	})
}
