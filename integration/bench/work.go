package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// sizes say how much is measured.
type sizes struct {
	bigMiB   int64
	files    int
	fileSize int
	logins   int
	entries  int
	listings int
	idle     int
	hold     time.Duration
}

// group is what is measured with one start of a server.
type group struct {
	name  string
	kinds []string // of the peers it is for
	run   func(ctx context.Context, r *recorder) error
}

var groups = []group{
	{"big", []string{onDisk, onS3}, big},
	{"small", []string{onDisk, onS3}, small},
	{"login", []string{onDisk}, logins},
	{"list", []string{onDisk}, list},
	{"idle", []string{onDisk}, idle},
}

func groupNames() []string {
	var list []string
	for _, g := range groups {
		list = append(list, g.name)
	}
	return list
}

// dial opens n sessions, one after the other.
func dial(ctx context.Context, t *target, n int) ([]session, error) {
	list := make([]session, 0, n)
	for range n {
		s, err := t.dial(ctx)
		if err != nil {
			return nil, errors.Join(err, closeAll(list))
		}
		list = append(list, s)
	}
	return list, nil
}

func closeAll(list []session) error {
	var errs []error
	for _, s := range list {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// share lets each session do its share of n numbered jobs, all at the same time.
func share(list []session, n int, job func(s session, i int) error) error {
	var next atomic.Int64
	errs := make([]error, len(list))
	var group sync.WaitGroup
	for w, s := range list {
		group.Go(func() { // ends with the jobs, or with its first error
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := job(s, i); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// get wants all of a file.
func get(ctx context.Context, s session, name string, want int64) error {
	n, err := s.Get(ctx, name)
	if err == nil && n != want {
		err = fmt.Errorf("%s: %d bytes arrived, want %d", name, n, want)
	}
	return err
}

// big moves one big file in and out.
func big(ctx context.Context, r *recorder) error {
	size := r.bigMiB << 20
	for _, way := range []struct {
		what string
		job  func(s session) error
	}{
		{"in", func(s session) error { return s.Put(ctx, "big.bin", size) }},
		{"out", func(s session) error { return get(ctx, s, "big.bin", size) }},
	} {
		err := r.measure(ctx, line{what: fmt.Sprintf("%d MiB %s", r.bigMiB, way.what), unit: "MiB/s", cpuUnit: "ms/MiB"}, 1, float64(r.bigMiB),
			func(list []session) error { return way.job(list[0]) })
		if err != nil {
			return err
		}
	}
	return nil
}

// small moves many small files in and out, with one client and with more.
func small(ctx context.Context, r *recorder) error {
	size := int64(r.fileSize)
	for _, clients := range []int{1, 10, 50} {
		for _, way := range []struct {
			what string
			job  func(s session, i int) error
		}{
			{"in", func(s session, i int) error { return s.Put(ctx, fmt.Sprintf("c%d-%d.bin", clients, i), size) }},
			{"out", func(s session, i int) error { return get(ctx, s, fmt.Sprintf("c%d-%d.bin", clients, i), size) }},
		} {
			what := fmt.Sprintf("Files of %s %s, %d clients", bytesText(size), way.what, clients)
			if clients == 1 {
				what = fmt.Sprintf("Files of %s %s, 1 client", bytesText(size), way.what)
			}
			err := r.measure(ctx, line{what: what, unit: "files/s", cpuUnit: "ms/file"}, clients, float64(r.files),
				func(list []session) error { return share(list, r.files, way.job) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// logins opens and ends sessions, ten at a time.
func logins(ctx context.Context, r *recorder) error {
	return r.measure(ctx, line{what: "Logins, 10 clients", unit: "logins/s", cpuUnit: "ms/login"}, 0, float64(r.logins),
		func([]session) error {
			return share(make([]session, 10), r.logins, func(_ session, _ int) error {
				s, err := r.target.dial(ctx)
				if err != nil {
					return err
				}
				return s.Close()
			})
		})
}

// list lists a large directory.
func list(ctx context.Context, r *recorder) error {
	dir := filepath.Join(r.target.disk, "many")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for i := range r.entries {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("picture-%06d.jpg", i)), nil, 0o644); err != nil {
			return err
		}
	}
	verbs := []string{"LIST"}
	if r.target.mlsd {
		verbs = append(verbs, "MLSD")
	}
	for _, verb := range verbs {
		err := r.measure(ctx, line{what: fmt.Sprintf("%s of %d entries", verb, r.entries), unit: "listings/s", cpuUnit: "ms/listing"}, 1, float64(r.listings),
			func(list []session) error {
				s := list[0].(*ftpSession)
				for range r.listings {
					n, err := s.receive(ctx, verb+" /many")
					// An entry has at least its name and a line break.
					if err == nil && n < int64(r.entries)*int64(len("picture-000000.jpg\r\n")) {
						err = fmt.Errorf("%s: only %d bytes", verb, n)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// idle measures what sessions cost that do nothing.
func idle(ctx context.Context, r *recorder) error {
	// The first sessions pay for what all share.
	warm, err := dial(ctx, r.target, 20)
	if err != nil {
		return err
	}
	if err := closeAll(warm); err != nil {
		return err
	}
	if err := r.target.proc.settle(ctx); err != nil {
		return err
	}
	base, err := r.target.proc.pss()
	if err != nil {
		return err
	}
	list, err := dial(ctx, r.target, r.idle)
	if err != nil {
		return err
	}
	held, err := r.target.proc.pss()
	if err != nil {
		return errors.Join(err, closeAll(list))
	}
	before, err := r.target.proc.cpu()
	if err != nil {
		return errors.Join(err, closeAll(list))
	}
	select {
	case <-time.After(r.hold):
	case <-ctx.Done():
		return errors.Join(ctx.Err(), closeAll(list))
	}
	after, err := r.target.proc.cpu()
	if err := errors.Join(err, closeAll(list)); err != nil {
		return err
	}
	r.add(line{what: fmt.Sprintf("Memory of an idle session, %d of them", r.idle), unit: "KiB", lower: true}, figure{value: float64(held-base) / float64(r.idle), cpu: -1})
	r.add(line{what: "Memory of the server without sessions", unit: "MiB", lower: true}, figure{value: float64(base) / 1024, cpu: -1})
	r.add(line{what: fmt.Sprintf("CPU of %d idle sessions", r.idle), unit: "ms/s", lower: true},
		figure{value: float64((after - before).Milliseconds()) / r.hold.Seconds(), cpu: -1})
	return nil
}

// bytesText writes a size as people do.
func bytesText(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
