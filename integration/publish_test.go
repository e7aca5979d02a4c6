package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/fault"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
	"github.com/ftp-gateway/ftp-gateway/integration/store"
	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/s3"
)

// publisher is the line of a user whose files x.tmp and .in.x become x by their rename.
func publisher(name, more string) string {
	return fmt.Sprintf("  - {name: %s, password: %q, home: \"store:/\", publish_on_rename: [\"*.tmp -> *\", \".in.* -> *\"]%s}", name, "plain:"+password, more)
}

// listedSizes returns the sizes of a directory's files as MLSD tells them.
func listedSizes(t *testing.T, c *clients.Conn, dir string) map[string]int {
	t.Helper()
	text, err := c.List(t.Context(), "MLSD "+dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for line := range strings.Lines(text) {
		facts, name, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if !strings.Contains(facts, "type=file;") {
			continue
		}
		size := -1
		for fact := range strings.SplitSeq(facts, ";") {
			fmt.Sscanf(fact, "size=%d", &size)
		}
		got[name] = size
	}
	return got
}

// wantListing wants a directory's files with their sizes, in the facts of MLSD and the lines of LIST and NLST.
func wantListing(t *testing.T, c *clients.Conn, dir string, want map[string]int) {
	t.Helper()
	got := listedSizes(t, c, dir)
	if !maps.Equal(got, want) {
		t.Errorf("MLSD %s: %v, want %v", dir, got, want)
	}
	for _, verb := range []string{"LIST ", "NLST "} {
		text, err := c.List(t.Context(), verb+dir)
		if err != nil {
			t.Fatal(err)
		}
		for name, size := range want {
			if !strings.Contains(text, name) || verb == "LIST " && !strings.Contains(text, fmt.Sprint(" ", size, " ")) {
				t.Errorf("%s%s: %q lacks %s with %d bytes", verb, dir, text, name, size)
			}
		}
	}
}

// uploads wants so many multipart uploads to be open, at last.
func (w *world) uploads(t *testing.T, what string, n int) {
	t.Helper()
	eventually(t, what, func(ctx context.Context) (bool, error) {
		open, err := w.store.Uploads(ctx)
		if err == nil && len(open) != n {
			err = fmt.Errorf("open: %q", open)
		}
		return err == nil, err
	})
}

// Test46PredictedKey uploads x.tmp to a user whose configuration says that it becomes x.
func Test46PredictedKey(t *testing.T) {
	owner := t
	w := newWorld(t, s3Kind)
	w.option("profile: versitygw, resume_expire: 24h, abandon_after: 1ms")
	g := prepareGateway(t, w)
	g.addUsers(t, publisher("device", ""), publisher("adds", ", overwrite: no"))
	g.start(t, t)
	small, large := random(46, 1000), random(47, 12<<20)
	wantCounts := func(t *testing.T, want requests) {
		t.Helper()
		if got := w.proxy.Counts(); !maps.Equal(got, want) {
			t.Errorf("requests %v, want %v", got, want)
		}
	}
	clean := func(t *testing.T, keys ...string) {
		t.Helper()
		w.wantNoUploads(t)
		if got := w.files(t, ""); !slices.Equal(got, keys) {
			t.Errorf("files %q, want %q", got, keys)
		}
		for _, key := range keys {
			if err := w.store.(*store.S3).Delete(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
	}

	for name, body := range map[string][]byte{"small": small, "large": large, "nothing": nil} {
		t.Run("invisible until RNTO, one request at RNTO/"+name, func(t *testing.T) {
			c := g.loginAs(t, "device")
			w.put(t, map[string]string{"x": "old"})
			w.proxy.Clear()
			stored(t, c, "x.tmp", body)
			parts := max(1, (len(body)+5<<20-1)/(5<<20))
			wantCounts(t, requests{"ListObjectsV2": 1, "CreateMultipartUpload": 1, "UploadPart": parts, "PutObject": 1})
			w.wantObject(t, "x", []byte("old"))
			w.wantObject(t, "x.tmp", nil)
			wantListing(t, g.login(t, false), "/", map[string]int{"x": 3}) // another user's
			for _, again := range []*clients.Conn{c, g.loginAs(t, "device")} {
				wantListing(t, again, "/", map[string]int{"x": 3, "x.tmp": len(body)})
				if got := sizeOf(t, again, "x.tmp"); got != len(body) {
					t.Errorf("SIZE %d, want %d", got, len(body))
				}
				expect(t, again, "213 MDTM x.tmp", "250 MLST x.tmp", "213 STAT x.tmp", "229 EPSV", "450 RETR x.tmp",
					"229 EPSV", "550 APPE x.tmp", "229 EPSV", "350 REST 1", "554 STOR x.tmp")
				if text, err := again.List(t.Context(), "LIST x.tmp"); err != nil || !strings.Contains(text, "x.tmp") {
					t.Errorf("LIST x.tmp: %q, %v", text, err)
				}
			}
			w.proxy.Clear()
			expect(t, c, "350 RNFR x.tmp", "250 RNTO x")
			wantCounts(t, requests{"CompleteMultipartUpload": 1, "DeleteObject": 1})
			if body == nil {
				body = []byte{}
			}
			w.wantObject(t, "x", body)
			expect(t, c, "550 SIZE x.tmp", "550 RNFR x.tmp")
			if log := g.Tail(2000); !strings.Contains(log, "waits for its rename") {
				t.Error("the log does not say why RETR is refused")
			}
			clean(t, "x")
		})
	}
	t.Run("DELE and STOR again", func(t *testing.T) {
		c := g.loginAs(t, "device")
		stored(t, c, ".in.x", small)
		w.uploads(t, "it waits", 1)
		expect(t, c, "250 DELE .in.x", "550 SIZE .in.x")
		w.uploads(t, "it was given up", 0)
		stored(t, c, ".in.x", small)
		stored(t, c, ".in.x", large)
		w.uploads(t, "the older was given up", 1)
		expect(t, c, "350 RNFR .in.x", "250 RNTO x")
		w.wantObject(t, "x", large)
		clean(t, "x")
	})
	t.Run("cut", func(t *testing.T) {
		c := g.loginAs(t, "device")
		d, err := c.Transfer(t.Context(), "STOR x.tmp")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write(large[:11<<20]); err != nil {
			t.Fatal(err)
		}
		d.Reset()
		if r, err := c.ReadReply(); err != nil || r.Code != 426 {
			t.Errorf("%v, %v; want 426", r, err)
		}
		expect(t, c, "550 SIZE x.tmp")
		clean(t)
	})
	t.Run("other name", func(t *testing.T) {
		c := g.loginAs(t, "device")
		stored(t, c, "x.tmp", small)
		expect(t, c, "350 RNFR x.tmp", "250 RNTO y")
		w.wantObject(t, "y", small)
		w.wantObject(t, "x", nil)
		w.put(t, map[string]string{"x": "precious", "d/f": ""})
		stored(t, c, "x.tmp", small)
		expect(t, c, "350 RNFR x.tmp", "553 RNTO z", "350 RNFR x.tmp", "553 RNTO d")
		w.wantObject(t, "x", []byte("precious"))
		expect(t, c, "350 RNFR x.tmp", "250 RNTO x") // it waited on
		w.wantObject(t, "x", small)
		log := g.Tail(2000)
		for _, want := range []string{"did not predict", "which exists"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log lacks %q", want)
			}
		}
		clean(t, "d/f", "x", "y")
	})
	t.Run("directory of the final name", func(t *testing.T) {
		c := g.loginAs(t, "device")
		w.put(t, map[string]string{"dir/f": ""})
		stored(t, c, "dir.tmp", small)
		expect(t, c, "350 RNFR dir.tmp", "553 RNTO dir")
		clean(t, "dir.tmp", "dir/f")
	})
	t.Run("no overwrite", func(t *testing.T) {
		c := g.loginAs(t, "adds")
		w.put(t, map[string]string{"x": "old"})
		stored(t, c, "x.tmp", small)
		expect(t, c, "229 EPSV", "553 STOR x.tmp", "350 RNFR x.tmp", "553 RNTO x")
		w.wantObject(t, "x", []byte("old"))
		expect(t, g.login(t, false), "250 DELE x")
		expect(t, c, "350 RNFR x.tmp", "250 RNTO x")
		w.wantObject(t, "x", small)
		clean(t, "x")
	})
	t.Run("the answer to RNTO's request is lost", func(t *testing.T) {
		c := g.loginAs(t, "device")
		stored(t, c, "x.tmp", large)
		w.proxy.Add(fault.Rule{Match: fault.Op("CompleteMultipartUpload"), Times: 1, Lose: true})
		expect(t, c, "350 RNFR x.tmp", "250 RNTO x")
		w.proxy.Clear()
		w.wantObject(t, "x", large)
		clean(t, "x")
	})
	t.Run("no note, no 226", func(t *testing.T) {
		c := g.loginAs(t, "device")
		w.proxy.Add(fault.Rule{Match: fault.Op("PutObject"), Status: 403, Body: "<Error><Code>AccessDenied</Code></Error>"})
		if r, err := c.Store(t.Context(), "x.tmp", small); err != nil || r.Code < 400 {
			t.Errorf("STOR: %v, %v", r, err)
		}
		w.proxy.Clear()
		expect(t, c, "550 SIZE x.tmp")
		clean(t)
	})
	t.Run("two devices same name", func(t *testing.T) {
		first, second := g.loginAs(t, "device"), g.loginAs(t, "device")
		var data []*clients.Data
		for i, c := range []*clients.Conn{first, second} {
			d, err := c.Transfer(t.Context(), "STOR x.tmp")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Write(random(byte(i), 6<<20+i)); err != nil {
				t.Fatal(err)
			}
			data = append(data, d)
		}
		for i, c := range []*clients.Conn{first, second} {
			data[i].Close()
			if r, err := c.ReadReply(); err != nil || r.Code != 226 {
				t.Fatalf("device %d: %v, %v", i, r, err)
			}
		}
		w.uploads(t, "the last one waits", 1)
		expect(t, first, "350 RNFR x.tmp", "250 RNTO x")
		expect(t, second, "550 RNFR x.tmp")
		w.wantObject(t, "x", random(1, 6<<20+1))
		clean(t, "x")
	})
	t.Run("crash", func(t *testing.T) {
		c := g.loginAs(t, "device")
		stored(t, c, "x.tmp", large)
		d, err := c.Transfer(t.Context(), "STOR half.tmp")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write(large[:11<<20]); err != nil {
			t.Fatal(err)
		}
		w.uploads(t, "one waits, one is under way", 2)
		g.Kill()
		g.start(t, owner)
		// The janitor takes what is older than abandon_after, but not what waits.
		w.uploads(t, "the other one was abandoned", 1)
		c = g.loginAs(t, "device")
		wantListing(t, c, "/", map[string]int{"x.tmp": len(large)})
		expect(t, c, "550 SIZE half.tmp", "350 RNFR x.tmp", "250 RNTO x")
		w.wantObject(t, "x", large)
		clean(t, "x")
	})
	t.Run("no rename until ttl", func(t *testing.T) {
		c := g.loginAs(t, "device")
		stored(t, c, "x.tmp", large)
		if err := c.Quit(); err != nil {
			t.Fatal(err)
		}
		g.waitNoSessions(t)
		if log := g.Tail(2000); !strings.Contains(log, "the session has left files that wait for a rename") {
			t.Error("the end of the session says nothing in the log")
		}
		g.Kill()
		w.yaml = strings.Replace(w.yaml, "resume_expire: 24h", "resume_expire: 1ms", 1)
		next := prepareGateway(t, w)
		next.addUsers(t, publisher("device", ""))
		next.start(t, t)
		w.uploads(t, "it was removed", 0)
		eventually(t, "its note too", func(context.Context) (bool, error) { return len(w.files(t, "")) == 0, nil })
		expect(t, next.loginAs(t, "device"), "550 SIZE x.tmp")
		if log := next.Tail(2000); !strings.Contains(log, "nobody has renamed in time") || !strings.Contains(log, fmt.Sprint("size=", len(large))) {
			t.Error("the janitor says nothing in the log")
		}
		w.wantObject(t, "x", nil)
	})
}

// The profile of the listener decides for accounts that say nothing.
func TestPublishByProfile(t *testing.T) {
	w := newWorld(t, s3Kind)
	w.option("profile: versitygw")
	g := prepareGateway(t, w, "profiles: {yard: {base: camera, publish_on_rename: [\"*.tmp -> *\"]}}")
	g.addUsers(t,
		fmt.Sprintf("  - {name: by, password: %q, home: \"store:/\", profile: yard}", "plain:"+password),
		fmt.Sprintf("  - {name: none, password: %q, home: \"store:/\", profile: yard, publish_on_rename: []}", "plain:"+password))
	g.change(t, "tls: {mode: explicit}}", "tls: {mode: explicit}, profile: yard}")
	g.start(t, t)
	for _, name := range []string{user, "by", "none"} {
		c := g.loginAs(t, name)
		stored(t, c, name+".tmp", []byte("x"))
	}
	if got := slices.DeleteFunc(w.files(t, ""), func(k string) bool { return strings.HasPrefix(k, ".ftpgw/") }); !slices.Equal(got, []string{"none.tmp"}) {
		t.Errorf("files %q, want that of the user who wants none of it", got)
	}
	for _, name := range []string{user, "by", "none"} {
		expect(t, g.loginAs(t, name), "350 RNFR "+name+".tmp", "250 RNTO "+name)
		w.wantObject(t, name, []byte("x"))
	}
	w.wantNoUploads(t)
}

// Where a back end renames in one step the key changes nothing.
func TestPublishElsewhere(t *testing.T) {
	for _, kind := range []string{gcsKind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := prepareGateway(t, w)
			g.addUsers(t, publisher("device", ""))
			g.start(t, t)
			c := g.loginAs(t, "device")
			stored(t, c, "x.tmp", []byte("x"))
			w.wantObject(t, "x.tmp", []byte("x"))
			expect(t, c, "350 RNFR x.tmp", "250 RNTO x")
			w.wantObject(t, "x", []byte("x"))
			w.wantObject(t, "x.tmp", nil)
		})
	}
}

// change replaces a piece of the configuration.
func (g *gateway) change(t *testing.T, from, to string) {
	t.Helper()
	conf := g.options.Args[len(g.options.Args)-1]
	if err := replaceIn(conf, from, to); err != nil {
		t.Fatal(err)
	}
}

// MinIO keeps an upload whose completion it has refused, and completes one of an empty part.
func TestPublishOnMinIO(t *testing.T) {
	m, raw := minio(t)
	ctx := t.Context()
	s, err := s3.New(context.WithoutCancel(ctx), s3.Options{Bucket: bucket, Endpoint: m.URL(), Profile: "minio",
		AccessKey: servers.S3Key, SecretKey: servers.S3Secret, Budget: object.NewBudget(budget)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	parks, err := object.NewParks(s, ".ftpgw/")
	if err != nil {
		t.Fatal(err)
	}
	for _, restart := range []bool{false, true} {
		for _, size := range []int{0, 1000, 11 << 20} {
			body := random(3, size)
			open := func() *object.FS {
				tree, err := object.New(s, object.Options{Pending: parks, Publish: []object.Rule{{From: [2]string{"", ".tmp"}}}})
				if err != nil {
					t.Fatal(err)
				}
				return tree
			}
			tree := open()
			f, err := tree.Create("/x.tmp")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(body); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := raw.Get(ctx, "x"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%d bytes: visible before the rename: %v", size, err)
			}
			if restart {
				if parks, err = object.NewParks(s, ".ftpgw/"); err != nil {
					t.Fatal(err)
				}
				tree = open()
			}
			if err := raw.Put(ctx, "x", []byte("old")); err != nil {
				t.Fatal(err)
			}
			if err := tree.RenameNew("/x.tmp", "/x"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%d bytes: without the right to overwrite: %v", size, err)
			}
			if got, err := raw.Get(ctx, "x"); err != nil || string(got) != "old" {
				t.Errorf("%d bytes: x is %q, %v", size, got, err)
			}
			if err := tree.Rename("/x.tmp", "/x"); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
			if got, err := raw.Get(ctx, "x"); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes: x has %d, %v", size, len(got), err)
			}
			if names, err := raw.Names(ctx, ""); err != nil || !slices.Equal(names, []string{"x"}) {
				t.Errorf("%d bytes: files %q, %v", size, names, err)
			}
			if err := raw.Delete(ctx, "x"); err != nil {
				t.Error(err)
			}
		}
	}
	if open, err := raw.Uploads(ctx); err != nil || len(open) > 0 {
		t.Errorf("uploads are left open: %q, %v", open, err)
	}
}

// Whose credentials reach the own home only can do it there: the notes are in the home.
func TestPublishInAConfinedHome(t *testing.T) {
	m, raw := minio(t)
	ctx := t.Context()
	whole, err := s3.New(context.WithoutCancel(ctx), s3.Options{Bucket: bucket, Endpoint: m.URL(), Profile: "minio",
		AccessKey: servers.S3Key, SecretKey: servers.S3Secret, Budget: object.NewBudget(budget)})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	policy, err := whole.Confine("site/cam7/")
	if err != nil {
		t.Fatal(err)
	}
	own := whole.As(s3.Role{ARN: "arn:minio:iam:::role/ftp", SessionName: "ftp-cam7", Policy: policy, Endpoint: m.URL()})
	eventually(t, "MinIO knows of roles", func(ctx context.Context) (bool, error) {
		_, err := own.List(ctx, "site/cam7/", "", 1)
		return err == nil, err
	})
	all, err := object.NewParks(whole, "site/.ftpgw/")
	if err != nil {
		t.Fatal(err)
	}
	parks, err := all.On(own, "site/cam7/.ftpgw/")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := object.New(own, object.Options{Prefix: "site/cam7", Scratch: "site/cam7/.ftpgw/", Pending: parks,
		Publish: []object.Rule{{From: [2]string{"", ".tmp"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/x.tmp", "/y.tmp"} {
		f, err := tree.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(random(4, 6<<20)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for fi, err := range vfs.List(tree, "/") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fi.Name())
	}
	if slices.Sort(names); !slices.Equal(names, []string{"x.tmp", "y.tmp"}) {
		t.Errorf("listing %q", names)
	}
	if err := tree.Rename("/x.tmp", "/x"); err != nil {
		t.Error(err)
	}
	if err := tree.Remove("/y.tmp"); err != nil {
		t.Error(err)
	}
	if names, err := raw.Names(ctx, ""); err != nil || !slices.Equal(names, []string{"site/cam7/x"}) {
		t.Errorf("files %q, %v", names, err)
	}
	if open, err := raw.Uploads(ctx); err != nil || len(open) > 0 {
		t.Errorf("uploads are left open: %q, %v", open, err)
	}
}
