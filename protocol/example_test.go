package protocol_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/textproto"
	"os"

	"github.com/spf13/afero"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/vfs/local"
)

// A server that lets everybody read one directory.
func Example() {
	dir, err := os.MkdirTemp("", "ftp")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	tree, err := local.New(local.Options{Root: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &protocol.Server{
		Auth:   &auth.Anonymous{Account: auth.Account{Permissions: auth.Permissions{Base: auth.PermReadOnly}}},
		OpenFS: func(context.Context, *auth.Account) (afero.Fs, error) { return tree, nil },
		Log:    slog.New(slog.DiscardHandler),
	}
	go srv.Serve(protocol.Listener{Listener: l}) // ends with Shutdown
	defer srv.Shutdown(context.Background())

	c, err := textproto.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, line := range []string{"USER anonymous", "PASS me@example.org", "MKD new", "QUIT", ""} {
		code, text, err := c.ReadResponse(0)
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Println(code, text)
		if line != "" {
			c.PrintfLine("%s", line)
		}
	}
	// Output:
	// 220 ftp-gateway ready.
	// 331 Password required
	// 230 Login successful
	// 550 Not enough privileges
	// 221 Goodbye
}
