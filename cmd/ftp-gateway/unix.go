package main

import (
	"github.com/ftp-gateway/ftp-gateway/auth"
	authunix "github.com/ftp-gateway/ftp-gateway/auth/unix"
	"github.com/ftp-gateway/ftp-gateway/config"
)

// newUnixUsers makes the authenticator of the system's accounts.
func newUnixUsers(c *config.UnixUsers) (auth.Authenticator, error) {
	perm, err := auth.ParsePerm(c.Permissions)
	if err != nil {
		return nil, err
	}
	return authunix.New(authunix.Options{
		Allowed: c.Allowed, Rejected: c.Rejected, AnyShell: !c.RequireValidShell, AllowRoot: c.AllowRoot, PAMService: c.PAMService,
		Account: auth.Account{Home: c.Home, Start: c.Start, Permissions: auth.Permissions{Base: perm}},
	})
}
