//go:build !windows

package windows

import "errors"

// System are the accounts of this machine.
func System() (Accounts, error) {
	return nil, errors.New("windows: this machine does not run Windows")
}
