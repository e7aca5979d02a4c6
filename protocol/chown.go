package protocol

import (
	"os/user"
	"strconv"
	"strings"
)

// siteCHOWN changes the owner or group of a file of the system: SITE CHOWN owner path, owner:group or :group, by names or
// numbers. It is for accounts of the system, whom the kernel allows what it would in a shell: on
// other trees the server's own rights would count.
func (s *session) siteCHOWN(arg string) {
	who, name, _ := strings.Cut(strings.TrimLeft(arg, " "), " ")
	owner, group, _ := strings.Cut(who, ":")
	p, ok := resolve(s.cwd, name)
	if !ok || name == "" || owner == "" && group == "" {
		s.reply(501, "An owner, owner:group or :group, and a path are needed")
		return
	}
	if !s.allowed(site["CHOWN"].perm, p) {
		return
	}
	if s.account.System == nil {
		s.reply(550, "Not supported here")
		return
	}
	uid, ok := number(owner, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	gid, gok := number(group, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	if !ok || !gok {
		s.reply(550, "No such user or group")
		return
	}
	fsys, done := s.bound()
	defer done()
	if err := fsys.Chown(p, uid, gid); err != nil {
		s.failure("SITE CHOWN", p, err, asking)
		return
	}
	s.reply(200, "Owner changed")
}

// number is the number of a user or group; -1 for none, which leaves it as it is.
func number(name string, lookup func(string) (string, error)) (int, bool) {
	if name == "" {
		return -1, true
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), true
	}
	id, err := lookup(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(id, 10, 31)
	return int(n), err == nil
}
