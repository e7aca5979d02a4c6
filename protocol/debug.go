package protocol

import (
	"cmp"
	"fmt"
	"strings"
)

// debugCommand logs a command line, what may be a password starred.
func (s *session) debugCommand(verb, arg string) {
	if s.debugging() {
		said := starred(strings.TrimSpace(verb+" "+arg), s.account == nil)
		if words := strings.Fields(said); s.account == nil && len(words) > 1 && commands[strings.ToUpper(words[0])] == nil {
			said = words[0] + " ******" // "PAS x", "LOGIN joe x": before the login it may be a password
		}
		s.log.Debug("<- " + printable(said))
	}
}

// starred is a command line without the passwords in it. What is no command tells as much as one: " PASS x", "PASS\tx",
// "PASSWORD x", "PASSx", "QUOTE PASS x"; before the login also what comes behind a command: "NOOP PASS x". And SITE has
// commands elsewhere that change a password.
func starred(said string, stranger bool) string {
	words := strings.Fields(strings.ToUpper(said))
	if len(words) == 0 {
		return said
	}
	if words[0] == "ACCT" {
		return "ACCT ******"
	}
	if verb, ok := secretive(words[0]); ok {
		return verb + " ******"
	}
	if words[0] == "SITE" && len(words) > 1 {
		if verb, ok := secretive(words[1]); ok {
			return "SITE " + verb + " ******"
		}
		if strings.Contains(words[1], "PWD") {
			return "SITE PWD ******"
		}
	}
	if commands[words[0]] == nil || stranger && words[0] != "USER" {
		for i, w := range words {
			if verb, ok := secretive(w); ok || w == "ACCT" {
				return strings.Join(append(words[:i:i], cmp.Or(verb, w), "******"), " ")
			}
		}
	}
	return said
}

// secretive reports whether a word looks like a verb behind which a password stands, and returns what can be shown of it.
func secretive(word string) (string, bool) {
	for _, mark := range []string{"PASS", "PSW"} {
		if before, _, ok := strings.Cut(word, mark); ok {
			return before + mark, true
		}
	}
	return "", false
}

func (s *session) debugReply(code int, lines []string) {
	if !s.debugging() {
		return
	}
	for i, l := range lines {
		sep := " "
		if i < len(lines)-1 {
			sep = "-"
		}
		s.log.Debug(fmt.Sprintf("-> %d%s%s", code, sep, printable(l)))
	}
}
