//go:build !unix

package events

import "os/exec"

// wholly does nothing: there are no groups of processes that can be killed.
func wholly(*exec.Cmd) {}
