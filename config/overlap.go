package config

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// overlaps warns of files that a user sees under two names, as where the home contains what is
// mounted: what is removed under the one is gone under the other.
func (k *checker) overlaps(at, home string, mounts map[string]string) {
	type shown struct{ dir, backend, place string }
	var all []shown
	add := func(dir, place string) (shown, bool) {
		backend, inner, err := SplitPlace(place)
		s := shown{dir, backend, path.Clean("/" + inner)}
		if err == nil {
			all = append(all, s)
		}
		return s, err == nil
	}
	add("/", home)
	for _, dir := range slices.Sorted(maps.Keys(mounts)) {
		before := all
		s, ok := add(path.Clean("/"+dir), mounts[dir])
		if !ok {
			continue
		}
		for _, o := range before {
			if o.backend == s.backend && (within(s.place, o.place) || within(o.place, s.place)) {
				k.warnf(at+".mounts."+dir, "", "overlaps with %s: %q and %q have files in common", o.dir, o.backend+":"+o.place, s.backend+":"+s.place)
				break
			}
		}
	}
}

// within reports whether dir is in, or is, the directory of.
func within(dir, of string) bool {
	return dir == of || of == "/" || strings.HasPrefix(dir, of+"/")
}
