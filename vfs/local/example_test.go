package local_test

import (
	"fmt"
	"log"
	"os"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// An upload that was cut leaves the old file in its place.
func Example() {
	dir, err := os.MkdirTemp("", "local")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	tree, err := local.New(local.Options{Root: dir, Atomic: true})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()

	if err := afero.WriteFile(tree, "/a.jpg", []byte("old picture"), 0o666); err != nil {
		log.Fatal(err)
	}
	f, err := tree.Create("/a.jpg")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(f, "half a new pic")
	if err := vfs.Abort(f, fmt.Errorf("the client hung up")); err != nil {
		log.Fatal(err)
	}
	b, err := afero.ReadFile(tree, "/a.jpg")
	fmt.Printf("%s %v\n", b, err)
	// Output: old picture <nil>
}
