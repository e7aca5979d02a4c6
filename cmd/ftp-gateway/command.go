package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// version is set by the linker for releases.
var version = ""

// Exit codes.
const (
	exitOK      = 0
	exitRefused = 1 // a mistake in the configuration, or a start that failed
	exitUsage   = 2
)

// refused is an error of doing something, as opposed to one of asking for it.
type refused struct{ err error }

func (r refused) Error() string { return r.err.Error() }
func (r refused) Unwrap() error { return r.err }

// run is the whole program but for the exit.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	switch err := root.Execute(); {
	case err == nil:
		return exitOK
	case errors.As(err, new(refused)):
		if text := strings.TrimRight(err.Error(), "\n"); text != "" {
			fmt.Fprintln(stderr, text)
		}
		return exitRefused
	default:
		fmt.Fprintf(stderr, "ftp-gateway: %v\nTry \"ftp-gateway --help\".\n", err)
		return exitUsage
	}
}

func newRoot(env func(string) (string, bool)) *cobra.Command {
	root := &cobra.Command{
		Use:   "ftp-gateway",
		Short: "An FTP and FTPS server for object stores and local directories",
		Long: `An FTP and FTPS server whose disk is an object store (S3, GCS) or a local directory.

Without a command it shares one directory or bucket at once, with the options of
"python3 -m pyftpdlib". The current directory, read only, for everybody, on port
2121 of all addresses is what it shares without options.`,
		Example: `  ftp-gateway                                    share the current directory, read only
  ftp-gateway -w -i 127.0.0.1 -p 8021 -d /tmp    let everybody on this machine write
  ftp-gateway -u cam7 -P secret -w -d s3://pictures/site-1
  FTP_GATEWAY_PASSWORD=secret ftp-gateway -u cam7 -d gs://pictures
  ftp-gateway --tls --certfile server.pem --tls-control-required
  ftp-gateway serve --config ftp-gateway.yaml`,
		Args:          noArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       buildVersion(),
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("ftp-gateway {{.Version}}\n")
	addQuick(root, env)
	root.AddCommand(newServe(env), newCheck(env), newHashPassword(), newConfig(), newVersion())
	root.AddCommand(newTop(env), newSessions(env), newKick(env), newDebug(env), newUnban(env))
	return root
}

// noArgs is cobra.NoArgs with a text for people who look for a command.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q", args[0])
}

func newServe(env func(string) (string, bool)) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Serve what a configuration says",
		Long: `Serve what a configuration says, until SIGTERM or SIGINT. Running transfers may then go on
for the configured grace; a second signal ends them at once. SIGHUP opens the log files
anew and reads the certificates and the users again; SIGUSR1 only opens the log files.`,
		Example: "  ftp-gateway serve --config /etc/ftp-gateway/ftp-gateway.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := configFile(file, env)
			if err != nil {
				return err
			}
			cfg, report := load(file)
			if report.Failed() {
				return refused{errors.New(report.String())}
			}
			return serveUntilSignal(cfg, report, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration file (default: $FTP_GATEWAY_CONFIG)")
	return cmd
}

func newCheck(env func(string) (string, bool)) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Find every mistake in a configuration",
		Long: `Find every mistake in a configuration, each with its line and a hint, without serving. Files
that it names are looked at, stores are not asked. Warnings alone are no failure.`,
		Example: "  ftp-gateway check --config ftp-gateway.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := configFile(file, env)
			if err != nil {
				return err
			}
			_, report := load(file)
			if report.Failed() {
				return refused{errors.New(report.String())}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s%s: good\n", report, file)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration file (default: $FTP_GATEWAY_CONFIG)")
	return cmd
}

// configFile is the flag's value or that of the environment.
func configFile(flag string, env func(string) (string, bool)) (string, error) {
	if flag == "" {
		flag, _ = env("FTP_GATEWAY_CONFIG")
	}
	if flag == "" {
		return "", errors.New("which configuration? give --config FILE or set FTP_GATEWAY_CONFIG")
	}
	return flag, nil
}

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "About the configuration file",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New(`config needs a command: "config defaults" or "config schema"`)
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "defaults",
		Short:   "Print every key with its default and its documentation",
		Example: "  ftp-gateway config defaults > ftp-gateway.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), config.Defaults())
			return asRefused(err)
		},
	}, &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the file, for editors",
		Long: `Print the JSON Schema (draft-07) of the configuration file. Editors complete and explain keys
with it, and mark mistakes, if the file begins with the line

    # yaml-language-server: $schema=ftp-gateway.schema.json

What takes more than one key to see, and the files that are named, only "ftp-gateway check"
looks at.`,
		Example: "  ftp-gateway config schema > ftp-gateway.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), config.Schema())
			return asRefused(err)
		},
	})
	return cmd
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "ftp-gateway %s %s %s/%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return asRefused(err)
		},
	}
}

func asRefused(err error) error {
	if err == nil {
		return nil
	}
	return refused{err}
}

// buildVersion is the release's version, or what the go command has written into the binary.
func buildVersion() string {
	if version != "" {
		return version
	}
	if bi, ok := debug.ReadBuildInfo(); ok && bi.Main.Version != "" {
		return bi.Main.Version
	}
	return "(devel)"
}

// serveUntilSignal serves until the process is told to end.
func serveUntilSignal(cfg *config.Config, warnings config.Report, stderr io.Writer) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, reopenSignals...)...)
	defer signal.Stop(signals)
	return asRefused(serve(cfg, warnings, stderr, signals))
}
