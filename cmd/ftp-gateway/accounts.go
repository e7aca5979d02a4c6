package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
)

// watchEvery is how often the files that hold users are looked at. A change counts when two looks in a row have seen the same,
// so that a file is not read while it is written. Looking works the same on network file systems and
// where a directory is replaced by a symbolic link to another one, as for the volumes of Kubernetes.
const watchEvery = time.Second

// accounts are the users of the document and its files, read again when these have changed.
type accounts struct {
	cfg   *config.Config
	users *auth.Live
	log   *slog.Logger

	mu    sync.Mutex // held while the files are read
	files []string   // that were read
	seen  []stamp    // of those files, before they were read
}

// stamp is what a change of a file changes.
type stamp struct {
	size     int64
	modified time.Time
	id       os.FileInfo
	missing  bool
}

func (s stamp) equal(o stamp) bool {
	return s.size == o.size && s.modified.Equal(o.modified) && s.missing == o.missing && (s.missing || os.SameFile(s.id, o.id))
}

func stamps(files []string) []stamp {
	all := make([]stamp, len(files))
	for i, f := range files {
		fi, err := os.Stat(f)
		if err != nil {
			all[i].missing = true
			continue
		}
		all[i] = stamp{size: fi.Size(), modified: fi.ModTime(), id: fi}
	}
	return all
}

func newAccounts(cfg *config.Config, log *slog.Logger) (*accounts, error) {
	a := &accounts{cfg: cfg, log: log}
	a.watched(nil)
	sets, report := readUsers(cfg)
	if report.Failed() {
		return nil, refused{fmt.Errorf("%s", report)} // they have changed since the check
	}
	a.watched(sets)
	users, err := newUsers(cfg, sets)
	if err != nil {
		return nil, err
	}
	a.users = auth.NewLive(users)
	return a, nil
}

// watched notes the files that the sets came from. Those that were looked at before they were read keep what was seen then.
func (a *accounts) watched(sets []*config.UserSet) {
	files := a.cfg.UserFiles(sets)
	if f := a.cfg.File(); f != "" {
		files = append(files, f)
	}
	seen := stamps(files)
	for i, f := range files {
		if j := slices.Index(a.files, f); j >= 0 {
			seen[i] = a.seen[j]
		}
	}
	a.files, a.seen = files, seen
}

// watch reads the users again whenever a file of theirs has changed. It ends with ctx.
func (a *accounts) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var before []stamp
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.mu.Lock()
		now := stamps(a.files)
		changed := !slices.EqualFunc(now, a.seen, stamp.equal)
		a.mu.Unlock()
		if changed && slices.EqualFunc(now, before, stamp.equal) {
			a.reload()
		}
		before = now
	}
}

// reload reads all users again. If anything is wrong with them, all stay as they are.
func (a *accounts) reload() {
	a.mu.Lock()
	defer a.mu.Unlock()
	var r reading
	for {
		a.seen = stamps(a.files) // whatever is found wrong is told once
		r = a.read()
		// Files that are named for the first time are watched whether they are good or not, and missing ones too: what is
		// wrong with the users may be mended in one of them.
		more := slices.DeleteFunc(a.cfg.UserFiles(r.sets), func(f string) bool { return slices.Contains(a.files, f) })
		if len(more) == 0 {
			break
		}
		a.files = append(a.files, more...)
	}
	if r.more {
		a.log.Warn("the configuration has changed in more than its users, which needs a restart")
	}
	level := slog.LevelWarn
	if r.report.Failed() {
		level = slog.LevelError
	}
	for _, p := range r.report {
		if !p.Warning || !r.report.Failed() {
			a.log.Log(context.Background(), level, "users", "problem", p.String())
		}
	}
	if r.report.Failed() {
		a.log.Error("the users are not read anew, the old ones stay in use")
		return
	}
	users, err := newUsers(r.cfg, r.sets)
	if err != nil {
		a.log.Error("the users are not read anew, the old ones stay in use", "err", err)
		return
	}
	a.users.Replace(users)
	a.watched(r.sets)
	a.log.Info("users read", "users", a.users.Len())
}

// reading is what the document and its files say about users.
type reading struct {
	cfg    *config.Config
	sets   []*config.UserSet // if anything is wrong, only to tell the names of files
	more   bool              // the document has changed elsewhere too
	report config.Report
}

// read reads the users of the document and of its files. Everything else in it stays as it was at the start.
func (a *accounts) read() reading {
	r := reading{cfg: a.cfg}
	if a.cfg.File() != "" {
		now, report := config.Load(a.cfg.File())
		if report.Failed() {
			return reading{a.cfg, []*config.UserSet{{Users: now.Users}}, false, report}
		}
		r.cfg, r.report = a.cfg.WithUsersOf(now)
		r.more = !now.EqualButUsers(a.cfg)
	}
	sets, found := readUsers(r.cfg)
	r.sets = sets
	if !r.report.Failed() {
		r.report = append(r.report, found...)
	}
	return r
}
