//go:build !(linux || darwin || freebsd)

package local

import (
	"errors"
	"os"
)

func freeSpace(*os.File) (int64, error) { return 0, errors.ErrUnsupported }
