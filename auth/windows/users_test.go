package windows

import (
	"errors"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// fake are accounts by "domain\name" in lower case: password and profile.
type fake struct {
	accounts map[string][2]string
	logons   int
	broken   error
}

func (f *fake) Exists(domain, user string) (bool, error) {
	_, ok := f.accounts[strings.ToLower(domain+`\`+user)]
	return ok, f.broken
}

func (f *fake) Logon(domain, user, password string) (string, error) {
	f.logons++
	a, ok := f.accounts[strings.ToLower(domain+`\`+user)]
	if !ok || a[0] != password {
		return "", &LogonError{"wrong password"}
	}
	return a[1], f.broken
}

func TestUsers(t *testing.T) {
	f := &fake{accounts: map[string][2]string{
		`\ann`:     {"right", `C:\Users\ann`},
		`\bob`:     {"right", `D:\Users\bob`},
		`\rej`:     {"right", `C:\Users\rej`},
		`\none`:    {"right", ""},
		`\empty`:   {"", `C:\Users\empty`},
		`\guest`:   {"", `C:\Users\Guest`},
		`corp\ann`: {"other", `C:\Users\ann.CORP`},
	}}
	base := Options{Accounts: f, Volume: "C:", Rejected: []string{"REJ"}, Account: auth.Account{Home: "disk:{profile}"},
		Guest: "Guest", GuestAccount: auth.Account{Home: "disk:/pub"}}
	with := func(change func(*Options)) Options { o := base; change(&o); return o }
	anyDomain := with(func(o *Options) { o.AnyDomain = true })
	other := errors.New("neither denied nor unknown")
	for _, tt := range []struct {
		name, user, password string
		o                    Options
		want                 error
		account, home        string
	}{
		{"right", "ann", "right", base, nil, "ann", "disk:/Users/ann"},
		{"upper case", "ANN", "right", base, nil, "ann", "disk:/Users/ann"},
		{"wrong", "ann", "wrong", base, auth.ErrDenied, "", ""},
		{"unknown", "eve", "right", base, auth.ErrUnknownUser, "", ""},
		{"another drive", "bob", "right", base, other, "", ""},
		{"no profile", "none", "right", base, other, "", ""},
		{"no profile needed", "none", "right", with(func(o *Options) { o.Account.Home = "disk:/{user}" }), nil, "none", "disk:/{user}"},
		{"rejected", "Rej", "right", base, auth.ErrDenied, "", ""},
		{"not allowed", "ann", "right", with(func(o *Options) { o.Allowed = []string{"bob"} }), auth.ErrDenied, "", ""},
		{"allowed", "ann", "right", with(func(o *Options) { o.Allowed = []string{"Ann"} }), nil, "ann", "disk:/Users/ann"},
		{"empty password", "empty", "", base, auth.ErrDenied, "", ""},
		{"guest by name", "Guest", "", base, auth.ErrDenied, "", ""},
		{"guest", "Anonymous", "me@example.com", base, nil, "anonymous", "disk:/pub"},
		{"no guest", "anonymous", "x", with(func(o *Options) { o.Guest = "" }), auth.ErrUnknownUser, "", ""},
		{"guest is disabled", "ftp", "x", with(func(o *Options) { o.GuestPassword = "wrong" }), other, "", ""},
		{"domain not allowed", `CORP\ann`, "other", base, auth.ErrUnknownUser, "", ""},
		{"domain not allowed, by @", "ann@corp", "other", base, auth.ErrUnknownUser, "", ""},
		{"domain", `CORP\ann`, "other", anyDomain, nil, "ann@corp", "disk:/Users/ann.CORP"},
		{"domain by @", "ann@Corp", "other", anyDomain, nil, "ann@corp", "disk:/Users/ann.CORP"},
		{"own domain", "ann", "other", with(func(o *Options) { o.Domain = "CORP" }), nil, "ann", "disk:/Users/ann.CORP"},
		{"another machine", `.\..\x`, "x", anyDomain, auth.ErrUnknownUser, "", ""},
		{"trailing point", "ann.", "right", base, auth.ErrUnknownUser, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := New(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			a, err := u.Authenticate(t.Context(), auth.Request{User: tt.user, Password: tt.password})
			known := errors.Is(err, auth.ErrDenied) || errors.Is(err, auth.ErrUnknownUser)
			switch {
			case tt.want == nil && err != nil, tt.want == other && (err == nil || known), tt.want != nil && tt.want != other && !errors.Is(err, tt.want):
				t.Fatalf("%v, want %v", err, tt.want)
			case err == nil && (a.Name != tt.account || a.Home != tt.home || a.Anonymous != (tt.account == "anonymous")):
				t.Errorf("%+v", a)
			}
		})
	}
	u, err := New(base)
	if err != nil {
		t.Fatal(err)
	}
	before := f.logons
	if _, err := u.Authenticate(t.Context(), auth.Request{User: "eve", Password: "x"}); !errors.Is(err, auth.ErrUnknownUser) || f.logons != before+1 {
		t.Errorf("an unknown user: %v after %d logons, want one", err, f.logons-before)
	}
	f.broken = errors.New("RPC server unavailable")
	if _, err := u.Authenticate(t.Context(), auth.Request{User: "ann", Password: "right"}); err == nil || errors.Is(err, auth.ErrDenied) {
		t.Errorf("a system that cannot tell: %v", err)
	}
}
