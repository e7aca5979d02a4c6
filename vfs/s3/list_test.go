package s3

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

// oddKeys are keys that a listing has to bring over as they are. What XML cannot carry unescaped is
// for servers that can encode.
func oddKeys(encoded bool) []string {
	keys := []string{
		"d/a b", "d/ a ", "d/100%", "d/a%20b", "d/a+b", "d/<a>&amp;\"b\"'c'", "d/😀/x", "d/ünï", "d//x", "d/./x", "d/../x", "d/dot.",
		"d/" + strings.Repeat("k", 1022), "d/tab\tnewline\n",
	}
	if encoded {
		keys = append(keys, "d/\x01\x1f")
	}
	slices.Sort(keys)
	return keys
}

func Test41KeysOfListingsEncodingTypeURLOnAndOff(t *testing.T) {
	for profile, encoded := range map[string]bool{"minio": true, "gcs": false} {
		t.Run(profile, func(t *testing.T) {
			f := newFake(t)
			s, _ := f.open(func(o *Options) { o.Profile = profile })
			keys := oddKeys(encoded)
			for _, k := range keys {
				f.set(k, []byte(k))
			}
			for _, max := range []int{1000, 3, 1} { // the tokens are odd keys too
				var got []string
				for token := ""; ; {
					p, err := s.ListAll(t.Context(), "d/", token, max)
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range p.Objects {
						got = append(got, o.Key)
					}
					if token = p.Next; token == "" {
						break
					}
				}
				if !slices.Equal(got, keys) {
					t.Errorf("pages of %d: %q, want %q", max, got, keys)
				}
			}
			// What a client sees of them: what a path can name and a line can hold.
			tree, err := object.New(s, object.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for fi, err := range vfs.List(tree, "/d") {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, fi.Name())
				if _, err := tree.Stat("/d/" + fi.Name()); err != nil {
					t.Errorf("%q is listed, and Stat says %v", fi.Name(), err)
				}
			}
			slices.Sort(names)
			want := []string{" a ", "100%", "<a>&amp;\"b\"'c'", "a b", "a%20b", "a+b", "dot.", strings.Repeat("k", 1022), "ünï", "😀"}
			if !slices.Equal(names, want) {
				t.Errorf("listed %q, want %q", names, want)
			}
		})
	}
}

func Test41Entries(t *testing.T) {
	f := newFake(t)
	s, _ := f.open(nil)
	n := 0
	for _, want := range []int{0, 1, 999, 1000, 1001, 2001} {
		f.set("d/", nil) // the marker comes first
		for ; n < want; n++ {
			key := fmt.Sprintf("d/%05d", n)
			if n%500 == 499 || n%500 == 0 { // directories on the edges of pages
				key += "/below"
			}
			f.set(key, nil)
		}
		tree, err := object.New(s, object.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for fi, err := range vfs.List(tree, "/d") {
			if err != nil {
				t.Fatal(err)
			}
			if name := fmt.Sprintf("%05d", got); fi.Name() != name || fi.IsDir() != (got%500 == 499 || got%500 == 0) {
				t.Fatalf("entry %d is %q, directory %t", got, fi.Name(), fi.IsDir())
			}
			got++
		}
		if got != want {
			t.Errorf("%d entries, want %d", got, want)
		}
	}
}
