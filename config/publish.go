package config

import (
	"fmt"
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

// publishing checks the keys of an account about files that are renamed after their upload.
func (k *checker) publishing(at string, a *Account) {
	k.publish(at, a.PublishOnRename)
	if len(a.PublishOnRename) > 0 && a.Overwrite == "rename" {
		k.errorf(at+".publish_on_rename", "use overwrite: yes or no", "contradicts overwrite: rename: which name a file gets is not known before its rename")
	}
}
