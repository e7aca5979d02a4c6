package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of the times in /proc/PID/stat: USER_HZ, which Linux has
// fixed at 100 for every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// stat is what is read from /proc/PID/stat.
type stat struct {
	state  string
	parent int
	own    time.Duration // user and system time of the process
	ended  time.Duration // of its children that have ended and were waited for, and theirs
}

// readStat reads the line of a process; see proc(5).
func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	s, err := parseStat(string(b))
	if err != nil {
		return s, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return s, nil
}

func parseStat(text string) (stat, error) {
	// The name, in parentheses, may have anything in it.
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 15 {
		return stat{}, fmt.Errorf("too short: %q", text)
	}
	var n [15]int
	for _, i := range []int{1, 11, 12, 13, 14} { // ppid, utime, stime, cutime, cstime
		var err error
		if n[i], err = strconv.Atoi(f[i]); err != nil {
			return stat{}, err
		}
	}
	return stat{f[0], n[1], time.Duration(n[11]+n[12]) * clockTick, time.Duration(n[13]+n[14]) * clockTick}, nil
}

// gone tells whether an error says that a process has just ended.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) }

// adoptOrphans makes this process the parent of descendants that have lost theirs, so that their
// CPU time can be asked for when they have ended. vsftpd's sessions leave
// processes behind that way: which of its two processes ends first is chance.
func adoptOrphans() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER, see prctl(2)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return fmt.Errorf("prctl: %w", errno)
	}
	return nil
}

// processes are a server's first process and all that have come of it.
type processes struct {
	first   int
	others  []int         // started by this process too, and no part of the server
	orphans time.Duration // CPU time of those that this process had to bury
}

// list returns all that live: descendants of the first, and those that had to be adopted.
func (p *processes) list() (map[int]stat, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	all := map[int]stat{}
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all[pid] = s
	}
	self := os.Getpid()
	found := map[int]stat{}
	for pid := range all {
		// Up to the first, or to what is a child of this process.
		top := pid
		for top != p.first && all[top].parent > 1 && all[top].parent != self {
			top = all[top].parent
		}
		if top != p.first && (all[top].parent != self || slices.Contains(p.others, top)) {
			continue
		}
		if pid == top && pid != p.first && all[pid].state == "Z" {
			var use syscall.Rusage
			if _, err := syscall.Wait4(pid, nil, syscall.WNOHANG, &use); err != nil {
				return nil, fmt.Errorf("wait for %d: %w", pid, err)
			}
			p.orphans += time.Duration(use.Utime.Nano() + use.Stime.Nano())
			continue
		}
		found[pid] = all[pid]
	}
	return found, nil
}

// self tells that it is not a server but this process that is measured.
func (p *processes) self() bool { return p.first == os.Getpid() }

// cpu returns the CPU time that has been used, with that of processes that have ended. A
// process rounds its own down to a clock tick, so with many short ones alive the
// sum is too low: settle first.
func (p *processes) cpu() (time.Duration, error) {
	if p.self() {
		s, err := readStat(p.first)
		return s.own, err
	}
	list, err := p.list()
	sum := p.orphans
	for _, s := range list {
		sum += s.own + s.ended
	}
	return sum, err
}

// settle waits until only the first process is left, so that the CPU times of all others are known.
func (p *processes) settle(ctx context.Context) error {
	if p.self() {
		return nil
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := p.list()
		if err != nil {
			return err
		}
		if _, ok := list[p.first]; !ok {
			return fmt.Errorf("the server, process %d, has ended", p.first)
		}
		if len(list) == 1 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d processes are still there: %w", len(list)-1, context.Cause(ctx))
		}
	}
}

// bury waits until all have ended. They must have been told to.
func (p *processes) bury(ctx context.Context) error {
	for !p.self() {
		list, err := p.list()
		if err != nil || len(list) == 0 {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d processes did not end: %w", len(list), context.Cause(ctx))
		}
	}
	return nil
}

// pss returns the memory in KiB, each shared page divided by the number of its users.
func (p *processes) pss() (int64, error) {
	list, err := p.list()
	if err != nil {
		return 0, err
	}
	var sum int64
	for pid := range list {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if gone(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		n, err := pssOf(string(b))
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/smaps_rollup: %w", pid, err)
		}
		sum += n
	}
	return sum, nil
}

// pssOf finds the line in smaps_rollup.
func pssOf(text string) (int64, error) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			return strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		}
	}
	return 0, errors.New("no Pss in it")
}
