package integration

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestNewerFileOverACut gives the name of a cut upload to another file, by a rename, and past the gateway: SIZE tells of that
// file, and APPE appends to it.
func TestNewerFileOverACut(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			w.yaml = strings.Replace(w.yaml, "{", "{cut: resume, ", 1)
			g := newGateway(t, w)
			whole := random(5, 5000)
			for name, put := range map[string]func(t *testing.T, name string){
				"renamed": func(t *testing.T, name string) {
					c := g.login(t, false)
					if code := storeCode(t, c, "other", whole); code != 226 {
						t.Fatalf("STOR: %d", code)
					}
					for _, step := range []struct {
						code int
						line string
					}{{350, "RNFR other"}, {250, "RNTO " + name}} {
						if _, err := c.Expect(step.code, step.line); err != nil {
							t.Fatal(err)
						}
					}
				},
				"foreign": func(t *testing.T, name string) {
					time.Sleep(4 * time.Second) // the store's times have to tell which is the newer one
					if err := w.store.Put(t.Context(), name, whole); err != nil {
						t.Fatal(err)
					}
				},
			} {
				t.Run(name, func(t *testing.T) {
					c := g.login(t, false)
					d, err := c.Transfer(t.Context(), "STOR "+name)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := d.Write(random(6, 1000)); err != nil {
						t.Fatal(err)
					}
					c.Close()
					d.FIN()
					ask := g.login(t, false)
					eventually(t, "the upload is parked", func(context.Context) (bool, error) { return sizeOf(t, ask, name) == 1000, nil })
					ask.Quit()
					g.waitNoSessions(t)
					put(t, name)
					c = g.login(t, false)
					if n := sizeOf(t, c, name); n != len(whole) {
						t.Errorf("SIZE %d, want %d", n, len(whole))
					}
					d, err = c.Transfer(t.Context(), "APPE "+name)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := d.Write([]byte("more")); err != nil {
						t.Fatal(err)
					}
					d.Close()
					if r, err := c.ReadReply(); err != nil || r.Code != 226 {
						t.Fatalf("%q, %v; want 226", r.Text, err)
					}
					w.wantObject(t, name, append(whole[:len(whole):len(whole)], "more"...))
				})
			}
		})
	}
}
