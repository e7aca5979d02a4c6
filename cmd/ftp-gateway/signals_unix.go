//go:build unix

package main

import (
	"os"
	"syscall"
)

// reopenSignals only open the log files anew. Unhandled it would end the program, and it is what other servers' logrotate
// scripts send.
var reopenSignals = []os.Signal{syscall.SIGUSR1}
