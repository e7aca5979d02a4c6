package auth

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/GehirnInc/crypt/apr1_crypt"
)

// legacy reads the stored passwords that the library does not: the digests of one round, with and without salt, and Apache's
// own form of md5-crypt. Kind is what they are for people; it is empty where s is none of them.
func legacy(s string) (match func(password string) (bool, error), kind string) {
	if strings.HasPrefix(s, "$apr1$") {
		if salt, sum, ok := strings.Cut(s[len("$apr1$"):], "$"); !ok || len(salt) > 8 || len(sum) != 22 {
			return nil, ""
		}
		return func(password string) (bool, error) {
			got, err := apr1_crypt.New().Generate([]byte(password), []byte(s))
			return subtle.ConstantTimeCompare([]byte(got), []byte(s)) == 1, err
		}, "MD5 (apr1)"
	}
	if sum, ok := bareMD5(s); ok {
		return digest(md5.New, sum, nil), "an MD5 digest without salt"
	}
	for _, f := range []struct {
		prefix string
		hash   func() hash.Hash
		salted bool
		kind   string
	}{
		{"{SHA}", sha1.New, false, "a SHA-1 digest without salt"}, {"{SSHA}", sha1.New, true, "a SHA-1 digest"},
		{"{MD5}", md5.New, false, "an MD5 digest without salt"}, {"{SMD5}", md5.New, true, "an MD5 digest"},
	} {
		text, ok := strings.CutPrefix(s, f.prefix)
		if !ok {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(text)
		size := f.hash().Size()
		if err != nil || len(b) < size || !f.salted && len(b) != size {
			return nil, ""
		}
		return digest(f.hash, b[:size], b[size:]), f.kind
	}
	return nil, ""
}

// bareMD5 reads the 32 hexadecimal digits of an MD5 digest, as examples for FTP servers in Python store passwords.
func bareMD5(s string) ([]byte, bool) {
	if len(s) != 2*md5.Size || strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return nil, false
	}
	sum, err := hex.DecodeString(s)
	return sum, err == nil
}

func digest(h func() hash.Hash, want, salt []byte) func(string) (bool, error) {
	want, salt = bytes.Clone(want), bytes.Clone(salt)
	return func(password string) (bool, error) {
		d := h()
		d.Write([]byte(password))
		d.Write(salt)
		return subtle.ConstantTimeCompare(d.Sum(nil), want) == 1, nil
	}
}
