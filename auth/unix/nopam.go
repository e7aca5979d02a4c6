//go:build !(pam && cgo && (linux || freebsd))

package unix

import (
	"context"
	"errors"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// HasPAM tells whether this binary can ask PAM.
const HasPAM = false

func checkPAM(context.Context, string, auth.Request) (string, error) {
	return "", errors.New("this binary was built without PAM")
}
