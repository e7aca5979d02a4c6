package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// The hashes below were made with libxcrypt's crypt(3), OpenSSL, Apache's htpasswd, OpenLDAP's slappasswd and Python's
// hashlib, not with the library under test. The password of all is "s3cret pass".
var foreignHashes = map[string]string{
	"yescrypt":      "$y$j9T$saltSALTsaltSALT$GuvZNlot9AgL8rUTSwA9r4JqJIUbng.36ltXRusASg8",
	"sha512":        "$6$saltsalt$osX/3U830g/zrFjlLO4TCL7anTNnqPEtGZkQlCTVqQ4pIrvUWJgcB5qXW3Wio7X4AzYGVHZaxr6U8FI7Xf77C/",
	"sha512 rounds": "$6$rounds=10000$saltsalt$RcGoBDipp.l3nOEkouGR5g7tTzsdaGixEwvjLvuoag0TtyUG8TXOcE8GlZXHBeB2bWS2xz7c1/IYJUEIYlvnW1",
	"sha256":        "$5$saltsalt$PSOaQ1.uAjoqVUkrZPH7nqXa/TZbB4/.vAbfkDlIjN2",
	"md5":           "$1$saltsalt$5lF22gyv5RCQWSRkctJIT0",
	"bcrypt 2b":     "$2b$05$abcdefghijklmnopqrstuu1qdcFaS0PtqFUPzaCxLQ8/0lspH0ZEW",
	"bcrypt 2y":     "$2y$05$abcdefghijklmnopqrstuu1qdcFaS0PtqFUPzaCxLQ8/0lspH0ZEW",
	"ldap crypt":    "{CRYPT}$5$saltsalt$PSOaQ1.uAjoqVUkrZPH7nqXa/TZbB4/.vAbfkDlIjN2",
	"apr1":          "$apr1$saltsalt$lmcRj2F1SKs6o4B9yte9F/",
	"md5 digest":    "5211da5c87b0c916f11bbeb561492eef",
	"MD5 digest":    "5211DA5C87B0C916F11BBEB561492EEF",
	"htpasswd sha":  "{SHA}ohgYgF2kkgMlRbH1HlEDczlOc+M=",
	"ldap md5":      "{MD5}UhHaXIewyRbxG761YUku7w==",
	"ldap ssha":     "{SSHA}dsFWqnkwXT0S+kogwTbvUR8dwHzylpz3",
	"ldap smd5":     "{SMD5}bf+4AURw1uv6HpavrkLPOzvJUr8=",
	"pbkdf2-sha256": "$pbkdf2-sha256$29000$c2FsdFNBTFRzYWx0U0FMVA$39DMUI7Jd8sdBGSBQvrj6uPCf09qxeJav17BC/LRQjo",
	"scrypt":        "$scrypt$ln=12,r=8,p=1$c2FsdFNBTFRzYWx0U0FMVA$rRGkIdZ85ERSAHg7hEHCpNQMtgclTw/NhvwqhDaY5EQ",
}

func TestForeignHashes(t *testing.T) {
	for name, hash := range foreignHashes {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePassword(hash)
			if err != nil {
				t.Fatalf("ParsePassword(%q): %v", hash, err)
			}
			if p.Plain() {
				t.Errorf("ParsePassword(%q) is plain text", hash)
			}
			weak := strings.Contains(strings.ToLower(name), "md5") || name == "apr1" || strings.HasSuffix(name, "sha")
			if (p.Weak() != "") != weak {
				t.Errorf("%s is weak: %q", hash, p.Weak())
			}
			for pw, want := range map[string]bool{"s3cret pass": true, "s3cret pasS": false, "": false, hash: false} {
				if got, err := p.Check(t.Context(), pw); got != want || err != nil {
					t.Errorf("Check(%q) = %v, %v, want %v", pw, got, err, want)
				}
			}
		})
	}
}

func TestHash(t *testing.T) {
	a, err := Hash("wörd with spaces ")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Hash("wörd with spaces ")
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Errorf("two hashes of one password are equal: %s", a)
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash = %q, want the documented parameters", a)
	}
	p, err := ParsePassword(a)
	if err != nil {
		t.Fatal(err)
	}
	for pw, want := range map[string]bool{"wörd with spaces ": true, "wörd with spaces": false} {
		if got, err := p.Check(t.Context(), pw); got != want || err != nil {
			t.Errorf("Check(%q) = %v, %v, want %v", pw, got, err, want)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", MaxPassword+1)} {
		if h, err := Hash(bad); err == nil {
			t.Errorf("Hash of %d bytes = %q, want an error", len(bad), h)
		}
	}
}

func TestParsePassword(t *testing.T) {
	tests := []struct {
		stored string
		plain  bool
		bad    bool // ErrBadHash
		accept string
	}{
		{stored: "geheim", plain: true, accept: "geheim"},
		{stored: "plain:geheim", plain: true, accept: "geheim"},
		{stored: "plain:$1$abc", plain: true, accept: "$1$abc"},
		{stored: "$money", bad: true},
		{stored: "{smile}", plain: true, accept: "{smile}"},
		{stored: "$argon2id$v=19$m=19456", bad: true},
		{stored: "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", bad: true},
		{stored: "$argon2id$v=19$m=65536,t=1,p=16777215$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", bad: true},
		{stored: "$argon2id$v=19$m=65536,t=4294967295,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", bad: true},
		{stored: "$6$rounds=999999999$saltsalt$" + strings.Repeat("a", 86), bad: true},
		{stored: "{CRYPT}$6$rounds=999999999$saltsalt$" + strings.Repeat("a", 86), bad: true},
		{stored: "$2b$31$" + strings.Repeat("a", 53), bad: true},
		{stored: "$scrypt$ln=40,r=8,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHM", bad: true},
		{stored: "$scrypt$ln=24,r=8,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHM", bad: true},
		{stored: "$scrypt$ln=4,r=8,p=0$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHM", bad: true},
		{stored: "$scrypt$ln=4,r=0,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHM", bad: true},
		{stored: "$pbkdf2-sha256$4294967295$c2FsdHNhbHQ$" + strings.Repeat("a", 43), bad: true},
		{stored: "$y$jKT$saltsalt$" + strings.Repeat("a", 43), bad: true},
		{stored: "$nosuch$abc$def", bad: true},
		{stored: "{SSHA}abcdef", bad: true},
		{stored: "$6$saltsalt$", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.stored, func(t *testing.T) {
			p, err := ParsePassword(tt.stored)
			if tt.bad {
				if !errors.Is(err, ErrBadHash) {
					t.Fatalf("ParsePassword: %v, want ErrBadHash", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Plain() != tt.plain {
				t.Errorf("Plain() = %v, want %v", p.Plain(), tt.plain)
			}
			if ok, err := p.Check(t.Context(), tt.accept); !ok || err != nil {
				t.Errorf("Check(%q) = %v, %v", tt.accept, ok, err)
			}
			if ok, _ := p.Check(t.Context(), tt.accept+"x"); ok {
				t.Errorf("Check(%q) = true", tt.accept+"x")
			}
		})
	}
	for _, empty := range []string{"", "plain:"} {
		if _, err := ParsePassword(empty); err == nil {
			t.Errorf("ParsePassword(%q) gave no error", empty)
		}
	}
	if ok, _ := (Password{}).Check(t.Context(), ""); ok {
		t.Error("the zero Password matches the empty one")
	}
}

// The cost is read as the formats write it, and what is usual passes.
func TestCheckCost(t *testing.T) {
	for stored, ok := range map[string]bool{
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA":           true,
		"$argon2id$v=19$m=1048576,t=8,p=4$c2FsdA$aGFzaA":         true,
		"$argon2id$v=19$m=1048576,t=9,p=4$c2FsdA$aGFzaA":         false,
		"$argon2id$v=19$m=1048577,t=1,p=4$c2FsdA$aGFzaA":         false,
		"$argon2id$v=19$m=99999999999,t=1,p=4$c2FsdA$aGFzaA":     false,
		"{ARGON2}$argon2id$v=19$m=65536,t=999,p=1$c2FsdA$aGFzaA": false,
		"$2y$17$x": true, "$2y$18$x": false,
		"$bcrypt-sha256$v=2,t=2b,r=12$x$y": true, "$bcrypt-sha256$v=2,t=2b,r=20$x$y": false,
		"$5$rounds=10000000$x$y": true, "$5$rounds=10000001$x$y": false, "$6$x$y": true,
		"$scrypt$ln=16,r=8,p=1$x$y": true, "$scrypt$ln=20,r=8,p=1$x$y": true, "$scrypt$ln=20,r=8,p=9$x$y": false, "$scrypt$ln=20,r=4294967295,p=1$x$y": false,
		"$pbkdf2-sha512$600000$x$y": true, "{PBKDF2-SHA256}10000$x$y": true, "{PBKDF2-SHA256}999999999$x$y": false,
		"$y$j9T$x$y": true, "$y$jFT$x$y": true, "$y$jGT$x$y": false, "$1$x$y": true,
		"$md5,rounds=99999999$x$$y": false, "$sha1$24680$x$y": true, "$sha1$4294967295$x$y": false,
	} {
		if err := checkCost(stored); (err == nil) != ok || err != nil && !errors.Is(err, ErrBadHash) {
			t.Errorf("%s: %v, want it to pass %v", stored, err, ok)
		}
	}
}

// A flood keeps no more checks running than there are places, and who waits goes when its context ends.
func TestCheckIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saved := checks
		defer func() { checks = saved }()
		checks = make(chan struct{}, 2)

		running := make(chan struct{}, 10)
		release := make(chan struct{})
		p := Password{match: func(string) (bool, error) {
			running <- struct{}{}
			<-release
			return true, nil
		}}
		results := make(chan error, 10)
		for range 5 {
			go func() {
				_, err := p.Check(t.Context(), "x")
				results <- err
			}()
		}
		synctest.Wait()
		if n := len(running); n != 2 {
			t.Errorf("%d checks run at once, want 2", n)
		}
		gone := errors.New("client gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		if ok, err := p.Check(ctx, "x"); ok || !errors.Is(err, gone) {
			t.Errorf("Check with a done context = %v, %v, want its cause", ok, err)
		}
		close(release)
		for range 5 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}
