package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// TestDemo types what the demonstration tells its reader to type, and presses Ctrl-C.
func TestDemo(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin, "./cmd/demo").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, backend := range []string{"s3", "gcs", "local"} {
		t.Run(backend, func(t *testing.T) {
			dir := t.TempDir()
			port, err := servers.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			p, err := servers.Start("demo", filepath.Join(dir, "demo.log"), exec.Command(bin, "-backend", backend, "-dir", dir, "-port", fmt.Sprint(port)))
			if err != nil {
				t.Fatal(err)
			}
			watch(t, p)
			upload := regexp.MustCompile(`curl -T photo.jpg ftp://(\w+):(\w+)@127.0.0.1:(\d+)/`)
			var told []string
			eventually(t, "the demonstration tells what to type", func(context.Context) (bool, error) {
				told = upload.FindStringSubmatch(p.Log())
				if told == nil && !p.Running() {
					t.Fatal("the demonstration ended")
				}
				return told != nil, nil
			})
			if told[3] != fmt.Sprint(port) {
				t.Errorf("it told port %s, want %d", told[3], port)
			}
			body := random(6, 200_000)
			photo := filepath.Join(dir, "photo.jpg")
			if err := writeFile(photo, body); err != nil {
				t.Fatal(err)
			}
			target := clients.Target{Host: "127.0.0.1", Port: port, User: told[1], Password: told[2], Dir: dir}
			if err := clients.All()[0].Upload(t.Context(), target, photo, "/photo.jpg"); err != nil {
				t.Fatal(err)
			}
			// Where it says that the object went.
			look := regexp.MustCompile(`Where it went:\n\n  (.*)\n`).FindStringSubmatch(p.Log())
			if look == nil {
				t.Fatalf("it does not tell where the object went:\n%s", p.Log())
			}
			if out, err := exec.Command("sh", "-c", look[1]).CombinedOutput(); err != nil || !regexp.MustCompile(`photo\.jpg`).Match(out) {
				t.Errorf("%s: %v\n%s", look[1], err, out)
			}
			// Children of the demonstration lead process groups of their own: remember them.
			children := childrenOf(t, p.PID())
			want := map[string]int{"s3": 2, "gcs": 2, "local": 1}[backend]
			if len(children) != want {
				t.Errorf("%d children, want %d", len(children), want)
			}
			if err := p.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if code, err := p.Wait(ctx); err != nil || code != 0 {
				t.Errorf("it ended with %d, %v; want 0", code, err)
			}
			for _, pid := range children {
				if err := syscall.Kill(pid, 0); err == nil {
					t.Errorf("process %d is still there", pid)
				}
			}
		})
	}
}

// childrenOf returns the processes whose parent is pid.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var list []int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // ended meanwhile
		}
		// The name in brackets may hold anything; the parent is the second field behind it.
		if m := regexp.MustCompile(`^(\d+) \(.*\) \S (\d+) `).FindSubmatch(b); m != nil && string(m[2]) == fmt.Sprint(pid) {
			n, _ := strconv.Atoi(string(m[1]))
			list = append(list, n)
		}
	}
	return list
}
