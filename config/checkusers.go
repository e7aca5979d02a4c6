package config

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

func (k *checker) users() {
	first := map[string]int{}
	for i, u := range k.c.Users {
		at := fmt.Sprintf("users[%d]", i)
		if u.Name == "" {
			k.errorf(at, "", `the key "name" is missing`)
		} else if j, ok := first[u.Name]; ok {
			k.errorf(at+".name", "", "user %q is there twice, first as users[%d]", u.Name, j)
		} else {
			first[u.Name] = i
		}
		if n := strings.ToLower(u.Name); k.c.Anonymous != nil && (n == "anonymous" || n == "ftp") {
			k.errorf(at+".name", `remove the user or the key "anonymous"`, "%q is a name of anonymous logins", u.Name)
		}
		if u.Password == "" && u.PasswordFile == "" && u.Certificate == "" {
			k.errorf(at, `make one with "ftp-gateway hash-password"`, "the password is missing")
		}
		if u.Certificate != "" && !k.asksForCertificates() {
			k.errorf(at+".certificate", "set tls.client_auth and tls.client_ca", "no listener asks for client certificates")
		}
		if u.PasswordFile != "" {
			k.keyMode(at+".password_file", u.PasswordFile)
		}
		k.account(at, &u.Account)
	}
}

func (k *checker) anonymous(at string, a *Anonymous) {
	if a == nil {
		return
	}
	const writes = "adfmwMT"
	if strings.ContainsAny(a.Permissions, writes) {
		k.warnf(at+".permissions", "", "write permissions assigned to anonymous: anybody can write with %q", a.Permissions)
	}
	for i, o := range a.Overrides {
		if strings.ContainsAny(o.Permissions, writes) {
			k.warnf(fmt.Sprintf("%s.overrides[%d].permissions", at, i), "", "write permissions assigned to anonymous: anybody can write with %q in %s", o.Permissions, o.Path)
		}
	}
	k.account(at, &a.Account)
}

func (k *checker) permissions(at, letters string) {
	k.letters(at, letters)
	if letters == "" {
		k.warnf(at+".permissions", "", "nothing is permitted")
	}
}

// letters checks permissions that may also be none.
func (k *checker) letters(at, letters string) {
	for _, r := range letters {
		if !strings.ContainsRune("elradfmwMT", r) {
			k.errorf(at+".permissions", "the letters are elradfmwMT", "%q is no permission", r)
		}
	}
}

// cleanDir is a directory of a user's tree in the form in which two of them can be compared.
func cleanDir(dir string) string { return path.Clean("/" + dir) }

// tree checks a home and the mounts in it.
func (k *checker) tree(at, home string, mounts map[string]string) {
	told := len(k.report)
	if home == "" {
		k.errorf(at, `for example home: "disk:/{user}"`, `the key "home" is missing`)
	} else {
		k.place(at+".home", home)
		k.notUnix(at+".home", home)
	}
	clean := map[string]string{}
	// In order, so that of two spellings of a directory the same one is always the one at fault.
	for _, dir := range slices.Sorted(maps.Keys(mounts)) {
		place := mounts[dir]
		here := at + ".mounts." + dir
		k.place(here, place)
		k.notUnix(here, place)
		if strings.ContainsAny(dir, "{}") {
			k.warnf(here, "braces are for homes and for the trees of mounts", "nothing is filled in in the directory of a mount")
		}
		switch c := path.Clean("/" + dir); {
		case !strings.HasPrefix(dir, "/"):
			k.errorf(here, fmt.Sprintf("write %q", c), "the directory of a mount begins with a slash")
		case c == "/":
			k.errorf(here, "home is that", "a mount cannot be the root")
		case clean[c] != "":
			k.errorf(here, "", "is the same directory as %q", clean[c])
		default:
			clean[c] = dir
		}
	}
	if len(k.report) == told { // else there is no picture yet to warn of
		k.overlaps(at, home, mounts)
	}
}

// place checks "backend:/path".
func (k *checker) place(at, place string) {
	name, dir, err := SplitPlace(place)
	if err != nil {
		k.errorf(at, `for example "disk:/pub"`, "%v", err)
		return
	}
	if _, ok := k.c.Backends[name]; !ok {
		names := k.c.BackendNames()
		hint := didYouMean(name, names)
		if hint == "" && len(names) > 0 {
			hint = "there are " + strings.Join(names, ", ")
		} else if hint == "" {
			hint = `add it below "backends"`
		}
		k.errorf(at, hint, "unknown back end %q", name)
	}
	if bad := badPlaceholder(dir); bad != "" {
		k.errorf(at, "replaced are "+strings.Join(placeholders, " "), "%q holds %s", dir, bad)
	}
	for elem := range strings.SplitSeq(dir, "/") {
		if elem == ".." {
			k.errorf(at, "", `%q holds ".."`, dir)
		}
	}
}

// SplitPlace takes "backend:/directory" apart. The directory is as it was
// written, with names in braces as they are (see [Moment]); empty means the root of the back end.
func SplitPlace(place string) (backend, dir string, err error) {
	backend, dir, ok := strings.Cut(place, ":")
	if !ok || backend == "" {
		return "", "", fmt.Errorf("%q is not a back end and a directory", place)
	}
	if dir != "" && !strings.HasPrefix(dir, "/") {
		return "", "", fmt.Errorf("the directory of %q does not begin with a slash", place)
	}
	return backend, dir, nil
}
