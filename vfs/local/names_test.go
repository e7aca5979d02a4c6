package local

import "testing"

func TestTrimmed(t *testing.T) {
	for name, want := range map[string]bool{
		"a": false, "a.b": false, ".a": false, " a": false, "a b/c d": false, "a..b": false, "": false,
		"a.": true, "a ": true, "a. .": true, "...": true, " ": true, "a./b": true, "a /b": true, "a/b.": true,
		".ftp-gateway-x.part.": true,
	} {
		if got := trimmed(name); got != want {
			t.Errorf("trimmed(%q) = %v", name, got)
		}
	}
}
