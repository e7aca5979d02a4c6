package windows

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

var logonUser = windows.NewLazySystemDLL("advapi32.dll").NewProc("LogonUserW")

// Of LogonUserW: a logon over the network needs no right to sit at the machine and leaves no cached credentials.
const (
	logonNetwork    = 3 // LOGON32_LOGON_NETWORK
	providerDefault = 0 // LOGON32_PROVIDER_DEFAULT
)

// denials are the errors of LogonUserW that are about the account or its password (System Error Codes 1300-1699 and 1700-3999).
var denials = map[error]string{
	windows.ERROR_LOGON_FAILURE:          "wrong password",
	windows.ERROR_ACCOUNT_RESTRICTION:    "the account is restricted",
	windows.ERROR_INVALID_LOGON_HOURS:    "not at this time of day",
	windows.ERROR_INVALID_WORKSTATION:    "not on this machine",
	windows.ERROR_PASSWORD_EXPIRED:       "the password has expired",
	windows.ERROR_ACCOUNT_DISABLED:       "the account is disabled",
	windows.ERROR_LOGON_TYPE_NOT_GRANTED: "the account has no right to log on over the network",
	windows.ERROR_ACCOUNT_EXPIRED:        "the account has expired",
	windows.ERROR_PASSWORD_MUST_CHANGE:   "the password has to be changed",
	windows.ERROR_ACCOUNT_LOCKED_OUT:     "the account is locked out",
}

type system struct{}

// System are the accounts of this machine.
func System() (Accounts, error) { return system{}, nil }

// Exists implements [Accounts], by LookupAccountName.
func (system) Exists(domain, user string) (bool, error) {
	name := user
	if domain != "" {
		name = domain + `\` + user
	}
	_, _, kind, err := windows.LookupSID("", name)
	if errors.Is(err, windows.ERROR_NONE_MAPPED) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("LookupAccountName: %w", err)
	}
	return kind == windows.SidTypeUser, nil
}

// Logon implements [Accounts], by LogonUserW and GetUserProfileDirectoryW.
func (system) Logon(domain, user, password string) (string, error) {
	if domain == "" {
		domain = "." // only the accounts of this machine
	}
	args := make([]*uint16, 3)
	for i, s := range []string{user, domain, password} {
		p, err := windows.UTF16PtrFromString(s)
		if err != nil {
			return "", &LogonError{"a NUL character"}
		}
		args[i] = p
	}
	var token windows.Token
	ok, _, err := logonUser.Call(uintptr(unsafe.Pointer(args[0])), uintptr(unsafe.Pointer(args[1])), uintptr(unsafe.Pointer(args[2])),
		logonNetwork, providerDefault, uintptr(unsafe.Pointer(&token)))
	if ok == 0 {
		var code syscall.Errno
		if errors.As(err, &code) {
			if why, ok := denials[code]; ok {
				return "", &LogonError{why}
			}
		}
		return "", fmt.Errorf("LogonUser: %w", err)
	}
	defer token.Close()
	dir, err := token.GetUserProfileDirectory()
	if err != nil {
		return "", nil // who has never logged on has none; it only matters where a home names it
	}
	return dir, nil
}
