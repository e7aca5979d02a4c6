package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Moment is what the names in braces in the directory of a home or mount stand for: the circumstances of a login.
type Moment struct {
	User   string     // {user}
	Remote netip.Addr // {remote}: the client's address
	Time   time.Time  // {yyyy} {MM} {dd} {HH}: of the login, in the zone of its Location
}

// placeholders are the names in braces, in the order in which people write them.
var placeholders = []string{"{user}", "{remote}", "{yyyy}", "{MM}", "{dd}", "{HH}"}

// Expand replaces the names in braces in a directory.
func (m Moment) Expand(dir string) string {
	if !strings.Contains(dir, "{") {
		return dir
	}
	return strings.NewReplacer(
		"{user}", m.User,
		"{remote}", m.Remote.WithZone("").String(),
		"{yyyy}", fmt.Sprintf("%04d", m.Time.Year()),
		"{MM}", m.Time.Format("01"),
		"{dd}", m.Time.Format("02"),
		"{HH}", m.Time.Format("15"),
	).Replace(dir)
}

// badPlaceholder returns what stands in braces in a directory and means nothing; see badBraces.
func badPlaceholder(dir string) string { return badBraces(dir, placeholders) }

// badBraces returns what stands in braces in a text and is none of the names, or a brace without
// its other half; empty where all is well.
func badBraces(text string, names []string) string {
	for rest := text; ; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			return ""
		}
		end := strings.IndexByte(rest[open:], '}')
		if rest[open] == '}' || end < 0 {
			return rest[open : open+1]
		}
		name := rest[open : open+end+1]
		if !slices.Contains(names, name) {
			return name
		}
		rest = rest[open+end+1:]
	}
}
