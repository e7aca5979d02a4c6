package guard_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ftp-gateway/ftp-gateway/auth"
	"github.com/ftp-gateway/ftp-gateway/auth/guard"
)

func Example() {
	g := guard.New(guard.Options{Failures: 3, Window: 10 * time.Minute, Ban: 15 * time.Minute, Delay: time.Second, MaxDelay: 30 * time.Second})
	from := netip.MustParseAddrPort("192.0.2.7:40000")
	for _, guess := range []string{"123456", "password", "letmein"} {
		fmt.Println(g.Failed(auth.Request{User: "cam7", Password: guess, Remote: from}), g.Banned(from.Addr()))
	}
	// Output:
	// 1s false
	// 2s false
	// 4s true
}
