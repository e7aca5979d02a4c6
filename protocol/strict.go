package protocol

import (
	"strings"
	"time"
)

// strictly refuses, under a strict profile, what the server otherwise
// understands although no RFC allows it. It reports false after it has answered. What a
// later RFC allows beyond RFC 959, as the X-forms (RFC 1123 section 4.1.3.1), is no fault.
func (s *session) strictly(verb, arg string) bool {
	if !s.profile.Strict {
		return true
	}
	code, text := s.fault(verb, arg)
	if code == 0 {
		return true
	}
	s.reply(code, text)
	return false
}

// fault finds what is wrong with a command, or 0.
func (s *session) fault(verb, arg string) (code int, text string) {
	if verb != "USER" && verb != "PASS" {
		s.userSent = false // PASS has to follow at once, RFC 959 section 4.1.1
	}
	misplaced := s.restMisplaced
	switch verb {
	case "REST":
		s.restMisplaced = false
	case "RETR", "STOR", "STOU", "APPE":
		s.restMisplaced = false
		if misplaced {
			return 503, "REST has to stand directly before the transfer"
		}
	default:
		// RFC 3659 section 5.3: the effect would be undefined. A whole transfer
		// instead of the rest of one is not what the client expects.
		s.restMisplaced = misplaced || s.rest > 0
		s.rest = 0
	}
	blank := strings.TrimSpace(arg) == ""
	switch verb {
	case "CWD", "XCWD":
		if blank {
			return 501, "Path missing"
		}
	case "NOOP", "ABOR", "QUIT", "STOU":
		if !blank {
			return 501, "No argument allowed"
		}
	case "AUTH":
		if m := strings.ToUpper(arg); m == "SSL" || m == "TLS-P" {
			return 504, "Unknown security mechanism, TLS is known"
		}
	}
	if c := commands[verb]; c.arg == argText && verb != "USER" && arg != strings.TrimSpace(arg) || strings.EqualFold(verb+arg, "TYPEL8") {
		return 501, "One space stands between command and argument, and none behind it"
	}
	return 0, ""
}

// bareLF answers a line that no CR ended.
func (s *session) bareLF() {
	s.lastCode = 0
	s.reply(500, "Lines end with CR and LF")
	s.commandDone("", nil, "", time.Now())
}
