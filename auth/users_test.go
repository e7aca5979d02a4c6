package auth

import (
	"errors"
	"strings"
	"testing"
)

// counting returns a Password that accepts want and counts how often it is asked.
func counting(want string, n *int) Password {
	return Password{match: func(pw string) (bool, error) { *n++; return pw == want, nil }}
}

func TestUsers(t *testing.T) {
	var n int
	u, err := NewUsers([]User{{Name: "cam7", Password: counting("right", &n), Account: Account{
		Home: "disk:/cam7", Permissions: Permissions{Base: PermReadOnly}, Mounts: map[string]string{"/a": "b:/"}}}})
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		user, password string
		err            error
		checks         int // in all, afterwards
	}{
		{"cam7", "wrong", ErrDenied, 1},
		{"cam7", "right", nil, 2},
		{"cam7", "right", nil, 2}, // remembered
		{"cam7", "wrong", ErrDenied, 3},
		{"cam7", "", ErrDenied, 4},
		{"cam7", "right", nil, 4}, // a wrong one in between does not make it forget
		{"nobody", "right", ErrUnknownUser, 5},
		{"Cam7", "right", ErrUnknownUser, 6},
		{"", "right", ErrUnknownUser, 7},
	}
	for _, s := range steps {
		a, err := u.Authenticate(t.Context(), Request{User: s.user, Password: s.password})
		if !errors.Is(err, s.err) {
			t.Errorf("%q/%q: error %v, want %v", s.user, s.password, err, s.err)
		}
		if n != s.checks {
			t.Errorf("%q/%q: %d checks so far, want %d", s.user, s.password, n, s.checks)
		}
		if err != nil {
			continue
		}
		if a.Name != "cam7" || a.Anonymous || a.Home != "disk:/cam7" || a.Permissions.Base != PermReadOnly || a.Mounts["/a"] != "b:/" {
			t.Errorf("account = %+v", a)
		}
		a.Mounts["/a"] = "changed by the caller" // must not show in the next login
	}
}

func TestUnknownUserAlwaysMeetsTheSamePassword(t *testing.T) {
	counts := make([]int, 4)
	var users []User
	for i, name := range []string{"a", "b", "c", "d"} {
		users = append(users, User{Name: name, Password: counting("x", &counts[i])})
	}
	u, err := NewUsers(users)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := u.Authenticate(t.Context(), Request{User: "ghost", Password: "x"}); !errors.Is(err, ErrUnknownUser) {
			t.Fatalf("error %v, want ErrUnknownUser", err)
		}
	}
	var asked []int
	for _, n := range counts {
		if n > 0 {
			asked = append(asked, n)
		}
	}
	if len(asked) != 1 || asked[0] != 3 {
		t.Errorf("checks per user %v, want three at one of them", counts)
	}
}

func TestNewUsersRefuses(t *testing.T) {
	_, err := NewUsers([]User{{Name: "a"}, {Name: "a"}, {Name: ".."}, {Name: "b"}, {Name: "c", Stored: "$nosuch$x$y"}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`"a" appears twice`, `".." is the name of a directory`, `user "c": ` + ErrBadHash.Error()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not tell %q", err, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"cam7", "Jürgen Müller", "a.b", "...", "user@example.com", "名前"} {
		if err := CheckName(good); err != nil {
			t.Errorf("CheckName(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", "/", `a\b`, "a\x00b", "a\nb", "a\x7f", "a\u0085", "\xff", strings.Repeat("x", 129)} {
		if err := CheckName(bad); err == nil {
			t.Errorf("CheckName(%q) = nil", bad)
		}
	}
}

func TestAnonymous(t *testing.T) {
	a := &Anonymous{Account: Account{Home: "disk:/pub"}}
	for _, name := range []string{"anonymous", "ftp", "Anonymous", "FTP"} {
		acc, err := a.Authenticate(t.Context(), Request{User: name, Password: "me@example.com"})
		if err != nil || acc.Name != "anonymous" || !acc.Anonymous || acc.Home != "disk:/pub" {
			t.Errorf("%q: %+v, %v", name, acc, err)
		}
	}
	if _, err := a.Authenticate(t.Context(), Request{User: "root"}); !errors.Is(err, ErrUnknownUser) {
		t.Errorf("root: %v, want ErrUnknownUser", err)
	}
}

func TestChain(t *testing.T) {
	down := errors.New("directory down")
	fixed := func(name string, err error) Authenticator { return fakeAuth{name, err} }
	tests := []struct {
		name  string
		chain Chain
		want  string
		err   error
	}{
		{"empty", nil, "", ErrUnknownUser},
		{"first knows", Chain{fixed("a", nil), fixed("b", nil)}, "a", nil},
		{"second knows", Chain{fixed("", ErrUnknownUser), fixed("b", nil)}, "b", nil},
		{"denied ends it", Chain{fixed("", ErrDenied), fixed("b", nil)}, "", ErrDenied},
		{"no answer ends it", Chain{fixed("", down), fixed("b", nil)}, "", down},
		{"nobody knows", Chain{fixed("", ErrUnknownUser)}, "", ErrUnknownUser},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			acc, err := tt.chain.Authenticate(t.Context(), Request{User: "x"})
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if tt.want != "" && (acc == nil || acc.Name != tt.want) {
				t.Errorf("account %+v, want %s", acc, tt.want)
			}
		})
	}
}
