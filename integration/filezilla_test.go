package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// TestFileZilla drives the graphical client under a virtual display: uploads, downloads and resumed
// ones, under TLS with session reuse required and in clear text, passive and active, over both families.
func TestFileZilla(t *testing.T) {
	for _, kind := range []string{localKind, s3Kind, gcsKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			z := clients.FileZilla{Cert: w.certs.Cert}
			if err := z.Installed(); err != nil {
				t.Fatalf("FileZilla is missing, and no client is left out: %v", err)
			}
			g := prepareGateway(t, w)
			g.edit(t, func(conf string) string { return requireReuse(addIPv6(conf, g.target.Port)) })
			g.start(t, t)
			g.mkdir(t, "/in")
			list := []mode{{name: "passive,tls", tls: true}}
			if kind == localKind {
				list = append(list, mode{name: "active,tls", active: true, tls: true}, mode{name: "passive,ipv6", ipv6: true},
					mode{name: "active", active: true})
			}
			for _, m := range list {
				t.Run(m.name, func(t *testing.T) { oneFileZilla(t, w, g, z, m.point(g.target)) })
			}
		})
	}
}

func oneFileZilla(t *testing.T, w *world, g *gateway, z clients.FileZilla, target clients.Target) {
	ctx := t.Context()
	target.Dir = t.TempDir()
	var jobs []clients.Job
	bodies := map[string][]byte{}
	add := func(name string, size int, upload bool) clients.Job {
		body := random(byte(len(jobs)), size)
		bodies[name] = body
		j := clients.Job{Upload: upload, Local: filepath.Join(target.Dir, name), Dir: "in", Name: name, Size: int64(size)}
		var err error
		if upload {
			err = writeFile(j.Local, body)
		} else {
			err = w.store.Put(ctx, "in/"+name, body)
		}
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
		return j
	}
	for i, n := range []int{0, 1, 10_000, 3 << 20} {
		add(fmt.Sprintf("up %d.bin", i), n, true)
		add(fmt.Sprintf("down %d.bin", i), n, false)
	}
	// Half of it is there, with a head of its own that a new beginning would overwrite.
	j := add("resumed.bin", 500_000, false)
	jobs[len(jobs)-1].Resume = true
	half := append([]byte("mark"), bodies[j.Name][4:250_000]...)
	if err := writeFile(j.Local, half); err != nil {
		t.Fatal(err)
	}
	copy(bodies[j.Name], "mark")

	before := strings.Count(g.Log(), "<- USER "+user)
	if err := z.Run(ctx, target, jobs, func() bool { return strings.Count(g.Log(), "<- USER "+user) > before }); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Upload {
			w.wantObject(t, "in/"+j.Name, bodies[j.Name])
			continue
		}
		wantFile(t, j.Local, bodies[j.Name])
	}
	if err := os.RemoveAll(target.Dir); err != nil {
		t.Error(err)
	}
}
