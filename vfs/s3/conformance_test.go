package s3

import (
	"testing"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs/object"
	"github.com/ftp-gateway/ftp-gateway/vfs/vfstest"
)

func TestConformance(t *testing.T) {
	for _, profile := range []string{"aws", "minio", "generic"} {
		t.Run(profile, func(t *testing.T) {
			fakes := map[afero.Fs]*fake{}
			vfstest.Run(t, func(t *testing.T) afero.Fs {
				f := newFake(t)
				f.minio = profile == "minio"
				s, _ := f.open(func(o *Options) { o.Profile = profile; o.PathStyle = true })
				tree, err := object.New(s, object.Options{StrictClash: true})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if n := f.pending(); n > 0 {
						t.Errorf("%d uploads are left", n)
					}
				})
				fakes[tree] = f
				return tree
			}, vfstest.Caps{
				FirstPart:    minPart,
				Append:       true,
				Resume:       true,
				ImplicitDirs: true,
				RenameDir:    true,
				MaxKey:       1023,
				Refuses: []string{"newline", "carriage return", "tab", "control character", "delete character",
					"invalid UTF-8", "surrogate", "folder marker"},
				PutRaw: func(t *testing.T, fsys afero.Fs, key string, content []byte) error {
					fakes[fsys].set(key, content)
					return nil
				},
			})
		})
	}
}
