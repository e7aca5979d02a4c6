package object_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/ftp-gateway/ftp-gateway/vfs"
	"github.com/ftp-gateway/ftp-gateway/vfs/object"
)

func Example() {
	budget := object.NewBudget(64 << 20)  // one for the whole process
	store := object.NewMem(budget, 5<<20) // or s3.New, gcs.New
	tree, err := object.New(store, object.Options{Prefix: "site-1/cam7"})
	if err != nil {
		log.Fatal(err)
	}

	session := tree.Session()                              // one per login
	fsys := vfs.WithContext(context.Background(), session) // one per command

	// An upload is visible when Close has returned nil.
	f, err := fsys.OpenFile("/2026/photo.jpg", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(f, "JPEG")
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}

	// One that is given up never was.
	f, err = fsys.OpenFile("/2026/cut.jpg", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(f, "JP")
	vfs.Abort(f, errors.New("connection reset"))

	for fi, err := range vfs.List(fsys, "/2026") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(fi.Name(), fi.Size())
	}
	fmt.Println(store.Keys(), store.Requests())
	// Output:
	// photo.jpg 4
	// [site-1/cam7/2026/photo.jpg] map[list:1 single:1]
}
