package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Command runs a program for each event. There is no shell: an argument stays
// one argument, whatever a client has put into a name. In the arguments, {path} and
// the like stand for the event's values:
//
//	{type} {id} {time} {user} {remote} {path} {to} {bytes} {size} {seconds} {backend} {bucket} {key} {version} {checksum} {result}
//
// The same are in the environment as FTP_TYPE, FTP_ID and so on, and FTP_EVENT is the whole
// event as JSON. Nothing of the server's own environment is passed on but PATH, HOME, LANG and TZ.
//
// The exit status 0 is success; after any other the event is tried again.
type Command struct {
	args    []string
	env     []string
	timeout time.Duration
}

// maxVariable is how long FTP_EVENT may be in bytes: Linux starts no program with a variable of 128 KiB.
const maxVariable = 100 << 10

// NewCommand makes a target. Args are the program, by its path or found in PATH, and
// its arguments. A timeout of 0 means 1 min; the program is killed at its end, on Unix with all that it has started and that is in its process group.
func NewCommand(args, environ []string, timeout time.Duration) (*Command, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("events: no program")
	}
	program, err := exec.LookPath(args[0])
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	if timeout <= 0 {
		timeout = time.Minute
	}
	c := &Command{args: append([]string{program}, args[1:]...), timeout: timeout}
	for _, v := range environ {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "PATH", "HOME", "LANG", "TZ":
			c.env = append(c.env, v)
		}
	}
	return c, nil
}

// values are what an event has to fill in, in the order of the documentation.
func (e Event) values() [][2]string {
	number := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	var seconds string
	if e.Seconds != nil {
		seconds = strconv.FormatFloat(*e.Seconds, 'f', -1, 64)
	}
	return [][2]string{
		{"type", string(e.Type)}, {"id", e.ID}, {"time", e.Time.Format(time.RFC3339Nano)}, {"user", e.User}, {"remote", e.Remote},
		{"path", e.Path}, {"to", e.To}, {"bytes", number(e.Bytes)}, {"size", number(e.Size)}, {"seconds", seconds}, {"backend", e.Backend}, {"bucket", e.Bucket}, {"key", e.Key},
		{"version", e.Version}, {"checksum", e.Checksum}, {"result", e.Result},
	}
}

// Deliver implements Target.
func (c *Command) Deliver(ctx context.Context, e Event) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var pairs []string
	env := append([]string(nil), c.env...)
	for _, v := range e.values() {
		if strings.ContainsRune(v[1], 0) {
			return &Refusal{fmt.Errorf("%s holds a NUL", v[0])}
		}
		pairs = append(pairs, "{"+v[0]+"}", v[1])
		env = append(env, "FTP_"+strings.ToUpper(v[0])+"="+v[1])
	}
	whole, err := json.Marshal(e)
	if err != nil {
		return &Refusal{err}
	}
	if len(whole) <= maxVariable {
		env = append(env, "FTP_EVENT="+string(whole))
	}
	fill := strings.NewReplacer(pairs...)
	args := make([]string, 0, len(c.args)-1)
	for _, a := range c.args[1:] {
		args = append(args, fill.Replace(a))
	}
	cmd := exec.CommandContext(ctx, c.args[0], args...)
	cmd.Env = env
	wholly(cmd)
	cmd.WaitDelay = 5 * time.Second // a child of it may hold on to its output
	said := &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	// A child that is left behind and still has the output open does not make the exit status 0 a failure.
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w: %.500q", c.args[0], err, said.b)
	}
	return nil
}

// tail keeps the end of what a program says, for the log.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - 500; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}
