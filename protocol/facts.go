package protocol

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// factSet is a selection of the facts of MLST and MLSD, RFC 3659 section 7.5.
type factSet uint8

const (
	factType factSet = 1 << iota
	factSize
	factModify
	factPerm
	factMode
	factUnique
	factOwner
	factGroup

	defaultFacts = factType | factSize | factModify | factPerm
)

// factNames are in the order in which facts are sent.
var factNames = []struct {
	name string
	bit  factSet
}{
	{"type", factType}, {"size", factSize}, {"modify", factModify}, {"perm", factPerm},
	{"unique", factUnique}, {"UNIX.mode", factMode}, {"UNIX.owner", factOwner}, {"UNIX.group", factGroup},
}

// featMLST is the MLST line of FEAT: a star behind each fact that is sent.
func (f factSet) featMLST() string {
	var b strings.Builder
	b.WriteString("MLST ")
	for _, n := range factNames {
		b.WriteString(n.name)
		if f&n.bit != 0 {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// selectFacts is OPTS MLST, RFC 3659 section 7.9: unknown facts are ignored.
func selectFacts(arg string) factSet {
	var f factSet
	for want := range strings.SplitSeq(arg, ";") {
		for _, n := range factNames {
			if strings.EqualFold(strings.TrimSpace(want), n.name) {
				f |= n.bit
			}
		}
	}
	return f
}

func (f factSet) String() string {
	var b strings.Builder
	for _, n := range factNames {
		if f&n.bit != 0 {
			b.WriteString(n.name + ";")
		}
	}
	return b.String()
}

// factsFormat is an entry of MLSD: facts, a space, the name.
func (s *session) factsFormat(fsys afero.Fs) entryWriter {
	// Under which name the rules know the directory is asked once, not for each entry.
	rights, dir, named := s.account.Permissions, "", ""
	rights.Same = nil
	return func(b []byte, e listed) []byte {
		target := ""
		if e.fi.Mode()&os.ModeSymlink != 0 {
			// Few clients know of links: a link to a file is told as the file. One to a directory is not told as a
			// directory, as clients that mirror would walk in circles.
			if fi, err := fsys.Stat(e.path); err == nil && !fi.IsDir() {
				e.fi = fi
			} else if target = linkTarget(fsys, e); strings.Contains(target, ";") {
				target = ""
			}
		}
		var may auth.Perm
		if e.kind != "" { // the directory, or its parent
			may = s.mayAt(s.account.Permissions, e.path, e.fi)
		} else {
			if d := path.Dir(e.path); d != dir {
				dir, named = d, s.account.Permissions.Named(d)
			}
			may = s.mayAt(rights, e.path, e.fi)
			if named != dir {
				may &= s.mayAt(rights, path.Join(named, path.Base(e.path)), e.fi)
			}
			e.kind = kindOf(e.fi, target)
		}
		b = s.appendFacts(b, may, e.fi, e.kind)
		b = append(b, ' ')
		return append(b, printable(e.name)...)
	}
}

// kindOf is the type fact of an entry, RFC 3659 section 7.5.1. OS.unix=slink with the target is what
// FileZilla and lftp take for a link.
func kindOf(fi os.FileInfo, target string) string {
	switch {
	case fi.IsDir():
		return "dir"
	case fi.Mode()&os.ModeSymlink == 0:
		return "file"
	case target != "":
		return "OS.unix=slink:" + printable(target)
	}
	return "OS.unix=symlink"
}

// mayAt is what the user may do with what a listing shows.
func (s *session) mayAt(rights auth.Permissions, p string, fi os.FileInfo) auth.Perm {
	if s.facts&factPerm == 0 {
		return 0
	}
	may := rights.At(p, fi.IsDir)
	if fi.IsDir() && !rights.Below(p, auth.PermRename) {
		may &^= auth.PermRename
	}
	return may
}

func (s *session) appendFacts(b []byte, may auth.Perm, fi os.FileInfo, kind string) []byte {
	f := s.facts
	if f&factType != 0 {
		b = append(append(append(b, "type="...), kind...), ';')
	}
	if f&factSize != 0 && !fi.IsDir() {
		b = append(b, "size="...)
		b = strconv.AppendInt(b, fi.Size(), 10)
		b = append(b, ';')
	}
	if f&factModify != 0 && !fi.ModTime().IsZero() {
		b = append(b, "modify="...)
		b = fi.ModTime().UTC().AppendFormat(b, timeVal) // RFC 3659: always UTC
		b = append(b, ';')
	}
	if f&factPerm != 0 {
		b = append(b, "perm="...)
		b = appendPermFact(b, may, fi.IsDir())
		b = append(b, ';')
	}
	if f&factUnique != 0 {
		if id, ok := vfs.ID(fi); ok {
			b = append(append(append(b, "unique="...), id...), ';')
		}
	}
	if f&factMode != 0 && fi.Mode().Perm() != 0 {
		b = fmt.Appendf(b, "UNIX.mode=%04o;", fi.Mode().Perm())
	}
	if uid, gid, ok := vfs.Owner(fi); ok && s.srv.Owners != OwnersHidden && s.srv.Owners != "" {
		if f&factOwner != 0 {
			b = fmt.Appendf(b, "UNIX.owner=%d;", uid)
		}
		if f&factGroup != 0 {
			b = fmt.Appendf(b, "UNIX.group=%d;", gid)
		}
	}
	return b
}

// appendPermFact writes what the user may do, RFC 3659 section 7.5.5.
func appendPermFact(b []byte, p auth.Perm, dir bool) []byte {
	letters := []struct {
		letter byte
		need   auth.Perm
	}{{'a', auth.PermAppend}, {'d', auth.PermDelete}, {'f', auth.PermRename}, {'r', auth.PermRead}, {'w', auth.PermWrite}}
	if dir {
		letters = []struct {
			letter byte
			need   auth.Perm
		}{
			{'c', auth.PermWrite}, {'d', auth.PermDelete}, {'e', auth.PermEnter}, {'f', auth.PermRename},
			{'l', auth.PermList}, {'m', auth.PermMkdir}, {'p', auth.PermDelete},
		}
	}
	for _, l := range letters {
		if p.Has(l.need) {
			b = append(b, l.letter)
		}
	}
	return b
}

// cmdMLST tells the facts of one file or directory over the control connection.
func (s *session) cmdMLST(p string) {
	fsys, done := s.bound()
	defer done()
	fi, err := fsys.Stat(p)
	if err != nil {
		s.failure("MLST", p, err, asking)
		return
	}
	s.send(250, []string{"Listing " + p, string(s.appendFacts(nil, s.mayAt(s.account.Permissions, p, fi), fi, kindOf(fi, ""))) + " " + p, "End"})
}

// cmdSIZE tells a file's size in bytes, RFC 3659 section 4. Where line ends are converted the
// transferred size is not known without reading the file: 550.
func (s *session) cmdSIZE(p string) {
	if s.ascii() {
		s.reply(550, "SIZE is not known in ASCII mode, send TYPE I")
		return
	}
	fsys, done := s.bound()
	defer done()
	fi, err := vfs.StatFile(fsys, p)
	if err != nil {
		s.failure("SIZE", p, err, asking)
		return
	}
	s.replyf(213, "%d", fi.Size())
}
