package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// line is what is measured: a line of the table.
type line struct {
	kind    string
	what    string
	unit    string
	lower   bool   // the better value is the lower one
	cpuUnit string // of the server's CPU time; empty where it is not told
}

// figure is one value of one round.
type figure struct {
	value float64
	cpu   float64 // negative where it is not told
}

type cell struct{ what, peer string }

// meter measures and remembers.
type meter struct {
	options
	dir      string
	progress io.Writer
	lines    []line // in the order of their first figure
	seen     map[cell][]figure
}

// group measures one group with all peers. Whose turn is first changes with the round.
func (m *meter) group(ctx context.Context, g group, round int) error {
	peers := slices.DeleteFunc(allPeers(m.gateway), func(p peer) bool {
		return !slices.Contains(m.peers, p.Name()) || !slices.Contains(g.kinds, p.Kind())
	})
	for i := range peers {
		p := peers[(i+round)%len(peers)]
		fmt.Fprintf(m.progress, "round %d of %d: %s, %s\n", round+1, m.rounds, g.name, p.Name())
		if err := m.one(ctx, g, p); err != nil {
			return fmt.Errorf("%s, %s: %w", g.name, p.Name(), err)
		}
	}
	return nil
}

// one measures a group with a server that is started for it.
func (m *meter) one(ctx context.Context, g group, p peer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, m.cell, fmt.Errorf("not within %s", m.cell))
	defer cancel()
	dir, err := os.MkdirTemp(m.dir, g.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	t, err := p.Start(ctx, dir)
	if err != nil {
		return err
	}
	err = g.run(ctx, &recorder{meter: m, peer: p, target: t})
	t.stop()
	return errors.Join(err, t.proc.bury(ctx))
}

// recorder measures one peer.
type recorder struct {
	*meter
	peer   peer
	target *target
}

// measure opens sessions, times what work does with them, count things, and ends them. The CPU
// time is the server's, over count, from before the first session was opened until the
// last has left no process behind: only then the times of ended processes are known.
func (r *recorder) measure(ctx context.Context, l line, sessions int, count float64, work func([]session) error) error {
	before, err := r.target.proc.cpu()
	if err != nil {
		return err
	}
	list, err := dial(ctx, r.target, sessions)
	if err != nil {
		return err
	}
	start := time.Now()
	err = work(list)
	took := time.Since(start)
	if err := errors.Join(err, closeAll(list)); err != nil {
		return err
	}
	if err := r.target.proc.settle(ctx); err != nil {
		return err
	}
	after, err := r.target.proc.cpu()
	if err != nil {
		return err
	}
	r.add(l, figure{count / took.Seconds(), float64(after-before) / float64(time.Millisecond) / count})
	return nil
}

// add remembers a figure.
func (r *recorder) add(l line, f figure) {
	l.kind = r.peer.Kind()
	if !slices.Contains(r.lines, l) {
		r.lines = append(r.lines, l)
	}
	c := cell{l.what, r.peer.Name()}
	r.seen[c] = append(r.seen[c], f)
	fmt.Fprintf(r.progress, "    %-40s %10s %s", l.what, number(f.value), l.unit)
	if l.cpuUnit != "" {
		fmt.Fprintf(r.progress, ", CPU %s %s", number(f.cpu), l.cpuUnit)
	}
	fmt.Fprintln(r.progress)
}
