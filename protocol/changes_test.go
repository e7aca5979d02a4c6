package protocol_test

import (
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// Copies and parts that were put together are told as changes of the tree, those that failed are not.
func TestCopiesTold(t *testing.T) {
	var mu sync.Mutex
	var told []protocol.Change
	s := start(t, protocol.TLSExplicit, func(s *server) {
		s.Hooks.Changed = func(c protocol.Client, ch protocol.Change) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, ch)
		}
	})
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(s.path(name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, s.addr).login()
	c.cmd(350, "SITE CPFR a")
	c.cmd(250, "SITE CPTO c")
	c.cmd(350, "SITE CPFR a")
	c.cmd(553, "SITE CPTO a")
	c.cmd(250, "COMB c a b a")
	c.cmd(550, "COMB c missing")
	c.cmd(221, "QUIT")
	mu.Lock()
	defer mu.Unlock()
	want := []protocol.Change{
		{Verb: "SITE CPTO", Path: "/a", To: "/c"},
		{Verb: "COMB", Path: "/a", To: "/c"}, {Verb: "COMB", Path: "/b", To: "/c"}, {Verb: "COMB", Path: "/a", To: "/c"},
		{Verb: "DELE", Path: "/a"}, {Verb: "DELE", Path: "/b"},
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
