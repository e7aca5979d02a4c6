package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ftp-gateway/ftp-gateway/admin"
)

func newTop(env func(string) (string, bool)) *cobra.Command {
	var where socketFlags
	var once, asJSON bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the running server",
		Long: `Watch the sessions of the running server, its bans, memory and back ends. q or Ctrl-C ends it; i, u, a, b, r and t
order the sessions by ID, user, address, bytes, rate and idle time. With --once, or where the output is no
terminal, it prints what goes on and ends.`,
		Example: `  ftp-gateway top --config /etc/ftp-gateway/ftp-gateway.yaml
  kubectl exec -it deploy/ftp-gateway -- /usr/local/bin/ftp-gateway top`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return errors.New("--every is at least 100ms")
			}
			return where.ask(cmd, env, func(ctx context.Context, c *admin.Client) error {
				screen, ok := newScreen(cmd.InOrStdin(), cmd.OutOrStdout())
				if once || asJSON || !ok {
					return printStatus(ctx, c, cmd.OutOrStdout(), asJSON)
				}
				ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
				defer stop()
				return watch(ctx, c, screen, every)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&once, "once", false, "print once and end")
	f.BoolVar(&asJSON, "json", false, "print JSON, once")
	f.DurationVar(&every, "every", time.Second, "time between two looks")
	where.add(cmd)
	return cmd
}

// screen is a terminal.
type screen struct{ in, out *os.File }

func newScreen(in io.Reader, out io.Writer) (screen, bool) {
	i, ok := in.(*os.File)
	o, also := out.(*os.File)
	if !ok || !also {
		return screen{}, false
	}
	return screen{i, o}, term.IsTerminal(int(i.Fd())) && term.IsTerminal(int(o.Fd()))
}

// What terminals understand: the other screen, without cursor and without a new line at the right edge; and back.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
)

// watch shows what goes on until q is typed or ctx is done, and leaves the terminal as it was.
func watch(ctx context.Context, c *admin.Client, s screen, every time.Duration) error {
	v := &view{}
	st, err := c.Status(ctx)
	if err != nil {
		return err // seen best on the screen as it is
	}
	v.take(st)
	was, err := term.MakeRaw(int(s.in.Fd()))
	if err != nil {
		return err
	}
	defer term.Restore(int(s.in.Fd()), was)
	if _, err := io.WriteString(s.out, enterScreen); err != nil {
		return err
	}
	defer io.WriteString(s.out, leaveScreen)
	keys := make(chan byte)
	go func() { // ends with the terminal, or with the program
		defer close(keys)
		var b [1]byte
		for {
			if n, err := s.in.Read(b[:]); n == 0 || err != nil {
				return
			}
			keys <- b[0]
		}
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	return v.loop(ctx, c.Status, keys, tick.C, s.draw)
}

// loop asks at each tick and draws whatever is new, until q is typed or ctx is done. A server that does not answer keeps no key waiting.
func (v *view) loop(ctx context.Context, ask func(context.Context) (*admin.Status, error), keys <-chan byte, tick <-chan time.Time, draw func(*view) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type answer struct {
		st  *admin.Status
		err error
	}
	answers := make(chan answer, 1)
	asking := false
	for {
		if err := draw(v); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case k, ok := <-keys:
			if !ok || k == 'q' || k == 'Q' || k == 3 {
				return nil
			}
			if slices.ContainsFunc(orders, func(o order) bool { return o.key == k }) {
				v.sort = k
			}
		case <-tick:
			if asking {
				continue
			}
			asking = true
			go func() { // ends with its answer, or with ctx
				st, err := ask(ctx)
				answers <- answer{st, err}
			}()
		case a := <-answers:
			asking = false
			if a.err != nil {
				v.err = a.err // it may be starting again
			} else {
				v.take(a.st)
			}
		}
	}
}

// draw draws all lines over the old ones.
func (s screen) draw(v *view) error {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	var b strings.Builder
	b.WriteString(home)
	for i, l := range v.lines(width, height) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(l)
		b.WriteString(clearLine)
	}
	_, err = io.WriteString(s.out, b.String())
	return err
}
