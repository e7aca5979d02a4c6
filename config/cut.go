package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Cuts are the values of the key cut that a back end can keep.
func (b Backend) Cuts() []string {
	switch {
	case b.S3 != nil, b.GCS != nil:
		return []string{"discard", "resume"}
	case b.Local != nil && b.Local.Atomic, b.Unix != nil && b.Unix.Atomic:
		return []string{"discard"}
	}
	return []string{"discard", "keep"}
}

// cut checks that the back ends of an account can do with cut uploads what its own key cut, or that of its profile, wants. An account that comes
// with a login gets what they can.
func (k *checker) cut(at string, a *Account) {
	p, _ := k.c.Profile(a.Profile)
	want, key := a.Cut, at+".cut"
	if want == "" {
		want, key = p.Cut, at+".profile"
	}
	if want == "" || k.runtime {
		return
	}
	told := map[string]bool{}
	for _, place := range a.places() {
		name, _, err := SplitPlace(place)
		b, ok := k.c.Backends[name]
		if err != nil || !ok || told[name] {
			continue // told already
		}
		told[name] = true
		if can := b.Cuts(); !slices.Contains(can, want) {
			k.errorf(key, "it can do "+strings.Join(can, " and "), "cut: %s is not possible in back end %q (%s)", want, name, b.Type())
		}
	}
}

// MayPark reports whether uploads into a back end may be kept in the bucket, cut or waiting for a rename. Accounts that a service
// tells may say anything, those of files are not known here, and the profile of a listener may be anybody's.
func (c *Config) MayPark(name string) bool {
	if c.parks(name) || c.HTTPUsers != nil || len(c.UsersFile) > 0 {
		return true
	}
	for _, p := range c.Profiles {
		if p.Cut == "resume" || len(p.PublishOnRename) > 0 {
			return true
		}
	}
	return false
}

// parks reports whether the back end's own key, or an account of the document with a place in it, wants that.
func (c *Config) parks(name string) bool {
	b := c.Backends[name]
	if b.S3 != nil && b.S3.Cut == "resume" || b.GCS != nil && b.GCS.Cut == "resume" {
		return true
	}
	for _, a := range c.accounts() {
		p, _ := c.Profile(a.Profile)
		if cmp.Or(a.Cut, p.Cut) != "resume" && len(a.PublishOnRename)+len(p.PublishOnRename) == 0 {
			continue
		}
		for _, place := range a.places() {
			if at, _, err := SplitPlace(place); err == nil && at == name {
				return true
			}
		}
	}
	return false
}

// places are the home and the mounts, in order.
func (a *Account) places() []string {
	all := []string{a.Home}
	for _, dir := range slices.Sorted(maps.Keys(a.Mounts)) {
		all = append(all, a.Mounts[dir])
	}
	return all
}

// accounts are those of the document.
func (c *Config) accounts() []Account {
	var all []Account
	for _, u := range c.Users {
		all = append(all, u.Account)
	}
	for _, h := range c.Htpasswd {
		all = append(all, h.Account)
	}
	if c.Anonymous != nil {
		all = append(all, c.Anonymous.Account)
	}
	for _, h := range c.Hosts {
		if h.Anonymous != nil {
			all = append(all, h.Anonymous.Account)
		}
	}
	if l := c.LDAPUsers; l != nil {
		for _, g := range l.Groups {
			all = append(all, g.Account)
		}
		if l.Account != nil {
			all = append(all, *l.Account)
		}
	}
	return all
}
