package protocol_test

import (
	"context"
	"log"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	authunix "github.com/ftp-gateway/ftp-gateway/auth/unix"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
	"github.com/ftp-gateway/ftp-gateway/vfs/unix"
)

// The accounts of a Linux machine, each locked into its home, with the rights that the kernel gives it. Needs root.
func Example_unixUsers() {
	// page: unix
	if err := unix.Ready(); err != nil { // may this process act as other users?
		log.Fatal(err)
	}
	if err := unix.DropResource(); err != nil { // whose quotas then hold
		log.Fatal(err)
	}
	users, err := authunix.New(authunix.Options{
		Rejected: []string{"backup"},
		Account:  auth.Account{Home: "{home}", Permissions: auth.Permissions{Base: auth.PermAll}},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv := &protocol.Server{
		Auth: users,
		OpenFS: func(_ context.Context, a *auth.Account) (afero.Fs, error) {
			who := unix.Identity{UID: a.System.UID, GID: a.System.GID, Groups: a.System.Groups}
			return unix.Open(local.Options{Root: a.Home}, who)
		},
		Owners: protocol.OwnersNames,
	}
	log.Fatal(srv.ListenAndServe(":21"))
	// end
}
