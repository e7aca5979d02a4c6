package config

import (
	"testing"
)

// A profile takes what it leaves out from its base, and at last from the document.
func TestProfile(t *testing.T) {
	c, report := Parse("", []byte(`
ascii: always
cut: {close_notify: accept}
profiles:
  gate: {base: camera, ascii: explicit, peer_address: false}
  yard: {base: gate, control_lost: accept, tls_min: "1.1"}
  plc: {control_lost: cut}
  mfp: {base: camera}
`), noEnv)
	if report.Failed() {
		t.Fatal(report)
	}
	type want struct {
		ascii, closeNotify, controlLost, tlsMin string
		existing, peer, extended                bool
	}
	for name, w := range map[string]want{
		"camera": {"never", "accept", "cut", "", true, true, false},
		"gate":   {"explicit", "accept", "cut", "", true, false, false},
		"yard":   {"explicit", "accept", "accept", "1.1", true, false, false},
		"logger": {"never", "accept", "cut", "", false, false, false},
		// A name of a built-in one changes that one, unless it has another base.
		"plc": {"never", "accept", "cut", "", false, false, true},
		"mfp": {"never", "accept", "cut", "", true, true, false},
	} {
		p, ok := c.Profile(name)
		if !ok {
			t.Errorf("no profile %s", name)
			continue
		}
		got := want{p.ASCII, p.CloseNotify, p.ControlLost, p.TLSMin, *p.ExistingDir, *p.PeerAddress, *p.NoExtended}
		if got != w {
			t.Errorf("%s = %+v, want %+v", name, got, w)
		}
	}
	if _, ok := c.Profile("none"); ok {
		t.Error("there is a profile that nobody wrote")
	}
}

func TestLookupEncoding(t *testing.T) {
	for name, ok := range map[string]bool{
		"utf-8": true, "UTF8": true, "latin1": true, "iso-8859-15": true, "windows-1252": true, "cp1252": true, "gbk": true, "gb2312": true,
		"gb18030": true, "big5": true, "Shift_JIS": true, "sjis": true, "windows-31j": true, "euc-jp": true, "euc-kr": true,
		"cp437": true, "ibm437": true, "cp850": true, "ibm866": true, "cp866": true, "koi8-r": true,
		"utf-16": false, "utf-16le": false, "ibm037": false, "iso-2022-jp": false, "hz-gb-2312": false, "iso-2022-kr": false, "klingon": false,
	} {
		if e, err := LookupEncoding(name); (err == nil) != ok || ok && e == nil {
			t.Errorf("LookupEncoding(%q) = %v, %v, want %v", name, e, err, ok)
		}
	}
	if e, err := LookupEncoding(""); e != nil || err != nil {
		t.Errorf(`LookupEncoding("") = %v, %v, want nil`, e, err)
	}
}
