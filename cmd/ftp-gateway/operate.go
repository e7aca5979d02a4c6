package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ftp-gateway/ftp-gateway/admin"
	"github.com/ftp-gateway/ftp-gateway/logging"
)

// add gives a command the options by which it finds the running program.
func (f *socketFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.socket, "socket", "", "socket of the running server (default admin.socket of the configuration, or "+defaultSocket+")")
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file of the running server (default: $FTP_GATEWAY_CONFIG)")
}

// ask runs f with a client for the running program.
func (f *socketFlags) ask(cmd *cobra.Command, env func(string) (string, bool), do func(ctx context.Context, c *admin.Client) error) error {
	path, err := f.find(env)
	if err != nil {
		return err
	}
	c := admin.NewClient(path)
	defer c.Close()
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return asRefused(answered(path, do(ctx, c)))
}

// answered says what can be done where the socket at path could not be opened.
func answered(path string, err error) error {
	switch op := (*net.OpError)(nil); {
	case !errors.As(err, &op) || op.Op != "dial":
		return err
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the socket %s may not be opened: %w (hint: only the server's own user and root can)", path, op.Err)
	default:
		return fmt.Errorf("no server answers at %s: %w (hint: it needs admin.socket in its configuration; say by --socket or --config where that is)", path, op.Err)
	}
}

func newSessions(env func(string) (string, bool)) *cobra.Command {
	var where socketFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "sessions",
		Short:   "Print the sessions of the running server",
		Long:    `Print the sessions of the running server, its bans, memory and back ends, as "top --once" does.`,
		Example: "  ftp-gateway sessions --json | jq '.sessions[] | select(.user == \"cam7\")'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return where.ask(cmd, env, func(ctx context.Context, c *admin.Client) error {
				return printStatus(ctx, c, cmd.OutOrStdout(), asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	where.add(cmd)
	return cmd
}

func newKick(env func(string) (string, bool)) *cobra.Command {
	var where socketFlags
	cmd := &cobra.Command{
		Use:   "kick ID ...",
		Short: "End sessions of the running server",
		Long: `End sessions of the running server. What they are uploading is treated as a cut: in a bucket
nothing of it is seen. An upload whose last byte has been taken may still come to its end.
"ftp-gateway sessions" tells the IDs.`,
		Example: "  ftp-gateway kick 4711",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ids []uint64
			for _, a := range args {
				id, err := strconv.ParseUint(a, 10, 64)
				if err != nil {
					return fmt.Errorf("%q is no ID of a session, which is a number", a)
				}
				ids = append(ids, id)
			}
			return where.ask(cmd, env, func(ctx context.Context, c *admin.Client) error {
				var errs []error
				for _, id := range ids {
					errs = append(errs, c.EndSession(ctx, id))
				}
				return errors.Join(errs...)
			})
		},
	}
	where.add(cmd)
	return cmd
}

func newUnban(env func(string) (string, bool)) *cobra.Command {
	var where socketFlags
	cmd := &cobra.Command{
		Use:   "unban NETWORK ...",
		Short: "Let banned addresses in again",
		Long: `Let banned addresses in again, and forget the wrong passwords that came from there. A network
stands for all addresses in it; of an IPv6 address it is the whole /64, as the ban is.`,
		Example: "  ftp-gateway unban 192.0.2.7\n  ftp-gateway unban 10.0.0.0/8",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return where.ask(cmd, env, func(ctx context.Context, c *admin.Client) error {
				var errs []error
				for _, a := range args {
					errs = append(errs, c.Unban(ctx, a))
				}
				return errors.Join(errs...)
			})
		},
	}
	where.add(cmd)
	return cmd
}

func newDebug(env func(string) (string, bool)) *cobra.Command {
	var where socketFlags
	var d admin.Debug
	var off bool
	var last time.Duration
	cmd := &cobra.Command{
		Use:   "debug [--user NAME] [--address NETWORK] [--for 10m] [--off]",
		Short: "Log each command and reply of a user or network",
		Long: `Log each command and reply of a user or network, while the server runs: of sessions that are open and of
new ones. Sessions that have only sent the user's name are among them, so that failing logins can be seen.
Passwords are never shown. --off takes back what --user and --address name, and all of it without them. Without any option
it prints whose commands are logged now.`,
		Example: `  ftp-gateway debug --user cam7 --for 10m
  ftp-gateway debug --address 10.0.0.0/8
  ftp-gateway debug --off`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			named := d != admin.Debug{}
			switch {
			case cmd.Flags().Changed("for") && (last <= 0 || off):
				return errors.New("--for is a time that is more than 0, and not for --off")
			case last != 0 && !named:
				return errors.New("whose commands? give --user, --address or --all")
			}
			return where.ask(cmd, env, func(ctx context.Context, c *admin.Client) error {
				switch {
				case off:
					return c.UnsetDebug(ctx, d)
				case named:
					d.Seconds = last.Seconds()
					return c.SetDebug(ctx, d)
				}
				st, err := c.Status(ctx)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "level: %s\n", st.Log.Level)
				for _, d := range st.Log.Debug {
					fmt.Fprintf(cmd.OutOrStdout(), "debug: %s\n", debugText(d, st.Now))
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.User, "user", "", "sessions of this user")
	f.StringVar(&d.Address, "address", "", "sessions from this address or network, such as 10.0.0.0/8; with --user those that are both")
	f.BoolVar(&d.All, "all", false, "all sessions")
	f.DurationVar(&last, "for", 0, "for how long, such as 10m (default until the server ends, or --off)")
	f.BoolVar(&off, "off", false, "no more of it")
	where.add(cmd)
	return cmd
}

// debugText is a rule in words.
func debugText(d admin.Debug, now time.Time) string {
	var words []string
	if d.User != "" {
		words = append(words, "user "+logging.Printable(d.User))
	}
	if d.Address != "" {
		words = append(words, "address "+d.Address)
	}
	if d.All {
		words = append(words, "all")
	}
	if d.Until != nil {
		words = append(words, "for "+age(d.Until.Sub(now)))
	}
	return strings.Join(words, " ")
}

// printStatus prints what goes on once.
func printStatus(ctx context.Context, c *admin.Client, out io.Writer, asJSON bool) error {
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, st)
	}
	v := &view{}
	v.take(st)
	_, err = io.WriteString(out, strings.Join(v.lines(0, 0), "\n")+"\n")
	return err
}
