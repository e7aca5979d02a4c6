package xferlog_test

import (
	"log/slog"
	"os"

	"github.com/ftp-gateway/ftp-gateway/protocol"
	"github.com/ftp-gateway/ftp-gateway/xferlog"
)

func Example() {
	log := xferlog.New(os.Stdout, false, slog.Default())
	defer log.Close() // behind the server's Shutdown
	srv := &protocol.Server{}
	srv.Hooks = protocol.JoinHooks(srv.Hooks, log.Hooks())
	// Output:
}
