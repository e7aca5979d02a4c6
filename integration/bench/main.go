// Command bench measures ftp-gateway against another FTP server on the same
// machine, and its S3 back end against the bare SDK.
//
//	make bench
//	.cache/bin/bench -rounds 5 -peers ftp-gateway,vsftpd -only small,login
//
// Every figure comes from a server that was started for it over an empty directory; the
// peers take turns within each measurement, and their order turns with each round, so that a
// machine that becomes slower in the course of a run is unfair to nobody. The medians of the rounds are
// printed as a Markdown table, with the lowest and the highest round behind them. With -doc the
// table also replaces the one in a document, between two marker comments. Nothing passes or fails by its time: the exit code
// only tells whether everything could be measured.
//
// The load comes from this process, over loopback, on the same cores. A
// ratio is therefore nearer to 1 than it would be with a client of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// options are the command line.
type options struct {
	gateway string
	rounds  int
	peers   []string
	only    []string
	dir     string
	doc     string
	patience
	sizes
}

// patience bounds how long a broken server can hang a run.
type patience struct{ cell time.Duration }

func parseOptions(args []string, errs io.Writer) (options, error) {
	var o options
	var peers, only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.gateway, "gateway", "", "the gateway's `binary`; default: build it")
	f.IntVar(&o.rounds, "rounds", 3, "measure everything this often")
	f.StringVar(&peers, "peers", strings.Join(names(allPeers("")), ","), "who is measured: a `list` of these")
	f.StringVar(&only, "only", strings.Join(groupNames(), ","), "what is measured: a `list` of these")
	f.StringVar(&o.dir, "dir", "", "`directory` for the servers' files; default: a temporary one")
	f.StringVar(&o.doc, "doc", "", "put the table into this `file`, between its markers")
	f.Int64Var(&o.bigMiB, "big", 256, "size of the big file in `MiB`")
	f.IntVar(&o.files, "files", 3000, "how many small files, by all clients together")
	f.IntVar(&o.fileSize, "size", 10<<10, "size of a small file in `bytes`")
	f.IntVar(&o.logins, "logins", 1000, "how many logins")
	f.IntVar(&o.entries, "entries", 10_000, "entries of the listed directory")
	f.IntVar(&o.listings, "listings", 20, "how often it is listed")
	f.IntVar(&o.idle, "idle", 1000, "how many idle sessions")
	f.DurationVar(&o.hold, "hold", 5*time.Second, "how long they are idle while CPU time is counted")
	f.DurationVar(&o.cell, "patience", 5*time.Minute, "gives up when one figure of one server takes longer")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.rounds < 1 || o.bigMiB < 1 || o.files < 1 || o.logins < 1 || o.entries < 1 || o.listings < 1 || o.idle < 1 {
		return o, errors.New("counts and sizes begin at 1")
	}
	if o.fileSize < 0 || o.fileSize > blockSize {
		return o, fmt.Errorf("a small file has at most %d bytes", blockSize)
	}
	var err error
	if o.peers, err = choose("peer", peers, names(allPeers(""))); err != nil {
		return o, err
	}
	o.only, err = choose("measurement", only, groupNames())
	return o, err
}

// choose splits a list and refuses what is not known.
func choose(what, list string, known []string) ([]string, error) {
	chosen := strings.Split(list, ",")
	for _, c := range chosen {
		if !slices.Contains(known, c) {
			return nil, fmt.Errorf("no %s %q; there are %s", what, c, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program: the table to out, what goes on to progress.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	if o.gateway == "" {
		if o.gateway, err = servers.BuildGateway(ctx); err != nil {
			return err
		}
	}
	// The servers run in directories of their own.
	if o.gateway, err = filepath.Abs(o.gateway); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "ftp-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// A server may serve it as somebody else.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	raiseFileLimit()
	if err := adoptOrphans(); err != nil {
		return err
	}
	m := &meter{options: o, dir: dir, progress: progress, seen: map[cell][]figure{}}
	for round := range o.rounds {
		for _, g := range groups {
			if !slices.Contains(o.only, g.name) {
				continue
			}
			if err := m.group(ctx, g, round); err != nil {
				return fmt.Errorf("round %d: %w", round+1, err)
			}
		}
	}
	var table strings.Builder
	m.write(&table)
	if _, err := io.WriteString(out, table.String()); err != nil {
		return err
	}
	if o.doc != "" {
		return putInto(o.doc, table.String())
	}
	return nil
}

// raiseFileLimit lets this process, and the servers that it starts, open as many files as they may.
func raiseFileLimit() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil && l.Cur < l.Max {
		l.Cur = l.Max
		// If it is refused, the measurement that needs more files says so itself.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	}
}
