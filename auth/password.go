package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/crypt/algorithm/argon2"
)

// PlainPrefix marks a password that is stored as it is, not as a hash.
const PlainPrefix = "plain:"

// Parameters of the hashes that [Hash] makes: the first choice of OWASP's
// Password Storage Cheat Sheet for argon2id. 19 MiB keep the memory of a login
// flood small, which the 2 GiB that RFC 9106 recommends first would not.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashThreads = 1
)

// MaxPassword is the length in bytes above which a password is denied unseen,
// so that nobody can make the server digest long ones. FTP lines are shorter than that.
const MaxPassword = 1024

// checks bounds how many hashes are computed at a time in this process. A check
// is pure computation with up to some 100 MiB of memory; more of them
// at once than there are processors would end no sooner.
var checks = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)))

// decoder knows argon2, bcrypt, scrypt, yescrypt, pbkdf2, sha-crypt and the two old ones, md5-crypt and sha1-crypt.
var decoder = func() *crypt.Decoder {
	d, err := crypt.NewDecoderAll()
	if err != nil {
		panic(err) // the set is fixed: this cannot depend on anything outside
	}
	return d
}()

// ErrBadHash means that a password looks like a hash and is none that can be checked.
var ErrBadHash = errors.New("auth: not a usable password hash")

// Password is a stored password, ready to be checked: a hash in one of the
// usual formats (the modular crypt format of /etc/shadow and its relatives,
// the LDAP form with {CRYPT}, {ARGON2} or {PBKDF2} in front) or plain text. The zero value matches nothing.
type Password struct {
	match  func(password string) (bool, error)
	plain  bool
	weak   string
	stored string
}

// ParsePassword reads a stored password. 32 hexadecimal digits are an MD5 digest. A text that begins with
// [PlainPrefix], or does not look like a hash at all, is plain text; one that looks like a
// hash and cannot be checked is [ErrBadHash]. An empty text is an error: nobody
// has no password by accident.
func ParsePassword(s string) (Password, error) {
	if plain, ok := strings.CutPrefix(s, PlainPrefix); ok {
		return plainPassword(plain)
	}
	if match, kind := legacy(s); match != nil {
		return Password{match: match, weak: kind, stored: s}, nil
	}
	if !LooksLikeHash(s) {
		if strings.HasPrefix(s, "$") { // a hash that lost its beginning to a shell or a template
			return Password{}, fmt.Errorf("%w; a plain-text password that begins with $ is written %q", ErrBadHash, PlainPrefix+"$…")
		}
		return plainPassword(s)
	}
	d, err := decoder.Decode(s)
	if err != nil {
		// The error of the library may repeat parts of the hash: it stays out of logs.
		return Password{}, fmt.Errorf("%w (argon2, bcrypt, scrypt, yescrypt, pbkdf2, sha256-crypt and sha512-crypt are)", ErrBadHash)
	}
	if err := checkCost(s); err != nil {
		return Password{}, err
	}
	return Password{match: d.MatchAdvanced, weak: weakCrypt(s), stored: s}, nil
}

// weakCrypt names the old forms of crypt(3), which a graphics card tries by the million; empty for others.
func weakCrypt(s string) string {
	s = strings.TrimPrefix(s, "{CRYPT}")
	switch {
	case strings.HasPrefix(s, "$1$"), strings.HasPrefix(s, "$md5"):
		return "md5-crypt"
	case strings.HasPrefix(s, "$sha1$"):
		return "sha1-crypt"
	}
	return ""
}

// unreadHash are texts that look like the hashes that are not read: DES crypt, and hexadecimal SHA-1, SHA-256 and SHA-512.
var unreadHash = regexp.MustCompile(`^([./0-9A-Za-z]{13}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128})$`)

func plainPassword(want string) (Password, error) {
	if want == "" {
		return Password{}, errors.New("auth: empty password")
	}
	weak := "plain text"
	if unreadHash.MatchString(want) {
		weak = "plain text (a hash of DES or a bare digest of SHA is not read as one: whoever has it could log in with it)"
	}
	return Password{plain: true, weak: weak, stored: PlainPrefix + want, match: func(password string) (bool, error) {
		return subtle.ConstantTimeCompare([]byte(password), []byte(want)) == 1, nil
	}}, nil
}

// LooksLikeHash reports whether a stored password has the form of a hash:
// "$name$…" with a short name, or "{NAME}…" in capitals as LDAP writes it. A
// password in plain text of that form needs [PlainPrefix].
func LooksLikeHash(s string) bool {
	var name string
	var ok bool
	switch {
	case strings.HasPrefix(s, "$"):
		name, _, ok = strings.Cut(s[1:], "$")
	case strings.HasPrefix(s, "{"):
		name, _, ok = strings.Cut(s[1:], "}")
		ok = ok && name == strings.ToUpper(name)
	}
	if !ok || name == "" || len(name) > 24 {
		return false
	}
	for _, r := range name {
		if !(r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return false
		}
	}
	return true
}

// IsZero reports whether there is no password, which none matches.
func (p Password) IsZero() bool { return p.match == nil }

// Plain reports whether the password is stored as plain text.
func (p Password) Plain() bool { return p.plain }

// Weak says what is wrong with the form in which the password is stored: "plain text", "md5-crypt" and the like; empty for those
// that withstand guessing by who has the file.
func (p Password) Weak() string { return p.weak }

// Check reports whether password is the right one. It waits for its turn, so
// that a flood of logins keeps no more processors and memory busy than there
// are processors; its error is the context's if that ends first, else one of
// the hash. The computation itself is not interrupted.
func (p Password) Check(ctx context.Context, password string) (bool, error) {
	if p.match == nil || len(password) > MaxPassword {
		return false, nil
	}
	if p.plain {
		return p.match(password)
	}
	select {
	case checks <- struct{}{}:
		defer func() { <-checks }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	return p.match(password)
}

// Hash makes the argon2id hash of a password, in the form that [ParsePassword]
// reads. The salt is random.
func Hash(password string) (string, error) {
	if password == "" {
		return "", errors.New("auth: empty password")
	}
	if len(password) > MaxPassword {
		return "", fmt.Errorf("auth: password is longer than %d bytes", MaxPassword)
	}
	h, err := argon2.New(argon2.WithVariantID(), argon2.WithM(hashMemory), argon2.WithT(hashPasses), argon2.WithP(hashThreads))
	if err != nil {
		return "", fmt.Errorf("auth: hash: %w", err)
	}
	d, err := h.Hash(password)
	if err != nil {
		return "", fmt.Errorf("auth: hash: %w", err)
	}
	return d.Encode(), nil
}
