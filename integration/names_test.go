package integration

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// Test41NamesOverFTP stores, lists, reads, renames and removes files whose names have a meaning somewhere on the way: in
// URLs, in XML, in the shell, or in lines of a listing.
func Test41NamesOverFTP(t *testing.T) {
	names := []string{"a b", "100%", "a%20b%2Fc", "a+b", "<a>&amp;\"b\"'c'", "a?b#c=d", "a;b,c", "[a]{b}", `a\b`, "a:b", "~a", "-la", "📷🇩🇪", "\u00e9",
		"e\u0301", "a.", ".a", "...", "con.txt", strings.Repeat("k", 255)}
	slices.Sort(names)
	for _, kind := range []string{s3Kind, gcsKind, localKind} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, kind)
			g := newGateway(t, w)
			c := g.login(t, false)
			expect(t, c, "200 OPTS UTF8 ON", "257 MKD d", "250 CWD d")
			for i, name := range names {
				stored(t, c, name, random(byte(i), 100+i))
			}
			for _, command := range []string{"NLST", "MLSD", "LIST"} {
				text, err := c.List(t.Context(), command)
				if err != nil {
					t.Fatalf("%s: %v", command, err)
				}
				var got []string
				for l := range strings.Lines(text) {
					l = strings.TrimRight(l, "\r\n")
					switch {
					case command == "MLSD":
						_, l, _ = strings.Cut(l, " ")
					case command == "LIST":
						// Eight columns, one space before the name.
						for range 8 {
							l = strings.TrimLeft(l, " ")
							_, l, _ = strings.Cut(l, " ")
						}
					}
					if l != "." && l != ".." && !strings.HasPrefix(l, "/") {
						got = append(got, l)
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, names) {
					t.Errorf("%s: %q\nwant %q", command, got, names)
				}
			}
			for i, name := range names {
				w.wantObject(t, "d/"+name, random(byte(i), 100+i))
				if got, err := c.Retrieve(t.Context(), name); err != nil || !bytes.Equal(got, random(byte(i), 100+i)) {
					t.Errorf("RETR %q: %d bytes, %v", name, len(got), err)
				}
				expect(t, c, "213 SIZE "+name, "350 RNFR "+name, "250 RNTO moved", "350 RNFR moved", "250 RNTO "+name, "250 DELE "+name)
			}
			if got := w.files(t, "d/"); len(got) > 0 {
				t.Errorf("left: %q", got)
			}
		})
	}
}
