// Package servers starts the programs that the tests and the demonstration need,
// as real processes on loopback: the S3 server versitygw, the GCS server
// fake-gcs-server and the gateway itself.
//
// Each process leads a process group of its own, writes its output into a file,
// and is gone when Stop or Kill has returned. A process whose parent dies is
// killed by the kernel, so that a test run that panics leaves nothing behind.
//
// The programs are looked for in the folder that make fills (.cache/bin next to
// the product's go.mod). A program that is missing is an error, never a reason to
// leave something out.
package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a running program.
type Process struct {
	Name string

	cmd  *exec.Cmd
	log  string        // path of its output
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read only after done
}

// Start runs cmd in a process group of its own. Its output goes to the file
// logPath, which is appended to. One goroutine waits for the process and ends with it.
func Start(name, logPath string, cmd *exec.Cmd) (*Process, error) {
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{Name: name, cmd: cmd, log: logPath, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends sig to the process alone, not to its group.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Wait waits for the end of the process and returns its exit code, -1 when a signal ended it.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s still runs: %w", p.Name, ctx.Err())
	}
}

// Kill ends the whole process group with SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	// The group may be gone already: nothing to do then.
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// Stop asks the process to end with SIGTERM, and kills its group when it has not
// ended after grace. It returns an error when it had to be killed.
func (p *Process) Stop(grace time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.done:
		// What it may have started itself.
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		return nil
	case <-t.C:
		p.Kill()
		return fmt.Errorf("stop %s: it did not end within %s and was killed", p.Name, grace)
	}
}

// Log returns all that the process has written so far.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Tail returns the last n lines of the log.
func (p *Process) Tail(n int) string {
	lines := strings.Split(strings.TrimRight(p.Log(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// WaitReady calls probe until it returns nil. It gives up when the process has
// ended or ctx is done.
func (p *Process) WaitReady(ctx context.Context, probe func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := probe(one)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready (%v):\n%s", p.Name, p.err, p.Tail(40))
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %w:\n%s", p.Name, err, p.Tail(40))
		case <-tick.C:
		}
	}
}
