package object_test

import (
	"maps"
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

// newTree returns a tree on an empty store.
func newTree(t *testing.T, o object.Options) (*object.FS, *object.Mem) {
	t.Helper()
	b := object.NewBudget(64 << 20)
	m := object.NewMem(b, 64<<10)
	f, err := object.New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := m.Pending(); n != 0 {
			t.Errorf("%d uploads are left in the store", n)
		}
		if b.InUse() != 0 || b.Reserved() != 0 || b.Waiting() != 0 {
			t.Errorf("the budget has %d bytes in use, %d reserved, %d waiting", b.InUse(), b.Reserved(), b.Waiting())
		}
	})
	return f, m
}

func TestConformance(t *testing.T) {
	deviations := map[string]string{
		"36 STOR where an implicit directory exists is refused": "without StrictClash the tree refuses what the session knows, and asks nothing for it",
	}
	for _, c := range []struct {
		name string
		o    object.Options
		more map[string]string
	}{
		{"plain", object.Options{}, deviations},
		{"prefix", object.Options{Prefix: "/site-1/cam 7/"}, deviations},
		{"strict", object.Options{StrictClash: true}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			stores := map[afero.Fs]*object.Mem{}
			prefix := ""
			if c.o.Prefix != "" {
				prefix = "site-1/cam 7/"
			}
			vfstest.Run(t, func(t *testing.T) afero.Fs {
				f, m := newTree(t, c.o)
				s := f.Session()
				stores[s] = m
				// What must never be seen: beside the prefix.
				m.Set("site-1/cam 70/secret", []byte("x"))
				if prefix == "" {
					m.Delete(t.Context(), "site-1/cam 70/secret", "")
				}
				return s
			}, vfstest.Caps{
				FirstPart: 64 << 10,
				Append:    true, Resume: true,
				ImplicitDirs: true,
				RenameDir:    true,
				MaxKey:       1023 - len(prefix),
				Refuses: []string{"newline", "carriage return", "tab", "control character", "delete character",
					"invalid UTF-8", "surrogate", "folder marker"},
				PutRaw: func(t *testing.T, fsys afero.Fs, key string, content []byte) error {
					stores[fsys].Set(prefix+key, content)
					return nil
				},
				Deviations: maps.Clone(c.more),
			})
		})
	}
}
