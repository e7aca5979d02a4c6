package gcs

import (
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

func TestConformance(t *testing.T) {
	fakes := map[afero.Fs]*fake{}
	vfstest.Run(t, func(t *testing.T) afero.Fs {
		f := newFake(t)
		s := f.store(quick)
		tree, err := object.New(s, object.Options{StrictClash: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for id, up := range f.sessions {
				if up.done == nil {
					t.Errorf("session %s for %q is left", id, up.key)
				}
			}
			if n := s.budget.InUse(); n != 0 {
				t.Errorf("budget in use: %d", n)
			}
		})
		fakes[tree] = f
		return tree
	}, vfstest.Caps{
		FirstPart:    chunkUnit,
		Append:       true,
		Resume:       true,
		ImplicitDirs: true,
		RenameDir:    true,
		Chtimes:      true,
		MaxKey:       1023,
		Refuses: []string{"newline", "carriage return", "tab", "control character", "delete character",
			"invalid UTF-8", "surrogate", "folder marker"},
		PutRaw: func(t *testing.T, fsys afero.Fs, key string, content []byte) error {
			fakes[fsys].set(key, content)
			return nil
		},
	})
}
