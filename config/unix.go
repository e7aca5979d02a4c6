package config

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Unix is the file system of this machine, used as the system user who has logged in: the kernel decides
// what is allowed, and files belong to who has stored them. Linux only; the server has to run as root.
type Unix struct {
	// The directory that the paths of homes begin in.
	Path Path `yaml:"path" need:"some"`
	// Write into a temporary file and rename it when the upload is complete. Without it files are written in
	// place, as classic FTP servers do.
	Atomic bool `yaml:"atomic"`
	// Answer 226 only after the disk has the file and its directory entry (fsync).
	Sync bool `yaml:"sync"`
	// What happens to the part of a cut upload that has arrived: keep, so that the client can resume, or discard. With atomic
	// nothing is kept.
	Cut string `yaml:"cut" enum:"keep,discard"`
}

func (u *Unix) setDefaults() { u.Path, u.Cut = "/", "keep" }

// UnixUsers are the accounts of the system.
type UnixUsers struct {
	// The tree that they see as "/": a back end of type unix and a directory, which no link leads out of.
	// {home} stands for the home directory of the account, so "homes:{home}" locks it in there and "homes:/" shows the whole system.
	Home string `yaml:"home" need:"yes"`
	// The directory of that tree in which a session begins. With home "homes:/", for example "{home}".
	Start string `yaml:"start"`
	// Letters as for users; the kernel decides within them.
	Permissions string `yaml:"permissions"`
	// The only accounts that may log in. Default: all but the rejected.
	Allowed []string `yaml:"allowed"`
	// Accounts that may not log in.
	Rejected []string `yaml:"rejected"`
	// Only let in accounts whose shell is in /etc/shells.
	RequireValidShell bool `yaml:"require_valid_shell"`
	// Let in accounts with the uid 0.
	AllowRoot bool `yaml:"allow_root"`
	// Check passwords through PAM under this service name, with a binary that was built for it. Default: /etc/shadow.
	PAMService string `yaml:"pam_service"`
}

func (u *UnixUsers) setDefaults() {
	u.Home, u.Permissions, u.RequireValidShell = "", "elradfmwMT", true
}

// unix checks the accounts of the system, and that nobody else gets back ends that need one.
func (k *checker) unix() {
	for name, b := range k.c.Backends {
		if b.Unix != nil && runtime.GOOS != "linux" {
			k.errorf("backends."+name+".type", "type: local serves a directory as the server's own user", "back ends of type unix are for Linux")
		}
	}
	u := k.c.UnixUsers
	if u == nil {
		return
	}
	const at = "unix_users"
	if runtime.GOOS != "linux" {
		k.errorf(at, "", "accounts of the system can log in on Linux only")
	}
	k.permissions(at, u.Permissions)
	if u.Home == "" {
		k.errorf(at, `for example home: "homes:{home}"`, `the key "home" is missing`)
		return
	}
	bare := strings.ReplaceAll(u.Home, "{home}", "/x")
	k.place(at+".home", bare)
	if name, _, err := SplitPlace(bare); err == nil {
		if b, ok := k.c.Backends[name]; ok && b.Unix == nil {
			k.errorf(at+".home", "", "back end %q is of type %s; accounts of the system need one of type unix", name, b.Type())
		}
	}
	if s := strings.ReplaceAll(u.Start, "{home}", "/x"); s != "" && (!path.IsAbs(s) || strings.ContainsAny(s, "{}")) {
		k.errorf(at+".start", `for example "{home}" or "/srv"`, "%q is no absolute directory", u.Start)
	}
	for i, n := range u.Rejected {
		for _, a := range u.Allowed {
			if a == n {
				k.errorf(fmt.Sprintf("%s.rejected[%d]", at, i), "", "%q is among the allowed accounts", n)
			}
		}
	}
	if u.AllowRoot {
		k.warnf(at+".allow_root", "", "whoever guesses root's password has the whole machine")
	}
}

// notUnix refuses a back end of type unix for who is no account of the system.
func (k *checker) notUnix(at, place string) {
	name, _, err := SplitPlace(place)
	if err != nil {
		return
	}
	if b, ok := k.c.Backends[name]; ok && b.Unix != nil {
		k.errorf(at, "type: local serves a directory as the server's own user", "back end %q is for unix_users", name)
	}
}
