package auth

import "testing"

func TestParsePerm(t *testing.T) {
	for in, want := range map[string]struct {
		perm   Perm
		out    string
		writes bool
	}{
		"":           {0, "", false},
		"elr":        {PermReadOnly, "elr", false},
		"rle":        {PermReadOnly, "elr", false},
		"wwe":        {PermWrite | PermEnter, "ew", true},
		"elradfmwMT": {PermAll, "elradfmwMT", true},
		"T":          {PermTime, "T", true},
	} {
		p, err := ParsePerm(in)
		if err != nil || p != want.perm || p.String() != want.out || p.Writes() != want.writes {
			t.Errorf("ParsePerm(%q) = %v (%b, writes %v), %v, want %+v", in, p, p, p.Writes(), err, want)
		}
	}
	for _, bad := range []string{"x", "elrt", "e l"} {
		if p, err := ParsePerm(bad); err == nil {
			t.Errorf("ParsePerm(%q) = %v, want an error", bad, p)
		}
	}
	if PermReadOnly.Has(PermWrite) || !PermAll.Has(PermReadOnly) {
		t.Error("Has is wrong")
	}
}
