package auth

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits for hashes that others made: one check takes some seconds and one GiB at most. The hash comes from the operator,
// but a typing error in it must neither end the process nor keep the processors from all other logins.
const (
	maxHashMemory   = 1 << 20    // KiB
	maxHashThreads  = 64         // argon2
	maxArgonWork    = 8 << 20    // KiB times passes
	maxScryptWork   = 8 << 20    // KiB times p
	maxBcryptCost   = 17         // doublings
	maxRounds       = 10_000_000 // sha-crypt, PBKDF2 and the old ones
	maxYescryptCost = 'F'        // of the letters . / 0-9 A-Z a-z: 2 to the power of 18, the most that mkpasswd makes
)

// checkCost refuses a hash whose check would cost too much.
func checkCost(s string) error {
	if strings.HasPrefix(s, "{") { // {CRYPT}$6$…, {PBKDF2-SHA256}10000$…
		name, rest, _ := strings.Cut(s[1:], "}")
		if s = rest; !strings.HasPrefix(s, "$") {
			s = "$" + strings.ToLower(name) + "$" + s
		}
	}
	fields := strings.FieldsFunc(s, func(r rune) bool { return r == '$' || r == ',' })
	if len(fields) < 2 {
		return nil
	}
	n := map[string]uint64{"r": 8, "p": 1, "t": 1}
	for _, f := range fields[1:] {
		if k, v, ok := strings.Cut(f, "="); ok {
			if u, ok := number(v); ok {
				n[k] = u
			}
		}
	}
	first, _ := number(fields[1])
	switch name := fields[0]; {
	case strings.HasPrefix(name, "argon2"):
		return cmp.Or(tooMuch("KiB of memory", n["m"], maxHashMemory), tooMuch("threads", n["p"], maxHashThreads),
			tooMuch("KiB times passes", n["m"]*n["t"], maxArgonWork))
	case name == "scrypt":
		if n["r"] == 0 || n["p"] == 0 { // the computation would divide by it
			return fmt.Errorf("%w: its r or p is 0", ErrBadHash)
		}
		if err := cmp.Or(tooMuch("doublings", n["ln"], 30), tooMuch("threads", n["p"], maxHashThreads)); err != nil {
			return err
		}
		kib := n["r"] << n["ln"] / 8
		return cmp.Or(tooMuch("KiB of memory", kib, maxHashMemory), tooMuch("KiB times p", kib*n["p"], maxScryptWork))
	case name == "bcrypt-sha256":
		return tooMuch("doublings", n["r"], maxBcryptCost)
	case strings.HasPrefix(name, "2"):
		return tooMuch("doublings", first, maxBcryptCost)
	case strings.HasPrefix(name, "pbkdf2"), name == "sha1":
		return tooMuch("rounds", first, maxRounds)
	case name == "y":
		if c := fields[1]; len(c) > 1 && c[0] == 'j' && yescryptDigit(c[1]) > yescryptDigit(maxYescryptCost) {
			return fmt.Errorf("%w: its cost %q is more than %q", ErrBadHash, c[1], maxYescryptCost)
		}
		return nil
	}
	return tooMuch("rounds", n["rounds"], maxRounds)
}

// number reads one; of those that are too large for 32 bits it is the largest.
func number(s string) (uint64, bool) {
	u, err := strconv.ParseUint(s, 10, 32)
	return u, err == nil || errors.Is(err, strconv.ErrRange)
}

func tooMuch(what string, is, most uint64) error {
	if is > most {
		return fmt.Errorf("%w: it asks for %d %s, more than %d", ErrBadHash, is, what, most)
	}
	return nil
}

// yescryptDigit is the value of a letter of crypt(3)'s alphabet.
func yescryptDigit(c byte) int {
	return strings.IndexByte("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", c)
}
