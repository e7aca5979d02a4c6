package events

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a script that takes too long has started ends with it.
func TestCommandIsKilledWholly(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	c, err := NewCommand([]string{"sh", "-c", "sleep 600 & echo $! >\"$1.new\"; mv \"$1.new\" \"$1\"; wait", "sh", pid}, os.Environ(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var child []byte
	for child == nil { // a busy machine may not come as far as that in a second
		if err := c.Deliver(t.Context(), upload()); err == nil {
			t.Fatal("a script that does not end was a success")
		}
		child, _ = os.ReadFile(pid)
	}
	// What is killed is gone soon, or waits for somebody who reads its exit status.
	for stat := "/proc/" + strings.TrimSpace(string(child)) + "/stat"; ; time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(stat)
		if _, state, _ := strings.Cut(string(b), ") "); err != nil || strings.HasPrefix(state, "Z") {
			return
		}
	}
}
