package unix

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// Files are the system's databases: see passwd(5), shadow(5), group(5), shells(5).
type Files struct {
	Passwd, Shadow, Group, Shells string
}

// System returns where they are on this system.
func System() Files {
	return Files{Passwd: "/etc/passwd", Shadow: "/etc/shadow", Group: "/etc/group", Shells: "/etc/shells"}
}

// maxFile bounds what is read of a file, in bytes.
const maxFile = 16 << 20

// entry is a line of passwd.
type entry struct {
	name     string
	uid, gid uint32
	home     string
	shell    string
}

// lines yields the fields of the lines of a file that are no comments.
func lines(file string, sep string, line func(fields []string) (more bool)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if fi.Size() > maxFile {
		return fmt.Errorf("%s has %d bytes, more than %d", file, fi.Size(), maxFile)
	}
	data := make([]byte, fi.Size())
	n, err := f.ReadAt(data, 0)
	if n < len(data) && err != nil {
		return err
	}
	sc := bufio.NewScanner(bytes.NewReader(data[:n]))
	sc.Buffer(nil, maxFile)
	for sc.Scan() {
		text := strings.TrimSpace(sc.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if !line(strings.Split(text, sep)) {
			return nil
		}
	}
	return sc.Err()
}

func number(s string) (uint32, bool) {
	// The last one means "none" to the kernel.
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n != 1<<32-1
}

// user looks a name up. Without such a user it returns nil.
func (f Files) user(name string) (*entry, error) {
	var found *entry
	err := lines(f.Passwd, ":", func(v []string) bool {
		if len(v) != 7 || v[0] != name {
			return true
		}
		uid, ok := number(v[2])
		gid, ok2 := number(v[3])
		if !ok || !ok2 {
			return true
		}
		found = &entry{name: name, uid: uid, gid: gid, home: v[5], shell: v[6]}
		return false
	})
	return found, err
}

// groups are the supplementary groups of a user.
func (f Files) groups(e *entry) ([]uint32, error) {
	groups := []uint32{e.gid}
	err := lines(f.Group, ":", func(v []string) bool {
		if len(v) != 4 || !slices.Contains(strings.Split(v[3], ","), e.name) {
			return true
		}
		if gid, ok := number(v[2]); ok && !slices.Contains(groups, gid) {
			groups = append(groups, gid)
		}
		return true
	})
	return groups, err
}

// shellAllowed reports whether a shell is in the list of valid ones. Without a list
// those of shells(5) are meant. No shell is /bin/sh, as passwd(5) says.
func (f Files) shellAllowed(shell string) (bool, error) {
	if shell == "" {
		shell = "/bin/sh"
	}
	found := false
	err := lines(f.Shells, "\x00", func(v []string) bool {
		found = found || v[0] == shell
		return !found
	})
	if os.IsNotExist(err) {
		return shell == "/bin/sh" || shell == "/bin/csh", nil
	}
	return found, err
}

// secret is a line of shadow.
type secret struct {
	hash string
	// Days since 1970; -1 where the field is empty.
	changed, max, inactive, expires int64
}

// secrets returns the user's line, or nil, and the hash of somebody: to have something to compare a
// stranger's password with.
func (f Files) secrets(name string) (own *secret, somebody string, err error) {
	err = lines(f.Shadow, ":", func(v []string) bool {
		if len(v) < 8 {
			return true
		}
		if somebody == "" && usable(v[1]) {
			somebody = v[1]
		}
		if v[0] != name {
			return true
		}
		own = &secret{hash: v[1], changed: day(v[2]), max: day(v[4]), inactive: day(v[6]), expires: day(v[7])}
		return true
	})
	return own, somebody, err
}

func day(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// usable reports whether a field of shadow is a hash that can be checked: a lock is "!" or "*" before it, an empty one would be no
// password at all, and what does not begin with "$", as the hashes of DES, must not be taken for a password in plain text.
func usable(hash string) bool {
	if !strings.HasPrefix(hash, "$") {
		return false
	}
	p, err := auth.ParsePassword(hash)
	return err == nil && !p.Plain()
}

// expired reports why an account cannot be used on that day, or "".
func (s *secret) expired(now time.Time) string {
	today := now.Unix() / (24 * 60 * 60)
	switch {
	case s.expires >= 0 && today >= s.expires:
		return "the account has expired"
	case s.changed == 0:
		return "the password has to be changed"
	case s.changed > 0 && s.max >= 0 && today > s.changed+s.max+max(s.inactive, 0):
		return "the password has expired"
	}
	return ""
}
