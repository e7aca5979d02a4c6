package protocol

import (
	"maps"
	"slices"
	"strings"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// site is the table of SITE's own commands.
var site map[string]siteCommand

type siteCommand struct {
	run  func(s *session, arg string)
	perm auth.Perm
	help string
}

func init() {
	site = map[string]siteCommand{
		"CHMOD": {run: (*session).siteCHMOD, perm: auth.PermChmod, help: "SITE CHMOD <sp> mode <sp> path: change a file's mode"},
		"CHOWN": {run: (*session).siteCHOWN, perm: auth.PermChmod, help: "SITE CHOWN <sp> owner[:group] <sp> path: change a file's owner"},
		"CPFR":  {run: (*session).siteCPFR, help: "SITE CPFR <sp> path: copy from"},
		"CPTO":  {run: (*session).siteCPTO, help: "SITE CPTO <sp> path: copy to"},
		"IDLE":  {run: (*session).siteIDLE, help: "SITE IDLE [<sp> seconds]: how long the session may be silent"},
		"UMASK": {run: (*session).siteUMASK, help: "SITE UMASK [<sp> octal]: bits that new files do not get"},
		"UTIME": {run: (*session).siteUTIME, help: "SITE UTIME <sp> YYYYMMDDhhmm[ss] <sp> path: set a file's times"},
		"HELP":  {run: (*session).siteHELP, help: "SITE HELP: this list"},
	}
}

func (s *session) cmdSITE(arg string) {
	verb, rest := parse(strings.TrimLeft(arg, " "))
	c, ok := site[verb]
	if !ok && s.profile.AnySITE {
		s.reply(200, "Unknown SITE command ignored")
		return
	}
	if !ok {
		s.reply(500, "Unknown SITE command")
		return
	}
	c.run(s, rest)
}

func (s *session) siteHELP(string) {
	lines := []string{"SITE commands:"}
	for _, name := range slices.Sorted(maps.Keys(site)) {
		lines = append(lines, site[name].help)
	}
	s.send(214, append(lines, "End"))
}
