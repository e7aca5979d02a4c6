package unix

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

func system(t *testing.T) Files {
	t.Helper()
	dir := t.TempDir()
	hash, err := auth.Hash("right")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	h := ":" + hash + ":19000:0:99999:7:::"
	return Files{
		Passwd: write("passwd", "# people\nroot:x:0:0:root:/root:/bin/sh\nann:x:1001:100:Ann:/home/ann:/bin/sh\nbob:x:1002:100::/home/bob/../bob:/usr/sbin/nologin\n"+
			"locked:x:1003:100::/home/l:/bin/sh\nnopass:x:1004:100::/home/n:/bin/sh\nold:x:1005:100::/home/o:/bin/sh\nstale:x:1006:100::/home/s:/bin/sh\n"+
			"change:x:1007:100::/home/c:/bin/sh\nbad:x:4294967295:100::/home/b:/bin/sh\nnoshadow:x:1009:100::/home/x:/bin/sh\nnoshell:x:1010:100::/home/x:\n"+
			"des:x:1011:100::/home/d:/bin/sh\ngost:x:1012:100::/home/g:/bin/sh\nhomeless:x:1013:100:::/bin/sh\n"),
		Shadow: write("shadow", "gost:$gy$j9T$salt$14dXInP4qrjJV/FoZj66mwmA2tI432x/6dkLq4HPZC6:19000:0:99999:7:::\ndes:abl0JrMf6tlhw:19000:0:99999:7:::\nroot"+h+"\nann"+h+"\nbob"+h+"\nlocked:!"+hash+":19000:0:99999:7:::\nnopass::19000:0:99999:7:::\n"+
			"old:"+hash+":19000:0:99999:7::19001:\nstale:"+hash+":19000:0:30:7:5::\nchange:"+hash+":0:0:99999:7:::\nbad"+h+"\nnoshell"+h+"\nhomeless"+h+"\n"),
		Group:  write("group", "users:x:100:\nscan:x:200:ann,bob\naudio:x:300:bob\nbroken\nwheel:x:400:ann\n"),
		Shells: write("shells", "# valid\n/bin/sh\n"),
	}
}

func TestAccountsOfTheSystem(t *testing.T) {
	files := system(t)
	base := Options{Files: files, Account: auth.Account{Home: "homes:{home}", Start: "{home}"}}
	with := func(change func(*Options)) Options { o := base; change(&o); return o }
	for _, tt := range []struct {
		name, user, password string
		o                    Options
		want                 error
		why                  string
	}{
		{"right", "ann", "right", base, nil, ""},
		{"wrong", "ann", "wrong", base, auth.ErrDenied, "wrong password"},
		{"empty", "ann", "", base, auth.ErrDenied, "wrong password"},
		{"unknown", "eve", "right", base, auth.ErrUnknownUser, ""},
		{"field separator", "ann:x", "right", base, auth.ErrUnknownUser, ""},
		{"root", "root", "right", base, auth.ErrDenied, "root may not"},
		{"root allowed", "root", "right", with(func(o *Options) { o.AllowRoot = true }), nil, ""},
		{"shell", "bob", "right", base, auth.ErrDenied, "shell"},
		{"any shell", "bob", "right", with(func(o *Options) { o.AnyShell = true }), nil, ""},
		{"no shell is sh", "noshell", "right", base, nil, ""},
		{"rejected", "ann", "right", with(func(o *Options) { o.Rejected = []string{"ann"} }), auth.ErrDenied, "rejected"},
		{"rejected tells nothing to who has no password", "ann", "wrong", with(func(o *Options) { o.Rejected = []string{"ann"} }), auth.ErrDenied, "wrong password"},
		{"not allowed", "ann", "right", with(func(o *Options) { o.Allowed = []string{"noshell"} }), auth.ErrDenied, "allowed"},
		{"allowed", "ann", "right", with(func(o *Options) { o.Allowed = []string{"ann"} }), nil, ""},
		{"locked", "locked", "right", base, auth.ErrDenied, "locked"},
		{"no password", "nopass", "", base, auth.ErrDenied, "locked or has no password"},
		{"hash of DES", "des", "hello", base, auth.ErrDenied, "locked or has no password"},
		{"hash of DES as a password", "des", "abl0JrMf6tlhw", base, auth.ErrDenied, "locked or has no password"},
		{"hash that nobody here can check", "gost", "right", base, auth.ErrDenied, "locked or has no password"},
		{"no home", "homeless", "right", base, auth.ErrDenied, "no home directory"},
		{"no home is needed", "homeless", "right", with(func(o *Options) { o.Account.Home, o.Account.Start = "homes:/", "" }), nil, ""},
		{"account expired", "old", "right", base, auth.ErrDenied, "expired"},
		{"password expired", "stale", "right", base, auth.ErrDenied, "expired"},
		{"password to be changed", "change", "right", base, auth.ErrDenied, "changed"},
		{"uid that means nobody", "bad", "right", base, auth.ErrUnknownUser, ""},
		{"not in shadow", "noshadow", "right", base, auth.ErrDenied, "locked"},
		{"shadow unreadable", "ann", "right", with(func(o *Options) { o.Files.Shadow += ".missing" }), os.ErrNotExist, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := New(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			a, err := u.Authenticate(t.Context(), auth.Request{User: tt.user, Password: tt.password, Remote: netip.MustParseAddrPort("192.0.2.1:1")})
			if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), tt.why) || (err == nil) != (a != nil) {
				t.Fatalf("got %v, %v; want %v (%s)", a, err, tt.want, tt.why)
			}
		})
	}
	u, _ := New(base)
	a, err := u.Authenticate(t.Context(), auth.Request{User: "ann", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	if s := a.System; a.Name != "ann" || a.Home != "homes:/home/ann" || a.Start != "/home/ann" || s.UID != 1001 || s.GID != 100 ||
		!slices.Equal(s.Groups, []uint32{100, 200, 400}) || s.Home != "/home/ann" {
		t.Errorf("account: %+v, %+v", a, a.System)
	}
}

func TestShellsWithoutAList(t *testing.T) {
	f := system(t)
	f.Shells += ".missing"
	for shell, want := range map[string]bool{"/bin/sh": true, "": true, "/bin/zsh": false} {
		if got, err := f.shellAllowed(shell); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", shell, got, err, want)
		}
	}
}

func TestPAMNeedsABinaryThatHasIt(t *testing.T) {
	if _, err := New(Options{PAMService: "login"}); (err == nil) != HasPAM {
		t.Errorf("New with a PAM service: %v, and HasPAM is %v", err, HasPAM)
	}
}
