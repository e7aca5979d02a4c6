package protocol_test

import (
	"context"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs"
)

func TestHomes(t *testing.T) {
	tree := afero.NewMemMapFs()
	for name, text := range map[string]string{"/secret": "no", "/home/ann/f": "ann's", "/old/ann/f": "old", "/pub/f": "all's"} {
		if err := afero.WriteFile(tree, name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open := protocol.Homes(tree)
	for _, tt := range []struct {
		account auth.Account
		file    string
		want    string // empty: there is none
	}{
		{auth.Account{Name: "ann", Home: "/home/{user}"}, "/f", "ann's"},
		{auth.Account{Name: "ann", Home: "home/{user}/"}, "/f", "ann's"},
		{auth.Account{Name: "ann", Home: "/home/{user}"}, "/../../secret", ""},
		{auth.Account{Name: "ann", Home: "/home/{user}", Mounts: map[string]string{"/old": "/old/{user}", "/all": "/pub"}}, "/old/f", "old"},
		{auth.Account{Name: "ann", Home: "/home/{user}", Mounts: map[string]string{"/all": "/pub"}}, "/all/f", "all's"},
		{auth.Account{Name: "bob", Home: "/home/{user}"}, "/f", ""},
		{auth.Account{Name: "bob"}, "/pub/f", "all's"},
		{auth.Account{Name: "..", Home: "/"}, "/secret", "no"}, // its name means nothing here
	} {
		fsys, err := open(t.Context(), &tt.account)
		if err != nil {
			t.Errorf("%+v: %v", tt.account, err)
			continue
		}
		if b, err := afero.ReadFile(fsys, tt.file); string(b) != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s in %q of %s: %q, %v; want %q", tt.file, tt.account.Home, tt.account.Name, b, err, tt.want)
		}
	}
	if _, err := vfs.StatDir(tree, "/home/bob"); err != nil {
		t.Errorf("bob's home was not made: %v", err)
	}
	for _, name := range []string{"..", "a/b", ""} {
		if _, err := open(context.Background(), &auth.Account{Name: name, Home: "/home/{user}"}); err == nil {
			t.Errorf("%q has a home", name)
		}
	}
	if _, err := protocol.Homes(afero.NewReadOnlyFs(tree))(context.Background(), &auth.Account{Name: "new", Home: "/home/{user}"}); err == nil {
		t.Error("a home was made where nothing can be")
	}
}

// TestAnyFs gives a tree in memory, which can nothing beyond afero, what clients do to it, and cuts an upload.
func TestAnyFs(t *testing.T) {
	tree := afero.NewMemMapFs()
	s := start(t, protocol.TLSExplicit, func(s *server) { s.OpenFS = protocol.Homes(tree) })
	c := dial(t, s.addr).login()
	c.cmd(257, "MKD d")
	c.cmd(250, "CWD d")
	if code := c.put("f", []byte("0123456789")); code != 226 {
		t.Fatalf("STOR: %d", code)
	}
	c.cmd(213, "SIZE f")
	c.cmd(213, "MDTM f")
	c.cmd(350, "REST 4")
	if b, code := c.get("RETR f"); string(b) != "456789" || code != 226 {
		t.Errorf("RETR behind REST: %q, %d", b, code)
	}
	d, _ := c.transfer("APPE f")
	if _, err := d.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	d.Close()
	c.want(226)
	if b, _ := afero.ReadFile(tree, "/d/f"); string(b) != "0123456789ab" {
		t.Errorf("behind APPE the file is %q", b)
	}
	if b, code := c.get("NLST"); string(b) != "f\r\n" || code != 226 {
		t.Errorf("NLST: %q, %d", b, code)
	}
	c.cmd(350, "RNFR f")
	c.cmd(250, "RNTO /g")
	_, raw := c.transfer("STOR cut")
	if _, err := raw.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	reset(raw)
	c.want(426)
	// Such a tree cannot give up what was written: the part stays, for REST, as with a classic FTP server.
	if b, err := afero.ReadFile(tree, "/d/cut"); err != nil || !strings.HasPrefix("half", string(b)) {
		t.Errorf("of the cut upload there is %q, %v", b, err)
	}
	c.cmd(550, "CWD /nowhere")
	c.cmd(550, "DELE /nothing")
	c.cmd(250, "DELE /g")
	c.cmd(250, "DELE cut")
	c.cmd(250, "RMD /d")
}
