package admin_test

import (
	"context"
	"fmt"

	"github.com/ftp-gateway/ftp-gateway/admin"
)

// A program that ends the sessions of a user.
func ExampleClient() {
	c := admin.NewClient("/run/ftp-gateway/admin.sock")
	defer c.Close()
	ctx := context.Background()
	st, err := c.Status(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range st.Sessions {
		if s.User == "cam7" {
			if err := c.EndSession(ctx, s.ID); err != nil {
				fmt.Println(err)
			}
		}
	}
}
