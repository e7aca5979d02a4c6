package protocol_test

import (
	"context"
	"log"
	"path/filepath"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/auth/windows"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// The accounts of a Windows machine, each in its profile directory, and its guest for anonymous logins.
func Example_windowsUsers() {
	// page: windows
	users, err := windows.New(windows.Options{
		Rejected:     []string{"Administrator"},
		Volume:       "C:",
		Account:      auth.Account{Home: "{profile}", Permissions: auth.Permissions{Base: auth.PermAll}},
		Guest:        "Guest",
		GuestAccount: auth.Account{Home: "/ftp", Permissions: auth.Permissions{Base: auth.PermReadOnly}},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv := &protocol.Server{
		Auth: users,
		OpenFS: func(_ context.Context, a *auth.Account) (afero.Fs, error) {
			return local.New(local.Options{Root: filepath.Join(`C:\`, filepath.FromSlash(a.Home))})
		},
	}
	log.Fatal(srv.ListenAndServe(":21"))
	// end
}
