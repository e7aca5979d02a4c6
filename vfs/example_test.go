package vfs_test

import (
	"fmt"
	"log"
	"os"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/vfs"
)

// A user's tree: a home in a subtree, and an archive mounted in it.
func Example() {
	dir, err := os.MkdirTemp("", "vfs")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	disk := afero.NewBasePathFs(afero.NewOsFs(), dir)
	for _, d := range []string{"/home/cam7", "/old/2025"} {
		if err := disk.MkdirAll(d, 0o777); err != nil {
			log.Fatal(err)
		}
	}

	tree, err := vfs.NewMount(vfs.NewSub(disk, "/home/cam7"), map[string]afero.Fs{
		"/archive": vfs.NewSub(disk, "/old"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := afero.WriteFile(tree, "/a.jpg", []byte("picture"), 0o666); err != nil {
		log.Fatal(err)
	}
	for fi, err := range vfs.List(tree, "/") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(fi.Name(), fi.IsDir())
	}
	_, err = tree.Stat("/archive/../../../etc/passwd")
	fmt.Println(err)
	// Output:
	// archive true
	// a.jpg false
	// stat /etc/passwd: no such file or directory
}
