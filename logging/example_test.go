package logging_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/ftp-gateway/ftp-gateway/logging"
	"github.com/ftp-gateway/ftp-gateway/protocol"
)

// A server whose log is as pyftpdlib's, and shows each command of one user for ten minutes.
func Example() {
	rules := &logging.Rules{}
	h, err := logging.New(logging.Options{Format: logging.Line, Prefix: logging.DefaultPrefix, Level: slog.LevelInfo, Rules: rules}, os.Stdout)
	if err != nil {
		fmt.Println(err)
		return
	}
	rules.Set(logging.Rule{User: "cam7", Until: time.Now().Add(10 * time.Minute)})

	// What the server does for each session; here with a time that stays.
	session := h.WithClient(&protocol.Client{ID: 1, Remote: netip.MustParseAddrPort("192.0.2.7:40112"), Claimed: "cam7"})
	if session.Enabled(context.Background(), slog.LevelDebug) {
		at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
		session.Handle(context.Background(), slog.NewRecord(at, slog.LevelDebug, "<- PASS ******", 0))
	}
	// Output: [D 2026-01-02 15:04:05] 192.0.2.7:40112-[cam7] <- PASS ******
}
