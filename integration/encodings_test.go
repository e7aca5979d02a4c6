package integration

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
)

// TestEncodings sends a file there and back under names in the encodings of old clients. The store has them in
// UTF-8.
func TestEncodings(t *testing.T) {
	tests := []struct {
		name string
		enc  encoding.Encoding
		dir  string
		bad  string // bytes that the encoding does not have; empty where it has all
	}{
		{"gbk", simplifiedchinese.GBK, "图片", "\xff\xff"},
		{"shift_jis", japanese.ShiftJIS, "写真ソ表", "\x81\x20"}, // ソ and 表 end with a backslash
		{"iso-8859-1", charmap.ISO8859_1, "Größe ÿ", ""},     // ÿ is Telnet's IAC
		{"ibm437", charmap.CodePage437, "Größe ½", ""},
	}
	for _, kind := range []string{s3Kind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			var users []string
			for _, tt := range tests {
				users = append(users, fmt.Sprintf("name: %s, encoding: %s, …", tt.name, tt.name))
			}
			g := withUsers(t, w, users)
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					raw, err := tt.enc.NewEncoder().String(tt.dir)
					if err != nil {
						t.Fatal(err)
					}
					wire := strings.ReplaceAll(raw, "\xff", "\xff\xff") // RFC 959 section 3.1: the control connection is Telnet
					c := g.as(t, tt.name)
					say(t, c, "TYPE I", 200)
					if r := say(t, c, "FEAT", 211); strings.Contains(r.Text, " UTF8\r\n") {
						t.Errorf("FEAT tells UTF8 although %s is spoken", tt.name)
					}
					if r := say(t, c, "MKD "+wire, 257); !strings.HasPrefix(r.Text, `257 "/`+wire+`"`) {
						t.Errorf("MKD answers %q", r.Text)
					}
					say(t, c, "CWD "+wire, 250)
					send(t, c, passive(t, c, "STOR "+wire+".jpg"), "picture of "+tt.name, 226)
					w.wantObject(t, tt.dir+"/"+tt.dir+".jpg", []byte("picture of "+tt.name))
					// Data connections are no Telnet: nothing is doubled there.
					if got := receive(t, c, passive(t, c, "NLST")); got != raw+".jpg\r\n" {
						t.Errorf("NLST: %q, want %q", got, raw+".jpg")
					}
					for _, verb := range []string{"LIST", "MLSD"} {
						if got := receive(t, c, passive(t, c, verb)); !strings.HasSuffix(strings.TrimSuffix(got, "\r\n"), " "+raw+".jpg") {
							t.Errorf("%s: %q, want the name %q", verb, got, raw)
						}
					}
					if got := receive(t, c, passive(t, c, "RETR "+wire+".jpg")); got != "picture of "+tt.name {
						t.Errorf("RETR: %q", got)
					}
					if tt.bad != "" {
						say(t, c, "MKD x"+strings.ReplaceAll(tt.bad, "\xff", "\xff\xff"), 501)
						say(t, c, "SITE CHMOD 644 x"+strings.ReplaceAll(tt.bad, "\xff", "\xff\xff"), 501)
					}
					// Windows Explorer sends this unasked and believes the 200.
					say(t, c, "OPTS UTF8 ON", 200)
					if r := say(t, c, "FEAT", 211); !strings.Contains(r.Text, " UTF8\r\n") {
						t.Error("FEAT does not tell UTF8 although it was switched on")
					}
					if got := receive(t, c, passive(t, c, "NLST")); got != tt.dir+".jpg\r\n" {
						t.Errorf("NLST in UTF-8: %q", got)
					}
					say(t, c, "OPTS UTF8 OFF", 200)
					say(t, c, "DELE "+wire+".jpg", 250)
				})
			}
		})
	}
}

// TestEncodingOfListener has two ports for two kinds of clients, and a user whose own encoding counts more.
func TestEncodingOfListener(t *testing.T) {
	w := newWorld(t, localKind)
	g := prepareGateway(t, w, "profiles: {old: {encoding: shift_jis}}")
	g.replace(t, "tls: {mode: explicit}}", "tls: {mode: explicit}, profile: old, encoding: iso-8859-1}")
	g.replace(t, "users:\n", fmt.Sprintf("users:\n  - {name: modern, encoding: utf-8, password: %q, home: \"store:/\"}\n", "plain:"+password))
	g.start(t, t)
	c, err := clients.Login(t.Context(), g.target)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say(t, c, "MKD \xe4", 257)
	say(t, g.as(t, "modern"), "CWD ä", 250)
}
