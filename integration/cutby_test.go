package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestCutByUser: of two users of one back end the one goes on with a cut upload, of the other nothing is kept.
func TestCutByUser(t *testing.T) {
	for _, kind := range []string{s3Kind, gcsKind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			kept := "resume"
			if kind == localKind {
				kept = "keep"
			}
			g := prepareGateway(t, w, fmt.Sprintf("profiles: {yard: {cut: %s}}", kept))
			g.addUsers(t,
				fmt.Sprintf("  - {name: goes-on, password: %q, home: \"store:/\", cut: %s}", "plain:"+password, kept),
				fmt.Sprintf("  - {name: by-profile, password: %q, home: \"store:/\", profile: yard}", "plain:"+password),
				fmt.Sprintf("  - {name: begins-anew, password: %q, home: \"store:/\", profile: yard, cut: discard}", "plain:"+password))
			g.start(t, t)
			body := random(7, 7<<20)
			const n = 6<<20 + 5
			for name, want := range map[string]int{"goes-on": n, "by-profile": n, "begins-anew": -1} {
				c := g.loginAs(t, name)
				d, err := c.Transfer(t.Context(), "STOR "+name)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := d.Write(body[:n]); err != nil {
					t.Fatal(err)
				}
				c.Close()
				d.FIN()
				g.waitNoSessions(t)
				again := g.loginAs(t, name)
				if got := sizeOf(t, again, name); got != want {
					t.Errorf("%s: SIZE %d, want %d", name, got, want)
				}
				if want < 0 {
					expect(t, again, "350 REST 1", "229 EPSV", "550 STOR "+name)
					again.Quit()
					continue
				}
				wantListing(t, again, "/", map[string]int{name: n})
				expect(t, again, fmt.Sprint("350 REST ", n))
				if d, err = again.Transfer(t.Context(), "STOR "+name); err != nil {
					t.Fatal(err)
				}
				if _, err := d.Write(body[n:]); err != nil {
					t.Fatal(err)
				}
				d.Close()
				if r, err := again.ReadReply(); err != nil || r.Code != 226 {
					t.Fatalf("%v, %v", r, err)
				}
				w.wantObject(t, name, body)
				expect(t, again, "250 DELE "+name)
				again.Quit()
			}
			if kind != localKind {
				w.wantNoUploads(t)
			}
		})
	}
}

// The janitor removes what a user has left behind also where the back end itself keeps nothing.
func TestCutByUserIsSwept(t *testing.T) {
	w := newWorld(t, s3Kind)
	w.option("resume_expire: 1ms")
	g := prepareGateway(t, w)
	g.addUsers(t, fmt.Sprintf("  - {name: goes-on, password: %q, home: \"store:/\", cut: resume}", "plain:"+password))
	g.start(t, t)
	c := g.loginAs(t, "goes-on")
	d, err := c.Transfer(t.Context(), "STOR f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(random(7, 6<<20)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	d.FIN()
	g.waitNoSessions(t)
	w.uploads(t, "it is parked", 1)
	g.Kill()
	g.start(t, t)
	w.uploads(t, "it is removed", 0)
	eventually(t, "its notes too", func(context.Context) (bool, error) { return len(w.files(t, "")) == 0, nil })
}

// What a back end cannot do with cut uploads is refused at the start, with the line.
func TestCutRefused(t *testing.T) {
	for _, c := range []struct{ kind, user, want string }{
		{localKind, "cut: resume", "users[0].cut: cut: resume is not possible in back end \"store\" (local) (hint: it can do discard and keep)"},
		{s3Kind, "cut: keep", "users[0].cut: cut: keep is not possible in back end \"store\" (s3) (hint: it can do discard and resume)"},
		{s3Kind, "profile: yard", "users[0].profile: cut: keep is not possible"},
		{s3Kind, "publish_on_rename: [\"*.tmp\"]", "users[0].publish_on_rename[0]: \"*.tmp\" has no arrow (hint: for example \"*.tmp -> *\")"},
		{s3Kind, "publish_on_rename: [\"* -> *\"]", "changes nothing"},
		{s3Kind, "publish_on_rename: [\"*.tmp -> *\"], overwrite: rename", "contradicts overwrite: rename"},
	} {
		w := newWorld(t, c.kind)
		g := prepareGateway(t, w, "profiles: {yard: {cut: keep}}")
		g.addUsers(t, fmt.Sprintf("  - {name: u, password: %q, home: \"store:/\", %s}", "plain:"+password, c.user))
		out, err := exec.CommandContext(t.Context(), gatewayBin, "check", "--config", g.options.Args[len(g.options.Args)-1]).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) || !strings.Contains(string(out), ".yaml:7: ") {
			t.Errorf("%s, %s: %v, %q; want %q with line 7", c.kind, c.user, err, out, c.want)
		}
	}
}

// replaceIn replaces a piece of a file.
func replaceIn(file, from, to string) error {
	b, err := os.ReadFile(file)
	if err == nil && !strings.Contains(string(b), from) {
		err = fmt.Errorf("%s has no %q", file, from)
	}
	if err != nil {
		return err
	}
	return writeFile(file, []byte(strings.Replace(string(b), from, to, 1)))
}
