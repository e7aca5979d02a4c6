package protocol

import (
	"errors"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A name with its pattern letters taken the meaning away is no pattern, and means itself.
func FuzzGlob(f *testing.F) {
	for _, s := range []string{"*.txt", "[a-z]?", "[!a]*", `\*`, "[", "[]", "a]", "[^]a]", `[\]]`, "***", "dir*/x", "../*", "a*/../b*", "//*//", `\`, "[a", "[!", "é*"} {
		f.Add(s, "a.txt")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		escaped := strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `\`, `\\`).Replace(name)
		if isGlob(escaped) || unescape(escaped) != name {
			t.Errorf("%q escaped is %q: a pattern: %v, means %q", name, escaped, isGlob(escaped), unescape(escaped))
		}
		if !strings.Contains(name, "/") {
			if ok, err := path.Match(globPattern(escaped), name); !ok || err != nil {
				t.Errorf("%q does not match %q: %v", escaped, name, err)
			}
		}
		dir, _, segs, ok := globs("/cwd", pattern)
		if !ok {
			return
		}
		if !isGlob(segs[0]) || dir != path.Clean(dir) || dir[0] != '/' {
			t.Errorf("globs(%q) = %q, %q", pattern, dir, segs)
		}
		for _, seg := range segs {
			if seg == ".." || strings.Contains(seg, "/") {
				t.Errorf("globs(%q) has the segment %q", pattern, seg)
			}
			if isGlob(seg) {
				if _, err := path.Match(globPattern(seg), name); err != nil {
					t.Errorf("%q: %v", seg, err)
				}
			}
		}
	})
}

// Names in quotes come back as they were, whatever is in them.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a", `a"b`, " a ", `""`, `"`, "a,b", `"a"b`, "a 1 2", `"a b" c`, `a, "b,c"`} {
		f.Add(s, "b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		names(a)
		commaNames(a)
		name, n := trailingNumbers(a)
		if !strings.HasPrefix(a, name) || len(n) > 2 {
			t.Errorf("trailingNumbers(%q) = %q, %v", a, name, n)
		}
		if a == "" || b == "" {
			return
		}
		if got, ok := names(quote(a) + "  " + quote(b)); !ok || len(got) != 2 || got[0] != a || got[1] != b {
			t.Errorf("names of %q and %q: %q, %v", a, b, got, ok)
		}
		if got, ok := commaNames(quote(a) + " , " + quote(b)); !ok || len(got) != 2 || got[0] != a || got[1] != b {
			t.Errorf("commaNames of %q and %q: %q, %v", a, b, got, ok)
		}
	})
}

// What is left of an argument behind its options is its end.
func FuzzListOptions(f *testing.F) {
	for _, s := range []string{"-la", "-la dir", "-l -a  dir", "-- -file", "-file", "- x", "--", " ", "-R *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		o, name := parseOptions(arg)
		if !strings.HasSuffix(arg, name) {
			t.Errorf("parseOptions(%q) = %q", arg, name)
		}
		if o != (lsOptions{}) && arg[0] != '-' {
			t.Errorf("parseOptions(%q) = %+v", arg, o)
		}
	})
}

// A range is what it says or nothing, and so are the times of SITE UTIME.
func FuzzRanges(f *testing.F) {
	for _, s := range []string{"0 0", "1 0", "2 1", "-1 4", "0 9223372036854775807", "1 2 3", "+1 2", "0x1 2", " 3  4 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		r, ok := parseRange(arg)
		if r != nil && (!ok || r.from < 0 || r.to <= r.from) {
			t.Errorf("parseRange(%q) = %+v, %v", arg, *r, ok)
		}
	})
}

func FuzzUTIME(f *testing.F) {
	for _, s := range []string{"200201020304 f", "20020102030405 f", "f 20020102030405 20020102030405 20020102030405 UTC", "f UTC", "20020102030405 20020102030405 20020102030405 UTC",
		" 20020102030405 20020102030405 20020102030405 UTC", "a b 20020102030405 20020102030405 x UTC"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		name, atime, mtime, ok := parseUTIME(arg)
		if !ok {
			return
		}
		if name == "" || !strings.Contains(arg, name) {
			t.Errorf("parseUTIME(%q): name %q", arg, name)
		}
		for _, at := range []time.Time{atime, mtime} {
			if at.Year() < 1678 || at.Year() > 2261 {
				t.Errorf("parseUTIME(%q): %v", arg, at)
			}
		}
		if !strings.Contains(arg, mtime.Format("200601021504")) {
			t.Errorf("parseUTIME(%q): %v", arg, mtime)
		}
	})
}

// Who waits too long for a turn at reading is told to come again.
func TestHashQueueEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{MaxHashes: 1}
		s.init()
		release, err := s.hashSlot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.hashSlot(t.Context())
		if !errors.Is(err, errHashBusy) || hashRefusal(556, 553)(err).code != 450 {
			t.Errorf("hashSlot: %v, want errHashBusy and a 450", err)
		}
		release()
		if release, err = s.hashSlot(t.Context()); err != nil {
			t.Errorf("hashSlot of a free one: %v", err)
		} else {
			release()
		}
	})
}
