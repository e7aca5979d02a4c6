package main

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/config"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// wishes are what a login may want of the back end that its tree is in: the account's own, else those of the profile that
// holds for the session.
type wishes struct {
	cfg  *config.Config
	log  *slog.Logger
	name string // of the back end
	cut  string // what the back end is set to
	told sync.Map
	// parks: a login has wanted uploads to be kept in the bucket, of a user perhaps who was not there at the start.
	parks atomic.Bool
}

// cutOf returns what becomes of the login's cut uploads. What the back end cannot do has been refused for the users of the
// document; for others it does what it is set to.
func (w *wishes) cutOf(a *auth.Account) string {
	p, _ := w.cfg.Profile(a.Device)
	want := cmp.Or(a.Cut, p.Cut, w.cut)
	if slices.Contains(w.cfg.Backends[w.name].Cuts(), want) {
		return want
	}
	if _, told := w.told.LoadOrStore(want, true); !told && want != w.cut {
		w.log.Warn("the back end cannot do with cut uploads what an account or a profile wants", "backend", w.name, "user", a.Name,
			"wants", want, "does", w.cut)
	}
	return w.cut
}

// localCut is cutOf of a disk.
func (w *wishes) localCut(a *auth.Account) local.Cut {
	if w.cutOf(a) == "discard" {
		return local.CutDiscard
	}
	return local.CutKeep
}

// publish returns the names of the login's uploads that wait for their rename. Where taken names are numbered there are none: the
// name is fixed from the beginning.
func (w *wishes) publish(a *auth.Account) []object.Rule {
	patterns := a.Publish
	if patterns == nil {
		p, _ := w.cfg.Profile(a.Device)
		patterns = p.PublishOnRename
	}
	if a.Overwrite == "rename" {
		return nil
	}
	var rules []object.Rule
	for _, s := range patterns {
		if p, err := config.ParsePublish(s); err == nil { // else config has told
			rules = append(rules, object.Rule(p))
		}
	}
	return rules
}
