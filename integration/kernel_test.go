package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestKernelMovesTheBytes counts system calls with strace: a file of a local disk goes out
// by sendfile and comes in by splice, and hardly a byte of it passes through the process.
func TestKernelMovesTheBytes(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	w := newWorld(t, localKind)
	body := random(4, size)
	if err := w.store.Put(t.Context(), "big.bin", body); err != nil {
		t.Fatal(err)
	}
	g := prepareGateway(t, w)
	trace := filepath.Join(g.options.Dir, "trace")
	// -D leaves the process itself our child, so that it is the one that gets the signals.
	g.options.Wrap = []string{strace, "-D", "-f", "-qq", "-s", "0", "-o", trace, "-e", "trace=sendfile,splice,read,write,pread64,pwrite64,readv,writev"}
	g.start(t, t)
	c := g.login(t, false)
	got, err := c.Retrieve(t.Context(), "big.bin")
	if err != nil || len(got) != size {
		t.Fatalf("downloaded %d bytes, %v", len(got), err)
	}
	if r, err := c.Store(t.Context(), "in.bin", body); err != nil || r.Code != 226 {
		t.Fatalf("%q, %v; want 226", r.Text, err)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	if err := g.Stop(patience); err != nil {
		t.Error(err)
	}
	w.wantObject(t, "in.bin", body)
	var b []byte
	b, err = os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	type sum struct{ calls, bytes int }
	sums := map[string]sum{}
	// Calls that others interrupt are told in two lines; the second has the result.
	for _, m := range regexp.MustCompile(`(?m)^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>).* = (\d+)$`).FindAllStringSubmatch(string(b), -1) {
		n, _ := strconv.Atoi(m[2])
		s := sums[m[1]]
		sums[m[1]] = sum{s.calls + 1, s.bytes + n}
	}
	t.Logf("calls and bytes: %+v", sums)
	if s := sums["sendfile"]; s.bytes < size {
		t.Errorf("sendfile moved %d bytes of the download, want %d", s.bytes, size)
	}
	// A splice moves each byte twice: into a pipe and out of it.
	if s := sums["splice"]; s.bytes < 2*size {
		t.Errorf("splice moved %d bytes of the upload, want twice %d", s.bytes, size)
	}
	if s := sums["read"].bytes + sums["write"].bytes + sums["pread64"].bytes + sums["pwrite64"].bytes; s > size/8 {
		t.Errorf("%d bytes passed through the process", s)
	}
}
