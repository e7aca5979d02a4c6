//go:build unix

package events

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// wholly makes the end of a program that is killed that of all that it has started: a script's
// own programs would go on, beside those of the next attempt.
func wholly(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			err = os.ErrProcessDone
		}
		return err
	}
}
