package protocol

import "strings"

// lsOptions are those of ls that change a listing; the others are taken and mean nothing, as the order of
// a listing is that of the tree.
type lsOptions struct {
	recurse bool // -R: the directories below too
	all     bool // -a, -A: * matches names with a dot in front
	itself  bool // -d: the directory and not what is in it
}

// lsLetters are the options of ls that clients send.
const lsLetters = "1AaCcdFfGgHhLlnopRrSsTtUux"

// parseOptions takes options off an argument: many clients send "LIST -la". What only looks like one, as
// the name of a file may, is left, and so is what stands behind "--".
func parseOptions(arg string) (o lsOptions, name string) {
	for {
		if strings.Trim(arg, " ") == "" {
			return o, ""
		}
		word, rest, _ := strings.Cut(arg, " ")
		if word == "--" {
			return o, rest
		}
		if len(word) < 2 || word[0] != '-' || strings.Trim(word[1:], lsLetters) != "" {
			return o, arg
		}
		o.recurse = o.recurse || strings.Contains(word, "R")
		o.all = o.all || strings.ContainsAny(word, "aA")
		o.itself = o.itself || strings.Contains(word, "d")
		arg = rest
	}
}
