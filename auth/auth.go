// Package auth decides who somebody is and what they may do. It knows no
// storage and no protocol: an [Authenticator] turns a name, a password and the
// circumstances of a login into an [Account].
package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"time"
)

// Errors of an Authenticator, found with errors.Is. Any other error means that
// nobody could tell (a directory that does not answer): the client gets 421
// and may try again, and the attempt does not count as a wrong password.
var (
	// ErrDenied: the user exists and the password, address or certificate is wrong.
	ErrDenied = errors.New("auth: denied")
	// ErrUnknownUser: this authenticator has no such user; the next in a chain may.
	ErrUnknownUser = errors.New("auth: unknown user")
)

// Request is one login attempt.
type Request struct {
	User     string
	Password string
	Remote   netip.AddrPort       // the client's address, IPv4 unmapped
	TLS      *tls.ConnectionState // nil on a plain control connection
}

// Account is somebody who has logged in.
type Account struct {
	Name        string
	Anonymous   bool
	Permissions Permissions
	// Home names the tree that the user sees as "/": a back end and a path in it. The
	// program gives it its meaning; this package only carries it.
	Home   string
	Mounts map[string]string // further trees by the directory they appear at
	// Start is the directory in that tree in which a session begins; empty means "/".
	Start string
	// System is who the account is for the operating system; nil for nobody.
	System *System
	// Overwrite says what becomes of a file that would be overwritten; the program gives it its meaning.
	Overwrite string
	// Cut says what becomes of a cut upload, and Publish which uploads wait for their rename; empty, and nil, where the profile
	// decides. The program gives them their meaning.
	Cut     string
	Publish []string
	// Networks are the only ones from which the login is possible; none means all. See [Admit].
	Networks []netip.Prefix
	// Expires is when the login stops being possible; zero means never. See [Admit].
	Expires time.Time
	// MaxSessions is how many sessions the user may have at a time; 0 means what the server says for all.
	MaxSessions int
	// Limits are the account's own.
	Limits Limits
	// Remote is where the login came from. The server sets it.
	Remote netip.AddrPort
	// Profile names how the server bears with the habits of the user's device; empty means the listener's.
	Profile string
	// Device is the name of the profile that holds for the session, the account's own or not. The server sets it.
	Device string
	// Encoding names that of file names on the wire, such as "gbk"; empty means the profile's or the listener's.
	Encoding string
	// LoginMessage and QuitMessage replace the texts of the 230 and 221 replies.
	LoginMessage string
	QuitMessage  string
}

// System is who somebody is for a Unix system.
type System struct {
	UID, GID uint32
	Groups   []uint32 // supplementary ones
	Home     string   // the home directory, as the system names it
}

// Authenticator checks a login. It is called by many goroutines at once and may
// block; it must honour ctx. It takes about as long for an unknown user as for
// a wrong password.
type Authenticator interface {
	Authenticate(ctx context.Context, r Request) (*Account, error)
}
