package auth_test

import (
	"context"
	"fmt"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// A camera that may write, and everybody else who may look.
func Example() {
	password, err := auth.ParsePassword("$5$saltsalt$PSOaQ1.uAjoqVUkrZPH7nqXa/TZbB4/.vAbfkDlIjN2")
	if err != nil {
		panic(err)
	}
	users, err := auth.NewUsers([]auth.User{{
		Name:     "cam7",
		Password: password,
		Account: auth.Account{
			Home:        "cams:/site-1/cam7",
			Permissions: auth.Permissions{Base: auth.PermAll},
		},
	}})
	if err != nil {
		panic(err)
	}
	logins := auth.Chain{
		&auth.Anonymous{Account: auth.Account{Home: "cams:/", Permissions: auth.Permissions{Base: auth.PermReadOnly}}},
		users,
	}
	for _, r := range []auth.Request{
		{User: "cam7", Password: "s3cret pass"},
		{User: "cam7", Password: "guessed"},
		{User: "ftp", Password: "me@example.com"},
		{User: "root", Password: "toor"},
	} {
		if a, err := logins.Authenticate(context.Background(), r); err != nil {
			fmt.Println(r.User, err)
		} else {
			fmt.Println(r.User, a.Home, a.Permissions.AtDir("/"))
		}
	}
	// Output:
	// cam7 cams:/site-1/cam7 elradfmwMT
	// cam7 auth: denied
	// ftp cams:/ elr
	// root auth: unknown user
}
