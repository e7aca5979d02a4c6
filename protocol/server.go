package protocol

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/afero"
	"golang.org/x/text/encoding"

	"github.com/ftp-gateway/ftp-gateway/auth"
)

// ErrServerClosed is returned by Serve after Shutdown or Close.
var ErrServerClosed = errors.New("protocol: server closed")

// TLSMode says how a listener comes to TLS.
type TLSMode string

// The modes of RFC 4217 and, for Implicit, of its expired drafts.
const (
	TLSNone     TLSMode = "none"
	TLSExplicit TLSMode = "explicit" // AUTH TLS
	TLSImplicit TLSMode = "implicit" // TLS from the first byte
)

// SessionReuse says whether a data connection has to resume the TLS session of
// its control connection.
type SessionReuse string

// The values of Server.SessionReuse.
const (
	ReuseOff     SessionReuse = "off"     // no tickets are given
	ReusePrefer  SessionReuse = "prefer"  // tickets are given, a full handshake is accepted too
	ReuseRequire SessionReuse = "require" // 425 to a data connection that does not resume
)

// ASCII says when TYPE A converts line ends.
type ASCII string

// The values of Profile.ASCII.
const (
	ASCIIExplicit ASCII = "explicit" // only after the client has sent TYPE A
	ASCIIAlways   ASCII = "always"   // also while TYPE A is only RFC 959's default
	ASCIINever    ASCII = "never"    // bytes are bytes
)

// Match says to whom a passive connection is given.
type Match string

// The values of Server.PassiveMatch.
const (
	// MatchAddress shares the ports of the range: a connection belongs to the session
	// of the same client address that waits on that port.
	MatchAddress Match = "address"
	// MatchExclusive gives each session that sends PASV a port of its own.
	MatchExclusive Match = "exclusive"
)

// PortRange is an inclusive range of TCP ports. The zero value means any port.
type PortRange struct{ First, Last uint16 }

// Listener is what Serve listens on and how sessions that come from it behave.
type Listener struct {
	net.Listener
	TLS TLSMode // empty means none
	// RequireTLSControl refuses USER, and RequireTLSData every transfer, in clear text.
	RequireTLSControl bool
	RequireTLSData    bool
	// TLSConfig has its certificates, versions and ciphers; nil means Server.TLSConfig. It is cloned.
	TLSConfig *tls.Config
	// ClientCAs, if not nil, is asked for each connection whom to trust for client certificates, so
	// that the answer can change. Whether they are wanted is TLSConfig.ClientAuth.
	ClientCAs func() *x509.CertPool
	// Profile is that of its sessions; nil means Server.Profile.
	Profile *Profile
	// Encoding of names, instead of the profile's; nil says nothing about it.
	Encoding encoding.Encoding

	baseTLS *tls.Config // nil without TLS
}

// Server is an FTP server. Auth and OpenFS must be set; a zero value elsewhere
// means the documented default. The fields must not change after Serve.
type Server struct {
	// Auth checks logins.
	Auth auth.Authenticator
	// OpenFS returns the tree that an account sees, its own root as "/".
	// It is called once for each login.
	OpenFS func(ctx context.Context, a *auth.Account) (afero.Fs, error)

	// Log is where the server writes; default slog.Default().
	Log *slog.Logger
	// Hooks are told what happens.
	Hooks Hooks
	// Banner is the text of the greeting, several lines possible; default "ftp-gateway ready.".
	Banner string

	// TLSConfig holds the certificates; nil means no TLS. It is cloned.
	TLSConfig *tls.Config
	// SessionReuse is about data connections; default ReusePrefer.
	SessionReuse SessionReuse
	// AllowCCC lets clients go back to clear text on the control connection (CCC), which then can be read and
	// changed by anybody on the way. Each listener's requirements still hold for USER.
	AllowCCC bool

	// MaxSessions is the most sessions at a time; 0 means no limit. Where it is reached, sessions that have not
	// logged in make room for newcomers, so that strangers cannot use it up.
	MaxSessions int
	// MaxPerIP is the most sessions at a time of one client address (of IPv6: one /64), MaxPerUser those
	// of one user, anonymous ones left out; 0 means no limit.
	MaxPerIP   int
	MaxPerUser int
	// LoginTimeout ends a session that has not logged in so long after its
	// beginning, whatever it sends; default 2 min.
	LoginTimeout time.Duration
	// Guard slows down and shuts out who guesses passwords; nil for none.
	Guard Guard
	// LoginAttempts is how many wrong passwords end a session; default 3.
	LoginAttempts int
	// LoginDelay is how long the answer to a wrong password waits without a Guard; default 3 s, negative none.
	LoginDelay time.Duration

	// Upload and Download are the bandwidth of one data connection in bytes per second, TotalUpload and
	// TotalDownload that of all together, shared evenly; 0 means no limit. An account's own is in [auth.Limits].
	// Listings are downloads. In MODE Z what counts is the compressed stream.
	Upload, Download           int64
	TotalUpload, TotalDownload int64
	// MaxFileSize is the largest file that may be stored, in bytes; 0 means no limit.
	MaxFileSize int64
	// MinFree is what uploads leave free in trees that know their free space (vfs.Spacer), in bytes; 0 means nothing.
	MinFree int64

	// IdleTimeout ends a session that sends no command and moves no data; default 5 min.
	IdleTimeout time.Duration
	// StallTimeout ends a transfer in which no byte moves; default 2 min.
	StallTimeout time.Duration
	// ConnectTimeout bounds how long a data connection may take to come up, TLS included; default 30 s.
	ConnectTimeout time.Duration
	// CommandTimeout bounds what a command other than a transfer asks of the tree; default 1 min.
	CommandTimeout time.Duration
	// RenameTimeout bounds a rename, which in a bucket is a copy; default 1 h.
	RenameTimeout time.Duration

	// PassivePorts is the range for PASV and EPSV; the zero value means any free port, one listener per PASV.
	PassivePorts PortRange
	PassiveMatch Match // default MatchAddress
	// PassiveAddress returns the IPv4 address that PASV tells, for a session
	// whose control connection ends at local; nil, or an invalid Addr, means local itself.
	PassiveAddress func(local netip.Addr) netip.Addr
	// PermitForeignAddresses lets data connections go to and come from other
	// addresses than the client's (FXP). It opens the server to bounce attacks.
	PermitForeignAddresses bool
	// PermitPrivilegedPorts lets PORT and EPRT name ports below 1024.
	PermitPrivilegedPorts bool

	// CutSettle is how long the end of a killed client's control connection may
	// come behind the end of its data; default 5 ms, negative for none. Uploads
	// into trees whose commit publishes (vfs.Publishes) wait for it.
	CutSettle time.Duration
	// CutGrace is how long data is still read after the control connection was
	// lost in the middle of an upload; default 10 s.
	CutGrace time.Duration

	// MaxHash is the most bytes that HASH, XCRC and their kin read of a file whose digest the tree does not
	// know; default 8 GiB, negative for no limit. MaxHashes is how many of these commands read at a time, default 4: the others wait.
	MaxHash   int64
	MaxHashes int

	// Profile is that of sessions whose listener and account have none of their own.
	Profile Profile
	// Profiles returns the profile that an account names, or nil where there is none of that name.
	Profiles func(name string) *Profile
	// Encodings returns the encoding that an account names, or nil where there is none of that name.
	Encodings func(name string) encoding.Encoding
	// Owners is how LIST calls the owners of files; default OwnersHidden.
	Owners Owners
	// Hosts are virtual hosts. No name may be in two of them.
	Hosts []Host
	// Version of the program is told to clients that ask for it with CSID; empty tells none.
	Version string
	// LocalTime tells times in LIST and MDTM in the server's zone instead of UTC. Facts, as of MLSD, stay in UTC.
	LocalTime bool
	// NoSendfile moves downloads through user space. For measuring, and for file systems on which sendfile fails.
	NoSendfile bool

	// NoDeflate refuses MODE Z and leaves it out of FEAT.
	NoDeflate bool
	// MaxExpansion is how many bytes one byte of an upload in MODE Z may become, once it has become
	// 16 MiB; default 200, negative for no limit. Deflate itself ends near 1030.
	MaxExpansion int

	// ListenData and DialData replace net.ListenConfig.Listen and net.Dialer.DialContext
	// for data connections; for tests.
	ListenData func(ctx context.Context, network, address string) (net.Listener, error)
	DialData   func(ctx context.Context, network, address string) (net.Conn, error)

	serverState
}
