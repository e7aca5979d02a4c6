package config_test

import (
	"fmt"
	"os"

	"github.com/ftp-gateway/ftp-gateway/config"
)

// Two mistakes, found in one go.
func Example() {
	_, report := config.Parse("ftp-gateway.yaml", []byte(`
limits:
  idel: 5m
  stall: 2 minutes
`), os.LookupEnv)
	fmt.Print(report)
	// Output:
	// ftp-gateway.yaml:3: limits.idel: unknown key "idel" (hint: did you mean "idle"?)
	// ftp-gateway.yaml:4: limits.stall: "2 minutes" is not a duration, want for example 90s, 5m or 1h30m
}
