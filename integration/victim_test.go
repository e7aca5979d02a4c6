package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// victimEnv makes the test binary play a client that uploads and then does
// nothing until it is killed.
const victimEnv = "FTP_GATEWAY_TEST_VICTIM"

type victimArgs struct {
	Target clients.Target
	Name   string
	Seed   byte
	Size   int
}

// victim runs in a process of its own. It says "sent" when all bytes have been
// handed to its kernel, and never ends in order.
func victim(ctx context.Context, text string) error {
	var a victimArgs
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return err
	}
	c, err := clients.Login(ctx, a.Target)
	if err != nil {
		return err
	}
	d, err := c.Transfer(ctx, "STOR "+a.Name)
	if err != nil {
		return err
	}
	if _, err := d.Write(random(a.Seed, a.Size)); err != nil {
		return err
	}
	fmt.Println("sent")
	<-ctx.Done() // never
	return ctx.Err()
}

// startVictim returns the process when it has sent everything.
func startVictim(t *testing.T, a victimArgs) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), victimEnv+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "sent\n" {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("the client process said %q (%v): %s", line, err, errs.String())
	}
	return cmd
}
