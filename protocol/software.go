package protocol

import (
	"regexp"
	"strings"
)

// maxSoftware bounds what is remembered of a client's name for itself, in bytes.
const maxSoftware = 128

// cmdCLNT takes the name of the client's software, for the log and STAT.
func (s *session) cmdCLNT(arg string) {
	s.setSoftware(arg)
	s.reply(200, "Noted")
}

// cmdCSID is CLNT with an answer: both sides tell name and version as facts.
func (s *session) cmdCSID(arg string) {
	var name, version string
	for fact := range strings.SplitSeq(arg, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(fact), "=")
		switch strings.ToUpper(key) {
		case "NAME":
			name = strings.TrimSpace(value)
		case "VERSION":
			version = strings.TrimSpace(value)
		}
	}
	if name == "" {
		s.reply(501, "Name=client; is needed")
		return
	}
	s.setSoftware(strings.TrimSpace(name + " " + version))
	own := "Name=ftp-gateway;"
	if s.srv.Version != "" {
		own += " Version=" + s.srv.Version + ";"
	}
	s.reply(200, own)
}

func (s *session) setSoftware(name string) {
	name = printable(strings.ToValidUTF8(strings.TrimSpace(name), "?"))
	if len(name) > maxSoftware {
		name = strings.ToValidUTF8(name[:maxSoftware], "")
	}
	if s.software == "" {
		s.log.Info("client", "software", name) // once: a client could fill the log otherwise
	} else {
		s.log.Debug("client", "software", name)
	}
	s.software = name
	s.introduce()
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`)

// cmdLANG chooses the language of the replies, RFC 2640 section 4.1: there is English.
func (s *session) cmdLANG(arg string) {
	tag := strings.TrimSpace(arg)
	primary, _, _ := strings.Cut(tag, "-")
	switch {
	case tag == "", strings.EqualFold(primary, "en") && languageTag.MatchString(tag):
		s.reply(200, "Replies are in English")
	case !languageTag.MatchString(tag):
		s.reply(501, "A language tag is needed")
	default:
		s.reply(504, "Only English is spoken here")
	}
}
