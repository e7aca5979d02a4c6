package auth

import (
	"errors"
	"testing"
)

// counted is a password whose checks are counted.
func counted(n *int, want string) Password {
	return Password{stored: want, match: func(p string) (bool, error) { *n++; return p == want, nil }}
}

// TestChainCost looks at what a login costs in a chain of three that hash passwords and one that does not: one hash, whoever
// it is that is not let in.
func TestChainCost(t *testing.T) {
	for _, tt := range []struct {
		user   string
		hashes int
		want   error
	}{
		{"a", 1, ErrDenied}, {"b", 1, ErrDenied}, {"c", 1, ErrDenied},
		{"remote", 1, ErrDenied},
		{"nobody", 1, ErrUnknownUser},
	} {
		n := 0
		var chain Chain
		for _, name := range []string{"a", "b"} {
			u, err := NewUsers([]User{{Name: name, Password: counted(&n, name)}})
			if err != nil {
				t.Fatal(err)
			}
			chain = append(chain, u)
		}
		chain = append(chain, plain{"remote": "x"})
		u, err := NewUsers([]User{{Name: "c", Password: counted(&n, "c")}})
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, NewLive(u))
		if _, err := chain.Authenticate(t.Context(), Request{User: tt.user, Password: "wrong"}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.user, err, tt.want)
		}
		if n != tt.hashes {
			t.Errorf("%s: %d hashes, want %d", tt.user, n, tt.hashes)
		}
	}
}

// TestChainCostBehindNobody looks at a chain whose first has nothing to compute: no users yet, or only such with plain passwords. Who is
// unknown takes the time of the next.
func TestChainCostBehindNobody(t *testing.T) {
	for name, first := range map[string][]User{
		"no users":    nil,
		"plain users": {{Name: "p", Stored: "plain:1"}},
	} {
		n := 0
		u, err := NewUsers(first)
		if err != nil {
			t.Fatal(err)
		}
		v, err := NewUsers([]User{{Name: "a", Password: counted(&n, "a")}})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"a", "nobody"} {
			n = 0
			if _, err := (Chain{NewLive(u), v}).Authenticate(t.Context(), Request{User: user, Password: "wrong"}); err == nil || n != 1 {
				t.Errorf("%s: %s: %v, %d hashes, want one", name, user, err, n)
			}
		}
	}
}

// TestLive replaces the users while somebody is known.
func TestLive(t *testing.T) {
	n := 0
	set := func(users ...User) *Users {
		u, err := NewUsers(users)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	l := NewLive(set(User{Name: "a", Password: counted(&n, "1")}, User{Name: "b", Password: counted(&n, "1")}))
	login := func(user, password string, want error, hashes int) {
		t.Helper()
		before := n
		if _, err := l.Authenticate(t.Context(), Request{User: user, Password: password}); !errors.Is(err, want) {
			t.Errorf("%s with %q: %v, want %v", user, password, err, want)
		}
		if n-before != hashes {
			t.Errorf("%s with %q: %d hashes, want %d", user, password, n-before, hashes)
		}
	}
	login("a", "1", nil, 1)
	login("a", "1", nil, 0)
	login("b", "1", nil, 1)
	l.Replace(set(User{Name: "a", Password: counted(&n, "1")}, User{Name: "b", Password: counted(&n, "2")}, User{Name: "c", Password: counted(&n, "3")}))
	login("a", "1", nil, 0)       // unchanged: found right before
	login("b", "1", ErrDenied, 1) // another password
	login("b", "2", nil, 1)
	login("c", "3", nil, 1)
	l.Replace(set())
	login("a", "1", ErrUnknownUser, 0)
}
