//go:build !unix

package main

import "os"

var reopenSignals []os.Signal
