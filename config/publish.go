package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Publish is a pattern of publish_on_rename: what stands before and behind the star in the name of the upload, and in
// the name that it is renamed to.
type Publish struct{ From, To [2]string }

// ParsePublish reads a pattern such as "*.tmp -> *".
func ParsePublish(s string) (Publish, error) {
	from, to, ok := strings.Cut(s, "->")
	if !ok {
		return Publish{}, fmt.Errorf("%q has no arrow", s)
	}
	var p Publish
	for _, side := range []struct {
		text string
		at   *[2]string
	}{{from, &p.From}, {to, &p.To}} {
		text := strings.TrimSpace(side.text)
		switch {
		case strings.Count(text, "*") != 1:
			return Publish{}, fmt.Errorf("%q: one * is needed on each side", s)
		case strings.Contains(text, "/"):
			return Publish{}, fmt.Errorf("%q holds a slash: a file becomes visible in its own directory", s)
		}
		side.at[0], side.at[1], _ = strings.Cut(text, "*")
	}
	switch {
	case p.From == p.To:
		return Publish{}, fmt.Errorf("%q changes nothing", s)
	case p.From == [2]string{}:
		return Publish{}, fmt.Errorf("%q would hold back every file", s)
	}
	return p, nil
}

// publish checks the patterns of publish_on_rename.
func (k *checker) publish(at string, patterns []string) {
	for i, s := range patterns {
		if _, err := ParsePublish(s); err != nil {
			k.errorf(fmt.Sprintf("%s.publish_on_rename[%d]", at, i), `for example "*.tmp -> *"`, "%v", err)
		}
	}
}

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
	places := []string{a.Home}
	for _, dir := range slices.Sorted(maps.Keys(a.Mounts)) {
		places = append(places, a.Mounts[dir])
	}
	told := map[string]bool{}
	for _, place := range places {
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

// MayPark reports whether uploads into a back end may be kept in the bucket, cut or waiting for a rename: by its own key, or by one of
// an account or a profile. Accounts that a service tells may say anything.
func (c *Config) MayPark(name string) bool {
	b := c.Backends[name]
	if b.S3 != nil && b.S3.Cut == "resume" || b.GCS != nil && b.GCS.Cut == "resume" || c.HTTPUsers != nil {
		return true
	}
	for _, p := range c.Profiles {
		if p.Cut == "resume" || len(p.PublishOnRename) > 0 {
			return true
		}
	}
	for _, a := range c.accounts() {
		if a.Cut == "resume" || len(a.PublishOnRename) > 0 {
			return true
		}
	}
	// What the files with users say is not known here.
	return len(c.UsersFile) > 0
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

// publishing checks the keys of an account about files that are renamed after their upload.
func (k *checker) publishing(at string, a *Account) {
	k.publish(at, a.PublishOnRename)
	if len(a.PublishOnRename) > 0 && cmp.Or(a.Overwrite, "yes") == "rename" {
		k.errorf(at+".publish_on_rename", `use overwrite: yes or no`, "contradicts overwrite: rename: which name a file gets is not known before its rename")
	}
}
