package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// builtin are the profiles that every configuration has. What one of them leaves
// out is as without a profile.
var builtin = map[string]Profile{
	"camera": {ASCII: "never", ExistingDir: yes, MakeParents: yes, PeerAddress: yes},
	"logger": {ASCII: "never", MakeParents: yes},
	"mfp":    {ASCII: "never", PeerAddress: yes, TLSMin: "1.0"},
	// Its text comes as RFC 959's default type without a TYPE command.
	"mainframe": {ASCII: "always", AnySITE: yes, Records: yes},
	"plc":       {ASCII: "never", NoExtended: yes, CloseNotify: "accept", ControlLost: "accept"},
	"strict":    {ASCII: "always", Strict: yes, StrictALLO: yes},
}

var yes = new(true)

// ProfileNames returns the names of all profiles, built in or not, sorted.
func (c *Config) ProfileNames() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(builtin)), maps.Keys(c.Profiles))
	slices.Sort(names)
	return slices.Compact(names)
}

// Profile returns a profile with everything filled in from its base and, where that says nothing, from
// the document; only Encoding, TLSMin, Cut and PublishOnRename may still be empty. It reports false where there is none of that name.
func (c *Config) Profile(name string) (Profile, bool) {
	p, err := c.resolve(name, nil)
	if err != nil {
		return Profile{}, false
	}
	return p.over(Profile{ASCII: c.ASCII, CloseNotify: c.Cut.CloseNotify, ControlLost: c.Cut.ControlLost,
		ExistingDir: new(bool), MakeParents: new(bool), PeerAddress: new(bool), NoExtended: new(bool), Records: new(bool),
		AnySITE: new(bool), StrictALLO: new(bool), Strict: new(bool)}), true
}

// resolve returns a profile over its bases. Seen are the ones that are being resolved.
func (c *Config) resolve(name string, seen []string) (Profile, error) {
	p, own := c.Profiles[name]
	base, known := builtin[name]
	switch {
	case !own && !known:
		return Profile{}, fmt.Errorf("unknown profile %q", name)
	case !own:
		return base, nil
	case slices.Contains(seen, name):
		return Profile{}, fmt.Errorf("the profile %q is its own base", name)
	case p.Base == "" || p.Base == name && known:
		return p.over(base), nil
	}
	base, err := c.resolve(p.Base, append(seen, name))
	if err != nil {
		return Profile{}, err
	}
	return p.over(base), nil
}

// over fills what p leaves out from base.
func (p Profile) over(base Profile) Profile {
	for _, s := range []struct{ to, from *string }{{&p.ASCII, &base.ASCII}, {&p.Encoding, &base.Encoding},
		{&p.CloseNotify, &base.CloseNotify}, {&p.ControlLost, &base.ControlLost}, {&p.TLSMin, &base.TLSMin}, {&p.Cut, &base.Cut}} {
		if *s.to == "" {
			*s.to = *s.from
		}
	}
	if p.PublishOnRename == nil {
		p.PublishOnRename = base.PublishOnRename
	}
	for _, b := range []struct{ to, from **bool }{{&p.ExistingDir, &base.ExistingDir}, {&p.MakeParents, &base.MakeParents},
		{&p.PeerAddress, &base.PeerAddress}, {&p.NoExtended, &base.NoExtended}, {&p.Records, &base.Records},
		{&p.AnySITE, &base.AnySITE}, {&p.StrictALLO, &base.StrictALLO}, {&p.Strict, &base.Strict}} {
		if *b.to == nil {
			*b.to = *b.from
		}
	}
	return p
}

func (k *checker) profiles() {
	for _, name := range slices.Sorted(maps.Keys(k.c.Profiles)) {
		at, p := "profiles."+name, k.c.Profiles[name]
		if !backendName.MatchString(name) {
			k.errorf(at, "letters, digits, - and _", "%q is no name for a profile", name)
		}
		if p.Base != "" {
			k.profile(at+".base", p.Base)
			if _, err := k.c.resolve(name, nil); err != nil && k.knows(p.Base) {
				k.errorf(at+".base", "", "%v", err)
			}
		}
		k.encoding(at+".encoding", p.Encoding)
		k.oldTLS(at+".tls_min", p.TLSMin)
		k.publish(at, p.PublishOnRename)
	}
}

// profile checks the name of a profile; empty means none.
func (k *checker) profile(at, name string) {
	if name == "" || k.knows(name) {
		return
	}
	k.errorf(at, k.profileHint(name), "unknown profile %q", name)
}

func (k *checker) knows(profile string) bool {
	return slices.Contains(k.c.ProfileNames(), profile)
}

func (k *checker) profileHint(name string) string {
	names := k.c.ProfileNames()
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	return "there are " + strings.Join(names, ", ")
}
