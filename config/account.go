package config

import (
	"fmt"
	"strings"
	"time"
)

// Account is what a login gets.
type Account struct {
	// Letters: e change directory, l list, r retrieve, a append, d delete, f rename, m make directories,
	// w store, M change modes, T change times.
	Permissions string `yaml:"permissions"`
	// Other letters for some directories and what is in them. The longest path decides.
	Overrides []Override `yaml:"overrides"`
	// The tree that the user sees as "/": back end and directory. {user} stands for the name, {remote} for the client's
	// address, {yyyy} {MM} {dd} {HH} for the time of the login, in UTC unless local_time is set. A session keeps the
	// directory that it began with, past midnight too.
	Home string `yaml:"home" need:"yes"`
	// Further trees by the directory in which they appear. The same names in braces work in the trees, not in these directories.
	Mounts map[string]string `yaml:"mounts"`
	// What happens to a file that would be overwritten, by an upload, a rename or a copy: yes replaces it; no refuses
	// (553); rename stores the new one as name-1.ext, name-2.ext and so on, which the 150 reply tells.
	Overwrite string `yaml:"overwrite" enum:"yes,no,rename"`
	// What happens to the part of a cut upload that has arrived: discard, keep (local disks), resume (buckets). Default:
	// the profile's, else the back end's.
	Cut string `yaml:"cut" enum:"discard,keep,resume"`
	// Names under which the user's device stores files that it renames at once, and what they become: a file of such a
	// name is no object before its rename, which then is one request instead of a copy. Without the rename nobody but FTP
	// clients sees it, and it is removed after resume_expire. For S3 back ends; others, and directory buckets, rename in one
	// step anyway and take no notice. Default: the profile's. See doc/renaming.md.
	PublishOnRename []string `yaml:"publish_on_rename"`
	// The only networks and addresses from which the login is possible. Default: all.
	Networks []string `yaml:"networks"`
	// The last day on which the login is possible, or the moment after which it is not: 2026-12-31, 2026-12-31T12:00:00Z.
	// Days are of UTC, or of the server's own zone with local_time.
	Expires string `yaml:"expires"`
	// Sessions of the user at a time. Default: limits.per_user.
	Sessions int `yaml:"sessions"`
	// The profile for the user's device. Default: that of the listener.
	Profile string `yaml:"profile"`
	// The encoding of file names for the user's device. Default: the profile's, else that of the listener.
	Encoding string `yaml:"encoding"`
	// What the user may use at most.
	Limits UserLimits `yaml:"limits"`
	// The text of the reply to a login. Several lines are possible.
	LoginMessage string `yaml:"login_message"`
	// The text of the reply to QUIT.
	QuitMessage string `yaml:"quit_message"`
}

func (a *Account) setDefaults() { a.Permissions, a.Overwrite = "elradfmwMT", "yes" }

// Override gives other permissions in a directory.
type Override struct {
	// The directory, as the user sees it.
	Path string `yaml:"path" need:"yes"`
	// Letters that hold there instead of the user's own.
	Permissions string `yaml:"permissions"`
	// With all that is below it. Without, they hold for the directory itself and the files in it.
	Recursive bool `yaml:"recursive"`
}

// Htpasswd is a file of Apache's htpasswd, whose users all get the same account.
type Htpasswd struct {
	// The file: name:hash in each line. bcrypt (htpasswd -B) is good; $apr1$ and {SHA} work, with a warning.
	File Path `yaml:"file" need:"yes"`
	// What its users get.
	Account Account `yaml:"account" need:"yes"`
}

func (h *Htpasswd) setDefaults()     { h.Account.setDefaults() }
func (g *LDAPGroup) setDefaults()    { g.Account.setDefaults() }
func (w *WindowsUsers) setDefaults() { w.Account.setDefaults() }

// ExpiresAt is the moment from which on the login is not possible; zero for never.
func (a Account) ExpiresAt(zone *time.Location) (time.Time, error) {
	if a.Expires == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, a.Expires, zone); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, a.Expires)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a day such as 2026-12-31 nor a time such as 2026-12-31T12:00:00Z", a.Expires)
	}
	return t, nil
}

// Zone is where days begin and end: UTC, or with local_time the server's own zone.
func (c *Config) Zone() *time.Location {
	if c.LocalTime {
		return time.Local
	}
	return time.UTC
}

// account checks what a login gets.
func (k *checker) account(at string, a *Account) {
	k.partAccount(at, a)
	k.tree(at, a.Home, a.Mounts)
	k.cut(at, a)
	k.userLimits(at+".limits", a.Home, a.Limits)
}

// partAccount checks all but the tree.
func (k *checker) partAccount(at string, a *Account) {
	k.permissions(at, a.Permissions)
	seen := map[string]int{}
	for i, o := range a.Overrides {
		here := fmt.Sprintf("%s.overrides[%d]", at, i)
		k.letters(here, o.Permissions)
		dir := cleanDir(o.Path)
		if !strings.HasPrefix(o.Path, "/") {
			k.errorf(here, fmt.Sprintf("write path: %q", dir), "the path has to begin with a slash")
		} else if j, ok := seen[dir]; ok {
			k.errorf(here+".path", "", "%q has permissions already, in overrides[%d]", o.Path, j)
		}
		seen[dir] = i
	}
	for i, n := range a.Networks {
		if _, err := ParseNetwork(n); err != nil {
			k.errorf(fmt.Sprintf("%s.networks[%d]", at, i), "for example 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7", "%v", err)
		}
	}
	if t, err := a.ExpiresAt(k.c.Zone()); err != nil {
		k.errorf(at+".expires", "", "%v", err)
	} else if !t.IsZero() && !time.Now().Before(t) {
		k.warnf(at+".expires", "", "is over: the login is not possible")
	}
	k.publishing(at, a)
	k.session(at, a.Profile, a.Encoding, a.LoginMessage, a.QuitMessage)
}
