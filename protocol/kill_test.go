package protocol_test

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// victimEnv holds the server's address for a test binary that plays a client
// which sends half a file and is killed.
const victimEnv = "FTP_GATEWAY_VICTIM"

func TestMain(m *testing.M) {
	if addr := os.Getenv(victimEnv); addr != "" {
		victim(addr)
	}
	os.Exit(m.Run())
}

func victim(addr string) {
	c := dial(new(testing.B), addr).login()
	d, _ := c.transfer("STOR a")
	if _, err := d.Write(half); err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("sent\n")
	select {}
}

// A process that is killed has its connections closed in perfect order by its
// kernel, the data connection often first. That is no end of a file.
func TestKilledClient(t *testing.T) {
	s := start(t, protocol.TLSExplicit, func(s *server) {
		// With this hook the control connection is looked at twice on any tree; the second look is late
		// enough for a machine on which the kernel is not done with a dead process within milliseconds.
		s.Hooks.Received = func(protocol.Client, protocol.Transfer) error { return nil }
		s.CutSettle = 200 * time.Millisecond
	})
	const kills = 40
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victimEnv+"="+s.addr)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "sent\n" {
			t.Fatalf("the client said %q, %v", line, err)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	whole := 0
	for _, r := range s.results(kills) {
		if r != protocol.Cut {
			whole++
		}
	}
	if whole > 0 {
		t.Errorf("%d of %d killed clients were taken for whole uploads", whole, kills)
	}
}
