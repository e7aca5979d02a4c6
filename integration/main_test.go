package integration

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// gatewayBin is the product, built as it is shipped.
var gatewayBin string

func TestMain(m *testing.M) {
	if args := os.Getenv(victimEnv); args != "" {
		// This process is a client that a test is going to kill.
		fmt.Fprintln(os.Stderr, victim(context.Background(), args))
		os.Exit(3)
	}
	var err error
	if gatewayBin, err = servers.BuildGateway(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
